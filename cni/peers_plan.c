#include "cni/peers_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cni/bridge_names.h"
#include "lib/cleanup.h"
#include "lib/sha1.h"

/* Locally administered, of one station. */
#define MAC_FIRST 0x0e

void cni_peers_mac(const char *node, uint8_t ret_mac[MAC_SIZE]) {
        uint8_t digest[SHA1_SIZE];

        sha1(node, strlen(node), digest);
        memcpy(ret_mac, digest, MAC_SIZE);
        ret_mac[0] = MAC_FIRST;
}

struct ip cni_peers_own(const struct ip_cidr *cidr) {
        struct ip base = ip_cidr_base(cidr);

        return ip_add(&base, 1);
}

static bool overlap(const struct ip_cidr *a, const struct ip_cidr *b) {
        return ip_cidr_contains(a, &b->ip) || ip_cidr_contains(b, &a->ip);
}

static const struct ip *address_of(const struct network_peer *peer, uint8_t family) {
        for (size_t i = 0; i < peer->n_addresses; i++)
                if (peer->addresses[i].family == family)
                        return &peer->addresses[i];
        return NULL;
}

/* Whether @cidr can be a node's network at all: it is not ours, and holds no node's address. */
static bool is_usable(const struct peers_host *host, const struct network_peer *peer, const struct ip_cidr *cidr) {
        if (cidr->prefix < (cidr->ip.family == AF_INET ? PEERS_PREFIX4_MIN : PEERS_PREFIX6_MIN))
                return false;
        for (size_t i = 0; i < host->n_pod_cidrs; i++)
                if (overlap(cidr, &host->pod_cidrs[i]))
                        return false;
        for (size_t i = 0; i < peer->n_addresses; i++)
                if (ip_cidr_contains(cidr, &peer->addresses[i]))
                        return false;
        return true;
}

/* How a peer's addresses are reached. */
struct reach {
        struct {
                bool found;
                struct route_way way;
        } by[2]; /* IPv4, IPv6 */
        uint8_t carrier;
};

static bool look(const struct network_peer *peer, const struct peers_finder *finder, struct reach *reach) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };

        *reach = (struct reach){ 0 };
        for (size_t i = 0; i < ELEMENTS(families); i++) {
                const struct ip *address = address_of(peer, families[i]);

                if (!address || finder->find(finder->data, address, &reach->by[i].way) < 0)
                        continue;
                if (reach->by[i].way.local) /* another agent of this host */
                        return false;
                reach->by[i].found = true;
                if (!reach->carrier)
                        reach->carrier = families[i];
        }
        return reach->carrier;
}

/* The peer's @cidr by @reach. */
static struct peers_route route_to(const struct peers_host *host, const struct network_peer *peer,
                                   const struct ip_cidr *cidr, const struct reach *reach) {
        uint8_t family = cidr->ip.family;
        const struct route_way *way = &reach->by[family == AF_INET6].way;
        struct peers_route made = { .route = { .to = { ip_cidr_base(cidr), cidr->prefix },
                                               .metric = cni_bridge_group(host->bridge) } };

        if (reach->by[family == AF_INET6].found && way->on_link) {
                made.route.via = *address_of(peer, family);
                made.route.index = way->index;
                return made;
        }
        made.carrier = reach->carrier;
        made.route.via = made.route.to.ip;
        for (size_t i = 0; i < host->n_pod_cidrs; i++)
                if (host->pod_cidrs[i].ip.family == family)
                        made.route.source = cni_peers_own(&host->pod_cidrs[i]);
        return made;
}

static void plan_end(struct peers_plan *plan, const struct network_peer *peer, const struct reach *reach,
                     const struct peers_route *route) {
        struct peers_end *end = plan->n_ends > 0 ? &plan->ends[plan->n_ends - 1] : NULL;
        uint8_t mac[MAC_SIZE];

        cni_peers_mac(peer->name, mac);
        if (!end || memcmp(end->end.mac, mac, MAC_SIZE) != 0) {
                end = &plan->ends[plan->n_ends++];
                *end = (struct peers_end){ .carrier = route->carrier,
                                           .end.carrier = *address_of(peer, reach->carrier) };
                memcpy(end->end.mac, mac, MAC_SIZE);
        }
        end->end.ip[route->route.to.ip.family == AF_INET6] = route->route.via;
}

