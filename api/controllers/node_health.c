/* What is known of nodes: who was heard of when, and in which zone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/node_lifecycle.h"
#include "kube/project.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define LEASE_NAMESPACE "kube-node-lease"
#define EXCLUDED "node.kubernetes.io/exclude-disruption"
#define FACTS "metadata.uid metadata.creationTimestamp metadata.labels status.conditions"

struct node_record *node_lifecycle_find(const struct node_lifecycle *l, const char *name) {
        return table_object(table_find(&l->nodes, name), struct node_record, in_all);
}

static struct node_record *find_or_add(struct node_lifecycle *l, const char *name, uint64_t now) {
        struct node_record *node = node_lifecycle_find(l, name);
        size_t size = strlen(name) + 1;

        if (node)
                return node;
        node = calloc(1, sizeof(*node) + size);
        if (!node)
                return NULL;
        node->seen_ns = now;
        memcpy(node->name, name, size);
        if (table_add(&l->nodes, &node->in_all, node->name) == 0)
                return node;
        free(node);
        return NULL;
}

void node_lifecycle_set_lost(struct node_lifecycle *l, struct node_record *node, bool lost) {
        if (lost != node->lost)
                l->lost += lost ? 1 : -1u;
        node->lost = lost;
}

void node_lifecycle_forget(struct node_lifecycle *l, struct node_record *node) {
        node_zones_leave(node);
        node_lifecycle_set_lost(l, node, false);
        table_remove(&l->nodes, &node->in_all);
        free(node->uid);
        free(node);
}

/* --- signs of life --- */

/* Another time is a sign, also an earlier one: a node's clock may have been set back. (Kubernetes has that node lost
 * until the clock has come to where it was.) */
static bool saw(char last[40], const char *text) {
        if (strcmp(text, last) == 0)
                return false;
        snprintf(last, sizeof(((struct node_record *)0)->renewed), "%s", text);
        return true;
}

static void see_lease(struct controller *controller, struct node_record *node, const struct client_object *lease) {
        struct node_lifecycle *l = controller_data(controller);
        struct value tree;

        arena_reset(l->scratch);
        if (kube_project(l->scratch, l->renewal, (const char *)lease->json->data, lease->json->size, &tree) == 0 &&
            saw(node->renewed, value_string_or(value_find(&tree, "spec.renewTime"), "")))
                node->seen_ns = controller_now(controller);
}

static const char *label(const struct value *labels, const char *key, const char *old_key) {
        return value_string_or(value_get(labels, key), value_string_or(value_get(labels, old_key), ""));
}

static const char *zone_of(struct arena *arena, const struct value *labels) {
        const char *region = label(labels, "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
                   *zone = label(labels, "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");

        return *region || *zone ? arena_printf(arena, "%s:%s", region, zone) : "";
}

/* The time that has gone since @created, as far as this clock goes back. */
static uint64_t made_at(const struct controller *controller, const struct value *created) {
        const char *text = value_string_or(created, "");
        uint64_t now = controller_now(controller);
        struct kube_time time;
        int64_t age;

        if (!kube_time_parse(text, strlen(text), false, &time))
                return now;
        age = controller_wall(controller) - time.seconds;
        if (age <= 0)
                return now;
        return (uint64_t)age < now / WORK_SECOND ? now - (uint64_t)age * WORK_SECOND : 0;
}

static int see_node(struct controller *controller, struct node_record *node, const struct value *tree) {
        struct node_lifecycle *l = controller_data(controller);
        const struct value *ready = value_item(value_find(tree, "status.conditions"), "type", "Ready"),
                           *labels = value_find(tree, "metadata.labels");
        const char *status = value_string_or(value_get(ready, "status"), ""), *zone = zone_of(l->scratch, labels),
                   *uid = value_string_or(value_find(tree, "metadata.uid"), "");
        uint64_t now = controller_now(controller);
        bool is_new = !node->uid || strcmp(node->uid, uid) != 0;

        if (is_new) {
                free(node->uid);
                node->uid = strdup(uid);
                node->known = false;
        }
        if (!node->uid || !zone)
                return -ENOMEM;
        if (is_new && !ready)
                node->seen_ns = made_at(controller, value_find(tree, "metadata.creationTimestamp"));
        else if (is_new || !!ready != node->has_ready)
                node->seen_ns = now;
        if (saw(node->heartbeat, value_string_or(value_get(ready, "lastHeartbeatTime"), "")) && !is_new)
                node->seen_ns = now;
        node->has_ready = ready;
        node_lifecycle_set_lost(l, node, ready && strcmp(status, "True") != 0);
        return node_zones_count(&l->zones, node, zone, !value_get(labels, EXCLUDED), strcmp(status, "True") == 0, now);
}

static int take(struct controller *controller, struct node_record *node, const struct client_object *object) {
        struct node_lifecycle *l = controller_data(controller);
        const struct client_object *lease;
        struct value tree;
        int r;

        arena_reset(l->scratch);
        r = kube_project(l->scratch, l->facts, (const char *)object->json->data, object->json->size, &tree);
        r = r ?: see_node(controller, node, &tree);
        lease = informer_find(controller_informer(controller, NODE_LEASES), LEASE_NAMESPACE, object->name);
        if (r == 0 && !*node->renewed && lease)
                see_lease(controller, node, lease);
        return r;
}

int node_lifecycle_see(struct controller *controller, const struct client_object *object,
                       struct node_record **ret_node) {
        struct node_lifecycle *l = controller_data(controller);
        bool there = informer_find(controller_informer(controller, NODE_NODES), "", object->name);
        struct node_record *node =
                there ? find_or_add(l, object->name, controller_now(controller)) : node_lifecycle_find(l, object->name);
        int r = there && node ? take(controller, node, object) : 0;

        if (there && !node)
                return -ENOMEM;
        if (r < 0)
                return r;
        if (node) {
                node->gone = !there;
                if (!there)
                        node_zones_leave(node);
        }
        *ret_node = node;
        return 0;
}

void node_lifecycle_see_lease(struct controller *controller, const struct client_object *lease) {
        struct node_record *node = node_lifecycle_find(controller_data(controller), lease->name);

        if (node && strcmp(lease->namespace, LEASE_NAMESPACE) == 0)
                see_lease(controller, node, lease);
}

/* --- start and stop --- */

int node_lifecycle_start(struct controller *controller) {
        struct node_lifecycle *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        controller_set_data(controller, l);
        l->zones.config = controller_config(controller)->nodes;
        l->kept = arena_new();
        l->scratch = arena_new();
        l->facts = l->kept ? kube_wanted_new(l->kept) : NULL;
        l->renewal = l->kept ? kube_wanted_new(l->kept) : NULL;
        if (!l->scratch || !l->facts || !l->renewal)
                return -ENOMEM;
        return kube_wanted_add(l->kept, l->facts, FACTS) ?: kube_wanted_add(l->kept, l->renewal, "spec.renewTime");
}

void node_lifecycle_stop(struct controller *controller) {
        struct node_lifecycle *l = controller_data(controller);

        if (!l)
                return;
        for (size_t i = 0; i < l->nodes.n_buckets; i++)
                while (l->nodes.buckets[i])
                        node_lifecycle_forget(l, table_object(l->nodes.buckets[i], struct node_record, in_all));
        table_clear(&l->nodes);
        node_zones_done(&l->zones);
        arena_free(l->kept);
        arena_free(l->scratch);
        free(l);
}
