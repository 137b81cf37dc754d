/* Which nodes there are, and where their kubelets listen: looked up anew for each round. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "api/usage/internal.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/http/client.h"
#include "lib/value.h"

#define KUBELET_PORT 10250
#define FACTS "status.addresses status.daemonEndpoints.kubeletEndpoint.Port"

void usage_node_free(struct usage_node *node) {
        http_client_free(node->client);
        handle_free(node->timer);
        usage_points_free(node->points);
        free(node->body);
        free(node);
}

static void drop_node(struct usage_node *node) {
        struct api_usage *usage = node->usage;

        if (usage_queue_contains(node))
                usage_queue_remove(node);
        pthread_mutex_lock(&usage->lock);
        table_remove(&usage->nodes, &node->in_all);
        pthread_mutex_unlock(&usage->lock);
        node->gone = true;
        if (node->x)
                http_reset(node->x, -ECANCELED);
        else
                usage_node_free(node);
}

static struct usage_node *find_or_add(struct usage_rounds *rounds, const char *name) {
        struct api_usage *usage = rounds->usage;
        struct usage_node *node = table_object(table_find(&usage->nodes, name), struct usage_node, in_all);
        size_t size = strlen(name) + 1;
        int r;

        if (node)
                return node;
        node = calloc(1, sizeof(*node) + size);
        if (!node)
                return NULL;
        node->usage = usage;
        memcpy(node->name, name, size);
        node->timer = handle_timer(rounds->loop, node);
        pthread_mutex_lock(&usage->lock);
        r = node->timer ? table_add(&usage->nodes, &node->in_all, node->name) : -ENOMEM;
        pthread_mutex_unlock(&usage->lock);
        if (r == 0)
                return node;
        usage_node_free(node);
        return NULL;
}

/* An address that needs no name server: the first inner one, else the first outer one. */
static bool find_address(const struct value *list, struct ip *ret_address) {
        static const char *const types[] = { "InternalIP", "ExternalIP" };

        for (size_t t = 0; t < ELEMENTS(types); t++)
                for (uint32_t i = 0; i < value_count(list); i++)
                        if (strcmp(value_string_or(value_get(value_at(list, i), "type"), ""), types[t]) == 0 &&
                            ip_parse(value_string_or(value_get(value_at(list, i), "address"), ""), ret_address, NULL) ==
                                    0)
                                return true;
        return false;
}

/* Queues the node, which is where @tree says. */
static void queue_node(struct usage_rounds *rounds, struct usage_node *node, const struct value *tree) {
        int64_t port = KUBELET_PORT;
        struct ip address;

        if (!value_integer(value_find(tree, "status.daemonEndpoints.kubeletEndpoint.Port"), &port) || port <= 0 ||
            port > UINT16_MAX)
                port = KUBELET_PORT;
        if (!find_address(value_find(tree, "status.addresses"), &address) || node->x)
                return;
        if (!ip_equal(&address, &node->address) || node->port != port || node->generation != rounds->generation) {
                http_client_free(node->client);
                node->client = NULL;
        }
        node->address = address;
        node->generation = rounds->generation;
        node->port = (unsigned)port;
        if (!usage_queue_contains(node))
                usage_queue_append(&rounds->queue, node);
        node->asked = rounds->round;
        rounds->left++;
}

void usage_nodes_drop(struct usage_rounds *rounds) {
        struct table *all = &rounds->usage->nodes;

        for (size_t i = 0; i < all->n_buckets; i++)
                for (struct table_node *n = all->buckets[i], *next; n; n = next) {
                        struct usage_node *node = table_object(n, struct usage_node, in_all);

                        next = n->next;
                        if (node->round != rounds->round)
                                drop_node(node);
                }
}

int usage_nodes_queue(struct usage_rounds *rounds) {
        struct api_resource *nodes = api_state_find(rounds->usage->state, "", "nodes");
        const struct collection_query everything = { 0 };
        _cleanup_arena_ struct arena *kept = arena_new(), *arena = arena_new();
        struct kube_wanted *wanted = kept ? kube_wanted_new(kept) : NULL;
        struct collection_page page = { 0 };
        int r = nodes && arena && wanted ? kube_wanted_add(kept, wanted, FACTS) : -ENOMEM;

        r = r ?: collection_list(nodes->collection, &everything, &page);
        for (size_t i = 0; r == 0 && i < page.n; i++) {
                _cleanup_bytes_ struct bytes *json = object_json(page.objects[i]);
                struct usage_node *node = find_or_add(rounds, page.objects[i]->name);
                struct value tree;

                arena_reset(arena);
                if (!node || !json || kube_project(arena, wanted, (const char *)json->data, json->size, &tree) < 0)
                        continue;
                node->round = rounds->round;
                queue_node(rounds, node, &tree);
        }
        collection_page_clear(&page);
        usage_nodes_drop(rounds);
        return r;
}