static void lower_mtu(struct peers_plan *plan, const struct reach *reach, const struct peers_finder *finder) {
        bool six = reach->carrier == AF_INET6;
        uint32_t mtu = finder->mtu(finder->data, reach->by[six].way.index);
        uint32_t overhead = six ? PEERS_OVERHEAD6 : PEERS_OVERHEAD4;

        mtu = mtu > overhead + 1280 ? mtu - overhead : 1280; /* what IPv6 needs */
        if (plan->mtu[six] == 0 || mtu < plan->mtu[six])
                plan->mtu[six] = mtu;
}

/* A node on the same link is reached by its address with a pod's own; by a gateway the answer would not come back. */
static void plan_addresses(struct peers_plan *plan, const struct network_peer *peer, const struct reach *reach) {
        for (size_t i = 0; i < ELEMENTS(reach->by); i++) {
                const struct ip *address = address_of(peer, i == 0 ? AF_INET : AF_INET6);

                if (reach->by[i].found && reach->by[i].way.on_link)
                        plan->inside.cidrs[plan->inside.n++] =
                                (struct ip_cidr){ *address, (uint8_t)(ip_size(address->family) * 8) };
        }
}

static void plan_peer(struct peers_plan *plan, const struct peers_host *host, const struct network_peer *peer,
                      const struct peers_finder *finder) {
        struct reach reach;

        if (!look(peer, finder, &reach))
                return;
        plan_addresses(plan, peer, &reach);
        for (size_t i = 0; i < peer->n_cidrs; i++) {
                struct peers_route made;

                if (!is_usable(host, peer, &peer->cidrs[i]))
                        continue;
                made = route_to(host, peer, &peer->cidrs[i], &reach);
                plan->routes[plan->n_routes++] = made;
                plan->inside.cidrs[plan->inside.n++] = made.route.to;
                if (!made.carrier)
                        continue;
                plan_end(plan, peer, &reach, &made);
                lower_mtu(plan, &reach, finder);
        }
}

static int compare(const void *a, const void *b) {
        const struct route *one = &((const struct peers_route *)a)->route,
                           *other = &((const struct peers_route *)b)->route;
        int order = one->to.ip.family - other->to.ip.family;

        order = order ?: memcmp(one->to.ip.bytes, other->to.ip.bytes, sizeof(one->to.ip.bytes));
        return order ?: one->to.prefix - other->to.prefix;
}

/* In order; of networks that overlap the first stays. */
static void settle(struct peers_plan *plan) {
        size_t kept = 0;

        qsort(plan->routes, plan->n_routes, sizeof(*plan->routes), compare);
        for (size_t i = 0; i < plan->n_routes; i++)
                if (kept == 0 || !overlap(&plan->routes[kept - 1].route.to, &plan->routes[i].route.to))
                        plan->routes[kept++] = plan->routes[i];
        plan->n_routes = kept;
}

int cni_peers_plan(const struct peers_host *host, const struct network_cluster *cluster,
                   const struct peers_finder *finder, struct peers_plan *ret_plan) {
        size_t n = cluster->n_peers;
        struct peers_plan plan = { .routes = calloc(2 * n + 1, sizeof(*plan.routes)),
                                   .ends = calloc(n + 1, sizeof(*plan.ends)),
                                   .inside.cidrs = calloc(4 * n + 1, sizeof(*plan.inside.cidrs)) };

        if (!plan.routes || !plan.ends || !plan.inside.cidrs) {
                cni_peers_plan_done(&plan);
                return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++)
                plan_peer(&plan, host, &cluster->peers[i], finder);
        settle(&plan);
        *ret_plan = plan;
        return 0;
}

void cni_peers_plan_done(struct peers_plan *plan) {
        free(plan->routes);
        free(plan->ends);
        cni_peers_inside_done(&plan->inside);
        *plan = (struct peers_plan){ 0 };
}
