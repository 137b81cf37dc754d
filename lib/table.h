/* A hash table of objects by a text key. The node is embedded in the object, which owns the key; the table owns only
 * its buckets, which double as it fills. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
        struct table_node *next;
        const char *key;
        uint32_t hash;
};

/* Zeroed is empty. */
struct table {
        struct table_node **buckets;
        size_t n_buckets, n;
};

/* Adds @node under @key, which lives as long as it is in the table. -EEXIST when the key is there, -ENOMEM. */
int table_add(struct table *table, struct table_node *node, const char *key);

/* NULL when it is not there. */
struct table_node *table_find(const struct table *table, const char *key);

/* Takes @node, which is in the table, out of it. */
void table_remove(struct table *table, struct table_node *node);

/* Frees the buckets; the objects are the caller's. */
void table_clear(struct table *table);

#define table_object(node, type, member)                                                                               \
        ({                                                                                                             \
                struct table_node *_node = (node);                                                                     \
                _node ? (type *)((char *)_node - offsetof(type, member)) : NULL;                                       \
        })
