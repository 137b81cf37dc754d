/* The nodes of the cluster: which network each has for its pods and where it is reached; this node's own among them. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "services/internal.h"

#define OF_NODES(handler) ((struct services *)((char *)(handler)-offsetof(struct services, nodes.heard)))

static struct node *find(struct nodes *nodes, const char *name) {
        return table_object(table_find(&nodes->by_name, name), struct node, by_name);
}

struct node *nodes_add(struct services *s, const char *name) {
        struct nodes *nodes = &s->nodes;
        size_t n = strlen(name) + 1;
        struct node *node;

        if (nodes->by_name.n >= SERVICES_NODES_MAX || !(node = calloc(1, sizeof(*node) + n)))
                return NULL;
        memcpy(node->name, name, n);
        if (table_add(&nodes->by_name, &node->by_name, node->name) < 0) {
                free(node);
                return NULL;
        }
        nodes_all_append(&nodes->all, node);
        return node;
}

static void forget(struct nodes *nodes, struct node *node) {
        table_remove(&nodes->by_name, &node->by_name);
        nodes_all_remove(node);
        free(node);
}

/* -- what the cluster says --------------------------------------------------------------------------------- */

static bool same(const struct node *a, const struct node *b) {
        return a->n_cidrs == b->n_cidrs && a->n_addresses == b->n_addresses &&
               memcmp(a->cidrs, b->cidrs, sizeof(a->cidrs)) == 0 &&
               memcmp(a->addresses, b->addresses, sizeof(a->addresses)) == 0;
}

static void take(struct node *node, const struct node *read) {
        memcpy(node->cidrs, read->cidrs, sizeof(node->cidrs));
        memcpy(node->addresses, read->addresses, sizeof(node->addresses));
        node->n_cidrs = read->n_cidrs;
        node->n_addresses = read->n_addresses;
}

/* Of this node only its pod CIDRs count. A Node without any, made anew perhaps, leaves those that there are. */
static void take_own(struct services *s, const struct node *read) {
        struct services_cidrs *own = &s->nodes.own;

        if (read->n_cidrs == 0 ||
            (own->n == read->n_cidrs && memcmp(own->items, read->cidrs, own->n * sizeof(own->items[0])) == 0))
                return;
        if (s->config.fixed) {
                if (!s->nodes.warned)
                        log_warning(
                                "network: --pod-cidr is another than the cluster gives this node (spec.podCIDRs of its "
                                "Node), which is where other nodes look for its pods: leave the flag out");
                s->nodes.warned = true;
                return;
        }
        if (own->n > 0)
                log_warning(
                        "network: the cluster gives this node other pod CIDRs than it had: pods that run keep their "
                        "addresses, which other nodes do not reach any more");
        own->n = read->n_cidrs;
        memcpy(own->items, read->cidrs, sizeof(own->items));
        nodes_later(s, 0);
        balance_renew(s);
}

/* That somebody has removed our rules (`nft flush ruleset`, which Debian's nftables.service begins with) the kernel
 * tells only to who hears of each change of each set, which may be gigabytes at a time. So it is looked whenever the
 * cluster has a word of this node: its own status is one, every five minutes. */
static void look_again(struct services *s) {
        nodes_later(s, SERVICES_GATHER_MS);
        balance_look(s);
}

static void on_node(struct informer_handler *handler, enum client_change change, struct client_object *object,
                    struct client_object *old) {
        struct services *s = OF_NODES(handler);
        struct node *node = find(&s->nodes, object->name), read = { 0 };
        int r = change == CLIENT_DELETED ? 0 : read_node(object, &read);

        if (r < 0) {
                log_error("node %s of the API service cannot be read", object->name);
                if (node)
                        node->listed = true;
                return;
        }
        if (strcmp(object->name, s->config.node) == 0) {
                take_own(s, &read);
                look_again(s);
                return;
        }
        if (change == CLIENT_DELETED) {
                if (node)
                        forget(&s->nodes, node);
                return nodes_later(s, SERVICES_GATHER_MS);
        }
        if (!node && !(node = nodes_add(s, object->name))) {
                log_error("node %s of the API service is passed over: too many of them, or out of memory",
                          object->name);
                return;
        }
        node->listed = true;
        if (same(node, &read))
                return;
        take(node, &read);
        nodes_later(s, SERVICES_GATHER_MS);
}

static void on_begin(struct informer_handler *handler) {
        LIST_EACH (nodes_all, node, &OF_NODES(handler)->nodes.all)
                node->listed = false;
}

static void on_end(struct informer_handler *handler) {
        struct services *s = OF_NODES(handler);

        LIST_EACH (nodes_all, node, &s->nodes.all)
                if (!node->listed)
                        forget(&s->nodes, node);
        nodes_later(s, 0);
}

static void on_synced(void *data) {
        ((struct services *)data)->nodes.synced = true;
}

/* -- the kernel is brought to it --------------------------------------------------------------------------- */

/* What could not be kept is tried again with the next change. */
static void work(void *data) {
        struct services *s = data;
        struct nodes *nodes = &s->nodes;
        struct err **failure = &nodes->failure;

        if (nodes->wanted.n > 0)
                network_set_cidrs(s->config.network, nodes->wanted.items, nodes->wanted.n, &nodes->unready);
        if (!nodes->unready)
                network_status(s->config.network, &nodes->unready);
        network_set_peers(s->config.network, &nodes->cluster, failure);
        if (nodes->keeps)
                stored_write(s->config.directory, nodes->kept, *failure ? NULL : failure);
}

