/* What pods take of nodes: resources and host ports; and images that are there already. */
#include <errno.h>
#include <string.h>

#include "api/scheduler/plugin.h"
#include "lib/arena.h"

#define MIB (INT64_C(1) << 20)

/* --- host ports --- */

static int prepare_ports(struct sched_cycle *c) {
        return c->pod->needs.n_ports > 0 ? SCHED_FITS : SCHED_SKIPS;
}

static bool ports_fit(const struct sched_pod *pod, const struct sched_node *node) {
        for (uint32_t i = 0; i < pod->needs.n_ports; i++)
                for (uint32_t n = 0; n < node->n_ports; n++)
                        if (sched_port_collides(&pod->needs.ports[i], &node->ports[n]))
                                return false;
        return true;
}

static enum sched_verdict filter_ports(struct sched_cycle *c, const struct sched_node *node) {
        if (ports_fit(c->pod, node))
                return SCHED_FITS;
        return sched_refuse(c, SCHED_UNSCHEDULABLE, "node(s) didn't have free ports for the requested pod ports");
}

static bool free_ports_help(const struct sched_pod *pod, const struct sched_change *change) {
        return !change->node || ports_fit(pod, change->node);
}

const struct sched_plugin sched_node_ports = {
        .name = "NodePorts",
        .prepare = prepare_ports,
        .filter = filter_ports,
        .events = SCHED_NODE_ADDED | SCHED_POD_GONE,
        .helps = free_ports_help,
};

/* --- resources --- */

static const char *const lacking[SCHED_AMOUNTS] = { "Insufficient cpu", "Insufficient memory",
                                                    "Insufficient ephemeral-storage" };

/* @c NULL: nobody is told why. */
static void add_lack(struct sched_cycle *c, const char *text, bool for_good, enum sched_verdict *verdict) {
        if (c)
                sched_reasons_add(&c->reasons, text, 1);
        if (*verdict != SCHED_UNRESOLVABLE)
                *verdict = for_good ? SCHED_UNRESOLVABLE : SCHED_UNSCHEDULABLE;
}

static enum sched_verdict compare(struct sched_cycle *c, const struct sched_pod *pod, const struct sched_node *node) {
        const struct sched_needs *needs = &pod->needs;
        enum sched_verdict verdict = SCHED_FITS;

        if (node->n_pods + 1 > node->pods_max)
                add_lack(c, "Too many pods", false, &verdict);
        for (unsigned i = 0; i < SCHED_AMOUNTS; i++)
                if (needs->amounts[i] > 0 && needs->amounts[i] > node->allocatable[i] - node->requested[i])
                        add_lack(c, lacking[i], needs->amounts[i] > node->allocatable[i], &verdict);
        for (uint32_t i = 0; i < needs->n_scalars; i++) {
                const struct sched_stock *stock = sched_node_stock(node, needs->scalars[i].name);
                int64_t there = stock ? stock->allocatable : 0, taken = stock ? stock->requested : 0;

                if (needs->scalars[i].amount > there - taken)
                        add_lack(c, needs->scalars[i].lacking, needs->scalars[i].amount > there, &verdict);
        }
        return verdict;
}

static enum sched_verdict filter_resources(struct sched_cycle *c, const struct sched_node *node) {
        return compare(c, c->pod, node);
}

static bool resources_fit(const struct sched_pod *pod, const struct sched_node *node) {
        return compare(NULL, pod, node) == SCHED_FITS;
}

/* The emptier the better: the mean of what is left of each, in hundredths. */
static int64_t score_resources(const struct sched_cycle *c, const struct sched_node *node) {
        int64_t sum = 0, n = 0;

        for (unsigned i = 0; i < SCHED_SCORED; i++) {
                int64_t all = node->allocatable[i], taken = node->scored[i] + c->pod->needs.scored[i];

                if (all == 0)
                        continue;
                sum += taken > all ? 0 : (int64_t)((__int128)(all - taken) * 100 / all);
                n++;
        }
        return n == 0 ? 0 : sum / n;
}

