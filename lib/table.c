#include "lib/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define BUCKETS_FIRST 32

static uint32_t hash_of(const char *key) {
        return (uint32_t)hash_bytes(key, strlen(key));
}

static struct table_node **bucket_of(const struct table *table, uint32_t hash) {
        return &table->buckets[hash & (table->n_buckets - 1)];
}

static int grow(struct table *table) {
        struct table bigger = { .n_buckets = table->n_buckets ? table->n_buckets * 2 : BUCKETS_FIRST, .n = table->n };
        struct table_node *next;

        bigger.buckets = calloc(bigger.n_buckets, sizeof(*bigger.buckets));
        if (!bigger.buckets)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_buckets; i++)
                for (struct table_node *node = table->buckets[i]; node; node = next) {
                        struct table_node **bucket = bucket_of(&bigger, node->hash);

                        next = node->next;
                        node->next = *bucket;
                        *bucket = node;
                }
        free(table->buckets);
        *table = bigger;
        return 0;
}

int table_add(struct table *table, struct table_node *node, const char *key) {
        struct table_node **bucket;

        if (table_find(table, key))
                return -EEXIST;
        if (table->n >= table->n_buckets && grow(table) < 0 && table->n_buckets == 0)
                return -ENOMEM;
        node->key = key;
        node->hash = hash_of(key);
        bucket = bucket_of(table, node->hash);
        node->next = *bucket;
        *bucket = node;
        table->n++;
        return 0;
}

struct table_node *table_find(const struct table *table, const char *key) {
        uint32_t hash = hash_of(key);

        if (table->n == 0)
                return NULL;
        for (struct table_node *node = *bucket_of(table, hash); node; node = node->next)
                if (node->hash == hash && strcmp(node->key, key) == 0)
                        return node;
        return NULL;
}

void table_remove(struct table *table, struct table_node *node) {
        struct table_node **at = bucket_of(table, node->hash);

        while (*at && *at != node)
                at = &(*at)->next;
        if (!*at)
                return;
        *at = node->next;
        table->n--;
}

void table_clear(struct table *table) {
        free(table->buckets);
        *table = (struct table){ 0 };
}
