/* Each node gets blocks of pods' addresses: spec.podCIDRs, one of each range. What is held follows from the nodes that
 * there are and from what is on its way to them, so that a block is never with two, whoever is restarted when. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/node_cidrs.h"
#include "api/controllers/node_config.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/table.h"
#include "lib/value.h"

#define NODES 0       /* the watch */
#define BLOCKS_MAX 16 /* of a node that are looked at; this gives it NODE_RANGES_MAX */

struct holder {
        struct table_node in_all;
        struct list_node in_waiting; /* for blocks that are free */
        bool written;                /* the node says them itself: else they are on their way */
        unsigned n;
        struct ip_cidr blocks[BLOCKS_MAX];
        char name[];
};

LIST_DEFINE(holders, struct holder, in_waiting)

struct ipam {
        struct node_cidrs sets[NODE_RANGES_MAX];
        unsigned n_sets;
        struct table all;
        struct holders waiting;
        unsigned n_all;
        struct arena *kept, *scratch;
        struct kube_wanted *wanted;
};

static struct holder *find(const struct ipam *ipam, const char *name) {
        return table_object(table_find(&ipam->all, name), struct holder, in_all);
}

static struct holder *find_or_add(struct ipam *ipam, const char *name) {
        struct holder *holder = find(ipam, name);
        size_t size = strlen(name) + 1;

        if (holder)
                return holder;
        holder = calloc(1, sizeof(*holder) + size);
        if (!holder)
                return NULL;
        memcpy(holder->name, name, size);
        if (table_add(&ipam->all, &holder->in_all, holder->name) == 0)
                return holder;
        free(holder);
        return NULL;
}

/* --- what is held --- */

static void hold(struct ipam *ipam, const struct ip_cidr *block) {
        for (unsigned i = 0; i < ipam->n_sets; i++)
                node_cidrs_hold(&ipam->sets[i], block);
}

static void release(struct controller *controller, struct holder *holder) {
        struct ipam *ipam = controller_data(controller);
        struct holder *waiting;

        for (unsigned b = 0; b < holder->n; b++)
                for (unsigned i = 0; i < ipam->n_sets; i++)
                        node_cidrs_release(&ipam->sets[i], &holder->blocks[b]);
        while (holder->n > 0 && (waiting = holders_pop(&ipam->waiting)))
                controller_add(controller, waiting->name);
        holder->n = 0;
}

static void forget(struct controller *controller, struct holder *holder) {
        struct ipam *ipam = controller_data(controller);

        if (!holder)
                return;
        if (holders_contains(holder))
                holders_remove(holder);
        release(controller, holder);
        table_remove(&ipam->all, &holder->in_all);
        free(holder);
}

/* What the node says of itself counts, whoever wrote it. */
static void take_over(struct controller *controller, struct holder *holder, const struct value *cidrs) {
        struct ip_cidr blocks[BLOCKS_MAX];
        bool same = true;
        unsigned n = 0;

        for (uint32_t i = 0; i < value_count(cidrs) && n < BLOCKS_MAX; i++)
                if (ip_cidr_parse(value_string_or(value_at(cidrs, i), ""), &blocks[n], NULL) == 0) {
                        same = same && n < holder->n && blocks[n].prefix == holder->blocks[n].prefix &&
                               ip_equal(&blocks[n].ip, &holder->blocks[n].ip);
                        n++;
                }
        holder->written = true;
        if (same && n == holder->n)
                return;
        release(controller, holder);
        for (; holder->n < n; holder->n++) {
                holder->blocks[holder->n] = blocks[holder->n];
                hold(controller_data(controller), &blocks[holder->n]);
        }
}

static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        struct ipam *ipam = controller_data(controller);
        const struct value *cidrs;
        struct holder *holder;
        struct value node;

        if (!informer_find(controller_informer(controller, NODES), "", object->name))
                return forget(controller, find(ipam, object->name));
        holder = find_or_add(ipam, object->name);
        arena_reset(ipam->scratch);
        if (!holder ||
            kube_project(ipam->scratch, ipam->wanted, (const char *)object->json->data, object->json->size, &node) < 0)
                return log_error("node %s: its addresses for pods cannot be told", object->name);
        cidrs = value_find(&node, "spec.podCIDRs");
        if (value_count(cidrs) > 0)
                take_over(controller, holder, cidrs);
        else {
                if (holder->written) /* another node of this name */
                        release(controller, holder);
                holder->written = false;
                controller_add(controller, object->name);
        }
}

/* --- what is given --- */