static bool room_helps(const struct sched_pod *pod, const struct sched_change *change) {
        return !change->node || resources_fit(pod, change->node);
}

const struct sched_plugin sched_resources = {
        .name = "NodeResourcesFit",
        .weight = 1,
        .filter = filter_resources,
        .score = score_resources,
        .events = SCHED_NODE_ADDED | SCHED_NODE_ALLOCATABLE | SCHED_POD_GONE | SCHED_POD_LESS,
        .helps = room_helps,
};

/* --- balance --- */

static int weigh_balance(struct sched_cycle *c) {
        return c->pod->needs.says_nothing ? SCHED_SKIPS : SCHED_FITS;
}

/* 100 where as much of the one is taken as of the other, 50 where all of one and nothing of the other is. */
static int64_t balance_of(const struct sched_node *node, const int64_t more[SCHED_AMOUNTS]) {
        double parts[SCHED_SCORED], difference = 0;
        unsigned n = 0;

        for (unsigned i = 0; i < SCHED_SCORED; i++) {
                double part;

                if (node->allocatable[i] == 0)
                        continue;
                part = (double)(node->requested[i] + more[i]) / (double)node->allocatable[i];
                parts[n++] = part > 1 ? 1 : part;
        }
        if (n == 2)
                difference = parts[0] > parts[1] ? parts[0] - parts[1] : parts[1] - parts[0];
        return (int64_t)((1 - difference / 2) * 100);
}

/* How much better it becomes: 75 where it stays. */
static int64_t score_balance(const struct sched_cycle *c, const struct sched_node *node) {
        static const int64_t nothing[SCHED_AMOUNTS];

        return 50 + (50 + balance_of(node, c->pod->needs.amounts) - balance_of(node, nothing)) / 2;
}

const struct sched_plugin sched_balanced = {
        .name = "NodeResourcesBalancedAllocation",
        .weight = 1,
        .weigh = weigh_balance,
        .score = score_balance,
};

/* --- images --- */

/* "NAME:latest" where it has no tag. */
static const struct sched_image *find_image(const struct sched_cycle *c, const char *name) {
        const char *colon = strrchr(name, ':'), *slash = strrchr(name, '/');

        if (!colon || (slash && colon < slash))
                name = arena_printf(c->arena, "%s:latest", name);
        return name ? sched_cluster_image(c->cluster, name) : NULL;
}

/* What many nodes have counts more: who needs it should not all go where it is. */
static void add_image(struct sched_cycle *c, const char *name) {
        const struct sched_image *image = name && *name ? find_image(c, name) : NULL;

        for (uint32_t i = 0; image && i < image->n; i++) {
                double part = (double)image->n / (double)c->cluster->n_order;

                c->image_scores[image->holders[i].node->at] += (int64_t)((double)image->holders[i].size * part);
        }
}

static int weigh_images(struct sched_cycle *c) {
        const struct kube_pod_spec *spec = &c->pod->whole->spec;

        if (c->cluster->images.n == 0)
                return SCHED_SKIPS;
        c->image_scores = arena_alloc_array(c->arena, (size_t)c->cluster->n_order + 1, sizeof(*c->image_scores));
        if (!c->image_scores)
                return -ENOMEM;
        list_for_each (container, &spec->init_containers)
                add_image(c, container->image);
        list_for_each (container, &spec->containers)
                add_image(c, container->image);
        list_for_each (volume, &spec->volumes)
                if (volume->image)
                        add_image(c, volume->image->reference);
        return SCHED_FITS;
}

static int64_t score_images(const struct sched_cycle *c, const struct sched_node *node) {
        const struct kube_pod_spec *spec = &c->pod->whole->spec;
        int64_t least = 23 * MIB, most = 1000 * MIB * (spec->containers.count + spec->init_containers.count),
                sum = c->image_scores[node->at];

        sum = sum < least ? least : sum > most ? most : sum;
        return most == least ? 0 : 100 * (sum - least) / (most - least);
}

const struct sched_plugin sched_image_locality = {
        .name = "ImageLocality",
        .weight = 1,
        .weigh = weigh_images,
        .score = score_images,
};
