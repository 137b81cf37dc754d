#include "cni/bridge_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cni/link.h"
#include "cni/sysctl.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define MTU_DEFAULT 1500

uint32_t cni_bridge_uplink_mtu(void) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < ELEMENTS(families); i++) {
                _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
                char name[IFNAMSIZ];
                struct link link;
                int index;

                if (cni_netlink_open(NETLINK_ROUTE, &netlink, NULL) == 0 &&
                    cni_link_uplink(&netlink, families[i], &index, NULL) == 0 &&
                    if_indextoname((unsigned)index, name) && cni_link_get(&netlink, name, &link, NULL) == 0 &&
                    link.mtu > 0)
                        return link.mtu;
        }
        return MTU_DEFAULT;
}

void cni_bridge_mac(const struct ip *ip, uint8_t ret_mac[6]) {
        ret_mac[0] = 0x0a;
        ret_mac[1] = 0x58;
        memcpy(ret_mac + 2, ip->bytes + ip_size(ip->family) - 4, 4);
}

/* A router ignores router advertisements unless told otherwise: forwarding must not cost the node its own default
 * route (kernel documentation, ip-sysctl: accept_ra). */
static void keep_advertised_route(void) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        char interface[IFNAMSIZ], name[96], value[16];
        int index;

        if (cni_netlink_open(NETLINK_ROUTE, &netlink, NULL) < 0 ||
            cni_link_uplink(&netlink, AF_INET6, &index, NULL) < 0 || !if_indextoname((unsigned)index, interface))
                return;
        snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", interface);
        if (cni_sysctl_get(name, value, sizeof(value), NULL) == 0 && strcmp(value, "1") == 0)
                cni_sysctl_set(name, "2", NULL);
}

static const struct setting {
        uint8_t family;
        const char *name; /* %s: the bridge */
        const char *value;
} settings[] = {
        { AF_INET, "net/ipv4/ip_forward", "1" },
        /* For host ports on 127.0.0.1: the answer comes in here with that as its destination. */
        { AF_INET, "net/ipv4/conf/%s/route_localnet", "1" },
        { AF_INET6, "net/ipv6/conf/%s/disable_ipv6", "0" },
        { AF_INET6, "net/ipv6/conf/all/forwarding", "1" },
        { AF_INET6, "net/ipv6/conf/%s/accept_dad", "0" },
        { AF_INET6, "net/ipv6/conf/%s/accept_ra", "0" },
};

static int set_all(const char *bridge, uint8_t family, struct err **err) {
        if (family == AF_INET6)
                keep_advertised_route();
        for (size_t i = 0; i < ELEMENTS(settings); i++) {
                const char *mark = strstr(settings[i].name, "%s");
                char name[96];
                int r;

                if (settings[i].family != family)
                        continue;
                snprintf(name, sizeof(name), "%.*s%s%s", mark ? (int)(mark - settings[i].name) : 95, settings[i].name,
                         mark ? bridge : "", mark ? mark + 2 : "");
                r = cni_sysctl_set(name, settings[i].value, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_kind(struct netlink *netlink, const char *name, struct err **err) {
        struct link link;
        int r = cni_link_get(netlink, name, &link, err);

        if (r < 0)
                return r;
        if (strcmp(link.kind, "bridge") != 0)
                return err_set(err, EEXIST, "interface %s exists and is no bridge", name);
        return 0;
}

int cni_bridge_setup(const char *name, uint32_t mtu, const struct lease *gateways, struct err **err) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        uint8_t mac[MAC_SIZE];
        int r, index;

        r = cni_netlink_open(NETLINK_ROUTE, &netlink, err);
        if (r < 0)
                return r;
        cni_bridge_mac(&gateways->gateways[0], mac);
        cni_link_put_bridge(&netlink, name, mac, mtu);
        if ((r = cni_netlink_run(&netlink, err)) < 0 || (r = check_kind(&netlink, name, err)) < 0)
                return r;
        index = cni_link_index(&netlink, name);
        /* Before the addresses: duplicate address detection is looked at when they are added. */
        for (size_t i = 0; i < gateways->n && r == 0; i++)
                r = set_all(name, gateways->gateways[i].family, err);
        cni_link_put_up(&netlink, index);
        for (size_t i = 0; i < gateways->n; i++)
                cni_link_put_address(&netlink, index, &gateways->addresses[i]);
        return r < 0 ? r : cni_netlink_run(&netlink, err);
}
