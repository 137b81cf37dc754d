#include "cni/peers.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/bridge_names.h"
#include "cni/link.h"
#include "cni/peers_plan.h"
#include "cni/sysctl.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

#define NO_DEVICE (-ENODEV)

static const uint8_t carriers[] = { AF_INET, AF_INET6 };

void cni_peers_inside_done(struct peers_inside *inside) {
        free(inside->cidrs);
        *inside = (struct peers_inside){ 0 };
}

void cni_peers_device(const char *bridge, uint8_t family, char ret_name[IFNAMSIZ]) {
        /* "nt", 4 characters of the bridge, and the family. */
        cni_bridge_device_name(bridge, family == AF_INET ? "tunnel4" : "tunnel6", BRIDGE_TUNNEL, ret_name);
}

/* -- how nodes are reached --------------------------------------------------------------------------------- */

static int find_way(void *data, const struct ip *to, struct route_way *ret_way) {
        return cni_route_find(data, to, ret_way);
}

static uint32_t mtu_of(void *data, int index) {
        char name[IFNAMSIZ];
        struct link link;

        return if_indextoname((unsigned)index, name) && cni_link_get(data, name, &link, NULL) == 0 ? link.mtu : 0;
}

/* -- the tunnels' devices ---------------------------------------------------------------------------------- */

struct work {
        const struct peers_host *host;
        const struct network_cluster *cluster;
        struct peers_plan plan;
        struct netlink *netlink;
        int devices[2]; /* index, or NO_DEVICE */
};

static void fill_vxlan(const struct work *w, size_t i, const char *name, struct vxlan *ret) {
        *ret = (struct vxlan){
                .name = name, .family = carriers[i], .id = PEERS_ID, .port = PEERS_PORT, .mtu = w->plan.mtu[i]
        };
        cni_peers_mac(w->cluster->node, ret->mac);
}

/* No addresses of its own making, and none that are looked for; those of the bridge, for what the node itself sends. */
static void put_settings(struct work *w, size_t i, const char *name) {
        char path[96];

        snprintf(path, sizeof(path), "net/ipv6/conf/%s/addr_gen_mode", name);
        cni_sysctl_set(path, "1", NULL);
        cni_link_put_up(w->netlink, w->devices[i]);
        for (size_t k = 0; k < w->host->n_pod_cidrs; k++) {
                struct ip_cidr own = { .ip = cni_peers_own(&w->host->pod_cidrs[k]) };

                own.prefix = (uint8_t)(ip_size(own.ip.family) * 8);
                cni_link_put_address(w->netlink, w->devices[i], &own);
        }
}

/* Makes the device where something is carried, and takes it away where nothing is. */
static int set_device(struct work *w, size_t i, struct err **err) {
        char name[IFNAMSIZ];
        struct vxlan vxlan;
        struct link link;
        int r;

        cni_peers_device(w->host->bridge, carriers[i], name);
        fill_vxlan(w, i, name, &vxlan);
        w->devices[i] = cni_link_index(w->netlink, name);
        if (w->plan.mtu[i] == 0) {
                if (w->devices[i] >= 0)
                        cni_link_put_delete(w->netlink, name);
                w->devices[i] = NO_DEVICE;
                return cni_netlink_run(w->netlink, err);
        }
        if (w->devices[i] < 0) {
                cni_link_put_vxlan(w->netlink, &vxlan);
                r = cni_netlink_run(w->netlink, err);
                if (r < 0)
                        return err_wrap(err, r, "tunnel %s", name);
                w->devices[i] = cni_link_index(w->netlink, name);
                put_settings(w, i, name);
        } else if ((r = cni_link_get(w->netlink, name, &link, err)) < 0)
                return r;
        else if (link.mtu != vxlan.mtu)
                cni_link_put_mtu(w->netlink, w->devices[i], vxlan.mtu);
        r = cni_netlink_run(w->netlink, err);
        return r < 0 ? err_wrap(err, r, "tunnel %s", name) : 0;
}

/* Where a device could not be made nothing goes by it. */
static int set_devices(struct work *w, struct err **err) {
        int result = 0;

        for (size_t i = 0; i < ELEMENTS(carriers); i++) {
                int r = set_device(w, i, result < 0 ? NULL : err);

                if (r < 0)
                        w->devices[i] = NO_DEVICE;
                result = result < 0 ? result : r;
        }
        for (size_t i = 0; i < w->plan.n_routes; i++)
                if (w->plan.routes[i].carrier)
                        w->plan.routes[i].route.index = w->devices[w->plan.routes[i].carrier == AF_INET6];
        for (size_t i = 0; i < w->plan.n_ends; i++)
                w->plan.ends[i].end.index = w->devices[w->plan.ends[i].carrier == AF_INET6];
        return result;
}

/* -- the tunnels' ends ------------------------------------------------------------------------------------- */

static bool wants_neighbour(const struct work *w, const struct tunnel_end *found) {
        for (size_t i = 0; i < w->plan.n_ends; i++) {
                const struct tunnel_end *end = &w->plan.ends[i].end;

                if (end->index != found->index || memcmp(end->mac, found->mac, MAC_SIZE) != 0)
                        continue;
                if (found->carrier.family && ip_equal(&found->carrier, &end->carrier))
                        return true;
                for (size_t k = 0; k < 2; k++)
                        if (found->ip[k].family && ip_equal(&found->ip[k], &end->ip[k]))
                                return true;
        }
        return false;
}

static void read_address(const struct nlattr *attribute, struct ip *ret) {
        int n = attribute ? nla_len(attribute) : 0;

        if (n != 4 && n != 16)
                return;
        ret->family = n == 4 ? AF_INET : AF_INET6;
        memcpy(ret->bytes, nla_data(attribute), (size_t)n);
}