/* One block of each range, or none. */
static bool reserve(struct controller *controller, struct holder *holder) {
        struct ipam *ipam = controller_data(controller);

        for (unsigned i = 0; i < ipam->n_sets; i++) {
                if (!node_cidrs_take(&ipam->sets[i], &holder->blocks[i])) {
                        for (unsigned j = 0; j < i; j++)
                                node_cidrs_release(&ipam->sets[j], &holder->blocks[j]);
                        return false;
                }
        }
        holder->n = ipam->n_sets;
        return true;
}

static void tell_none(struct task *task, const struct client_object *object, const char *uid) {
        const struct recorder_object about = { "v1", "Node", "", object->name, uid };
        const char *message = arena_printf(task_arena(task), "Node %s status is now: CIDRNotAvailable", object->name);

        controller_tell(task_controller(task), &about,
                        &(struct recorder_note){ "Normal", "CIDRNotAvailable", message ?: "" });
}

static int send_blocks(struct task *task, const struct holder *holder, const char *uid) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *body = NULL;
        char text[IP_CIDR_TEXT_MAX];
        size_t length;

        json_begin_map(&w);
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string_if(&w, "uid", uid);
        json_end_map(&w);
        json_key(&w, "spec");
        json_begin_map(&w);
        json_add_string(&w, "podCIDR", ip_cidr_format(&holder->blocks[0], text));
        json_key(&w, "podCIDRs");
        json_begin_list(&w);
        for (unsigned i = 0; i < holder->n; i++)
                json_string(&w, ip_cidr_format(&holder->blocks[i], text));
        json_end_list(&w);
        json_end_map(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &body, &length) < 0)
                return -ENOMEM;
        task_send(task,
                  &(struct client_request){ .verb = KUBE_VERB_PATCH,
                                            .kind = informer_kind(controller_informer(task_controller(task), NODES)),
                                            .name = task_name(task),
                                            .body = body,
                                            .length = length,
                                            .patch = CLIENT_PATCH_MERGE },
                  TASK_GONE_IS_FINE, NULL, NULL);
        return 0;
}

/* A block that is on its way stays the node's, however often it takes. */
static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        struct ipam *ipam = controller_data(c);
        const struct client_object *object = informer_find(controller_informer(c, NODES), "", task_name(task));
        struct holder *holder = find(ipam, task_name(task));
        struct value node;
        const char *uid;
        int r;

        if (!object || !holder || holder->written || ipam->n_sets == 0)
                return 0;
        r = kube_project(task_arena(task), ipam->wanted, (const char *)object->json->data, object->json->size, &node);
        if (r < 0)
                return r;
        uid = value_string_or(value_find(&node, "metadata.uid"), "");
        if (holder->n == 0 && !reserve(c, holder)) {
                tell_none(task, object, uid);
                if (!holders_contains(holder))
                        holders_append(&ipam->waiting, holder);
                return 0;
        }
        return send_blocks(task, holder, uid);
}

/* --- start and stop --- */

static int start(struct controller *controller) {
        const struct node_config *config = controller_config(controller)->nodes;
        struct ipam *ipam = calloc(1, sizeof(*ipam));
        int r = 0;

        if (!ipam)
                return -ENOMEM;
        controller_set_data(controller, ipam);
        for (; r == 0 && ipam->n_sets < config->n_ranges; ipam->n_sets++) {
                const struct node_range *range = &config->ranges[ipam->n_sets];

                r = node_cidrs_init(&ipam->sets[ipam->n_sets], &range->range, range->prefix);
        }
        for (unsigned i = 0; r == 0 && i < config->n_services; i++)
                hold(ipam, &config->services[i]);
        ipam->kept = arena_new();
        ipam->scratch = arena_new();
        ipam->wanted = ipam->kept ? kube_wanted_new(ipam->kept) : NULL;
        if (r < 0 || !ipam->scratch || !ipam->wanted)
                return -ENOMEM;
        return kube_wanted_add(ipam->kept, ipam->wanted, "metadata.uid spec.podCIDRs");
}

static void forget_all(struct table *all) {
        for (size_t i = 0; i < all->n_buckets; i++)
                while (all->buckets[i]) {
                        struct holder *holder = table_object(all->buckets[i], struct holder, in_all);

                        table_remove(all, &holder->in_all);
                        free(holder);
                }
        table_clear(all);
}

static void stop(struct controller *controller) {
        struct ipam *ipam = controller_data(controller);

        if (!ipam)
                return;
        forget_all(&ipam->all);
        for (unsigned i = 0; i < ipam->n_sets; i++)
                node_cidrs_done(&ipam->sets[i]);
        arena_free(ipam->kept);
        arena_free(ipam->scratch);
        free(ipam);
}

const struct controller_kind controller_node_ipam = {
        .name = "node-ipam-controller",
        .alias = "nodeipam",
        .component = "cidrAllocator",
        .account = "node-controller",
        .watches = { { "", "nodes", NULL, on_node, false, false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