/* A node that has no network, or no address, has no pods that could be reached. */
static int copy_nodes(struct services *s) {
        struct nodes *nodes = &s->nodes;
        struct network_peer *peers;
        size_t n = 0;

        nodes->arena = arena_free(nodes->arena);
        if (!(nodes->arena = arena_new()) ||
            !(peers = arena_alloc_array(nodes->arena, nodes->by_name.n + 1, sizeof(*peers))))
                return -ENOMEM;
        LIST_EACH (nodes_all, node, &nodes->all) {
                struct network_peer *peer = &peers[n];

                if (node->n_cidrs == 0 || node->n_addresses == 0)
                        continue;
                *peer = (struct network_peer){ .name = arena_strdup(nodes->arena, node->name),
                                               .n_cidrs = node->n_cidrs,
                                               .n_addresses = node->n_addresses };
                if (!peer->name)
                        return -ENOMEM;
                memcpy(peer->cidrs, node->cidrs, sizeof(peer->cidrs));
                memcpy(peer->addresses, node->addresses, sizeof(peer->addresses));
                n++;
        }
        nodes->cluster = (struct network_cluster){ .node = s->config.node, .peers = peers, .n_peers = n };
        return 0;
}

/* Only what the cluster has said is worth keeping, and only where it is another than what was kept. */
static void keep(struct services *s) {
        struct nodes *nodes = &s->nodes;
        const struct services_cidrs none = { 0 };
        char *text;

        if (!nodes->synced)
                return;
        text = stored_text(s->config.fixed ? &none : &nodes->wanted, &nodes->cluster);
        nodes->keeps = text && (!nodes->kept || strcmp(text, nodes->kept) != 0);
        if (!nodes->keeps) {
                free(text);
                return;
        }
        free(nodes->kept);
        nodes->kept = text;
}

static void turn(struct services *s) {
        struct nodes *nodes = &s->nodes;

        if (services_job_runs(nodes->job)) {
                nodes->changed = true;
                return;
        }
        nodes->changed = false;
        nodes->wanted = nodes->own;
        if (copy_nodes(s) < 0)
                return nodes_later(s, SERVICES_RETRY_MS);
        keep(s);
        services_job_run(nodes->job);
}

static void on_timer(uv_timer_t *timer) {
        turn(timer->data);
}

void nodes_later(struct services *s, unsigned ms) {
        uv_timer_t *timer = s->nodes.timer;

        if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > ms)
                uv_timer_start(timer, on_timer, ms, 0);
}

static void tell_failure(struct nodes *nodes) {
        const char *text = nodes->failure ? err_text(nodes->failure) : "";

        if (strcmp(nodes->said, text) == 0)
                return;
        snprintf(nodes->said, sizeof(nodes->said), "%s", text);
        if (*text)
                log_error("network: other nodes' pods: %s; trying again every %d s", text, SERVICES_RETRY_MS / 1000);
        else
                log_info("network: other nodes' pods are reached again");
}

static void tell_ready(struct services *s) {
        struct nodes *nodes = &s->nodes;
        const char *text =
                !nodes->unready      ? "" :
                nodes->wanted.n == 0 ? "the cluster has given this node no pod CIDR yet (spec.podCIDR of its Node)" :
                                       err_text(nodes->unready);

        if (strcmp(nodes->why, text) == 0)
                return;
        snprintf(nodes->why, sizeof(nodes->why), "%s", text);
        if (*text)
                log_warning("network: not ready: %s", text);
        s->config.ready_changed(s->config.data);
}

static void on_done(void *data) {
        struct services *s = data;
        struct nodes *nodes = &s->nodes;

        tell_failure(nodes);
        tell_ready(s);
        if (nodes->changed)
                nodes_later(s, 0);
        else if (nodes->failure || nodes->unready)
                nodes_later(s, SERVICES_RETRY_MS);
        nodes->failure = err_free(nodes->failure);
        nodes->unready = err_free(nodes->unready);
}

/* -- from its beginning to its end ------------------------------------------------------------------------- */

int nodes_init(struct services *s, const struct services_cidrs *own) {
        struct nodes *nodes = &s->nodes;

        nodes->own = *own;
        /* Until it is known that they can, pods without CIDRs cannot be attached. */
        if (own->n == 0)
                snprintf(nodes->why, sizeof(nodes->why), "it is not known yet");
        nodes->timer = handle_timer(s->config.loop, s);
        nodes->job = services_job_new(s->config.pool, work, on_done, s);
        return nodes->timer && nodes->job ? stored_read(s) : -ENOMEM;
}

int nodes_start(struct services *s) {
        struct nodes *nodes = &s->nodes;
        struct informer *informer;

        nodes->heard = (struct informer_handler){ .changed = on_node, .list_begins = on_begin, .list_ends = on_end };
        nodes->informers = informers_new(s->config.client, on_synced, s);
        informer = nodes->informers ? informers_get(nodes->informers, &services_nodes, NULL, false) : NULL;
        if (!informer)
                return -ENOMEM;
        informer_add(informer, &nodes->heard);
        nodes_later(s, 0);
        return informers_start(nodes->informers);
}

void nodes_done(struct services *s) {
        struct nodes *nodes = &s->nodes;
        struct node *node;

        informers_free(nodes->informers);
        nodes->informers = NULL;
        services_job_free(nodes->job);
        nodes->job = NULL;
        handle_free(nodes->timer);
        nodes->timer = NULL;
        while ((node = nodes_all_first(&nodes->all)))
                forget(nodes, node);
        table_clear(&nodes->by_name);
        nodes->arena = arena_free(nodes->arena);
        err_free(nodes->failure);
        err_free(nodes->unready);
        free(nodes->kept);
}