struct stale {
        struct work *work;
        struct tunnel_end *ends;
        size_t n, size;
};

/* Of multicast addresses the kernel has entries of its own. */
static int take_neighbour(const struct nlmsghdr *message, void *data) {
        const struct ndmsg *header = nlmsg_data(message);
        struct nlattr *attributes[NDA_MAX + 1];
        struct stale *stale = data;
        struct tunnel_end found = { .index = header->ndm_ifindex };
        int r;

        if (message->nlmsg_type != RTM_NEWNEIGH || !(header->ndm_state & NUD_PERMANENT) ||
            (found.index != stale->work->devices[0] && found.index != stale->work->devices[1]) ||
            nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, NDA_MAX, NULL) < 0 ||
            !attributes[NDA_DST] || !attributes[NDA_LLADDR] || nla_len(attributes[NDA_LLADDR]) != MAC_SIZE)
                return 0;
        nla_memcpy(found.mac, attributes[NDA_LLADDR], MAC_SIZE);
        read_address(attributes[NDA_DST], header->ndm_family == AF_BRIDGE ? &found.carrier :
                                          header->ndm_family == AF_INET6  ? &found.ip[1] :
                                                                            &found.ip[0]);
        if (wants_neighbour(stale->work, &found))
                return 0;
        r = GROW(stale->ends, stale->size, stale->n + 1, GROW_NO_MAX);
        if (r == 0)
                stale->ends[stale->n++] = found;
        return r;
}

static int find_stale(struct stale *stale, struct err **err) {
        static const uint8_t families[] = { AF_BRIDGE, AF_INET, AF_INET6 };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(families) && r == 0; i++) {
                struct nl_msg *message = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
                struct ndmsg header = { .ndm_family = families[i] };

                if (message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) < 0) {
                        nlmsg_free(message);
                        message = NULL;
                }
                cni_netlink_put(stale->work->netlink, message, "list neighbours", 0);
                r = cni_netlink_dump(stale->work->netlink, take_neighbour, stale, err);
        }
        return r;
}

static int set_ends(struct work *w, struct err **err) {
        struct stale stale = { .work = w };
        int r;

        if (w->devices[0] < 0 && w->devices[1] < 0)
                return 0;
        r = find_stale(&stale, err);
        for (size_t i = 0; i < stale.n && r == 0; i++)
                cni_link_put_delete_end(w->netlink, &stale.ends[i]);
        free(stale.ends);
        for (size_t i = 0; i < w->plan.n_ends && r == 0; i++)
                if (w->plan.ends[i].end.index >= 0)
                        cni_link_put_end(w->netlink, &w->plan.ends[i].end);
        return r < 0 ? r : cni_netlink_run(w->netlink, err);
}

/* -- routes ------------------------------------------------------------------------------------------------ */

struct gone {
        struct peers_plan *plan;
        struct route *routes;
        size_t n, size;
};

static struct peers_route *find_route(const struct peers_plan *plan, const struct route *route) {
        for (size_t low = 0, high = plan->n_routes; low < high;) {
                size_t middle = low + (high - low) / 2;
                const struct ip_cidr *at = &plan->routes[middle].route.to;
                int order = at->ip.family - route->to.ip.family;

                order = order ?: memcmp(at->ip.bytes, route->to.ip.bytes, sizeof(at->ip.bytes));
                order = order ?: at->prefix - route->to.prefix;
                if (order == 0)
                        return &plan->routes[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

static int take_there(const struct route *route, void *data) {
        struct gone *gone = data;
        struct peers_route *wanted = find_route(gone->plan, route);
        int r;

        if (wanted && wanted->route.index == route->index && ip_equal(&wanted->route.via, &route->via))
                wanted->there = true;
        if (wanted && wanted->route.index >= 0)
                return 0;
        r = GROW(gone->routes, gone->size, gone->n + 1, GROW_NO_MAX);
        if (r == 0)
                gone->routes[gone->n++] = *route;
        return r;
}

static int set_routes(struct work *w, struct err **err) {
        struct gone gone = { .plan = &w->plan };
        int r = cni_route_for_each(w->netlink, cni_bridge_group(w->host->bridge), take_there, &gone, err);

        for (size_t i = 0; i < gone.n && r == 0; i++)
                cni_route_put_delete(w->netlink, &gone.routes[i]);
        free(gone.routes);
        for (size_t i = 0; i < w->plan.n_routes && r == 0; i++)
                if (!w->plan.routes[i].there && w->plan.routes[i].route.index >= 0)
                        cni_route_put(w->netlink, &w->plan.routes[i].route);
        return r < 0 ? r : cni_netlink_run(w->netlink, err);
}

int cni_peers_set(const struct peers_host *host, const struct network_cluster *cluster, struct peers_inside *ret_inside,
                  struct err **err) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        struct work work = { .host = host, .cluster = cluster, .netlink = &netlink };
        struct peers_finder finder = { .find = find_way, .mtu = mtu_of, .data = &netlink };
        int r = cni_netlink_open(NETLINK_ROUTE, &netlink, err), result;

        if (r < 0)
                return r;
        if (cni_peers_plan(host, cluster, &finder, &work.plan) < 0)
                return err_set(err, ENOMEM, "out of memory");
        result = set_devices(&work, err);
        if ((r = set_ends(&work, result < 0 ? NULL : err)) < 0 || (r = set_routes(&work, result < 0 ? NULL : err)) < 0)
                result = result < 0 ? result : r;
        *ret_inside = work.plan.inside;
        work.plan.inside = (struct peers_inside){ 0 };
        cni_peers_plan_done(&work.plan);
        return result;
}
