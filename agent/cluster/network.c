/* The cluster's network, as far as it is this node's (services/), and what of it the node's status says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "client/remote.h"
#include "lib/ip.h"
#include "services/services.h"

static void take_ready(struct cluster *c) {
        const char *why = services_unready(c->services);

        c->unready[0] = '\0';
        if (why)
                snprintf(c->unready, sizeof(c->unready),
                         "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                         "message:%s",
                         why);
}

const char *cluster_unready(const struct cluster *c) {
        return c->unready[0] ? c->unready : NULL;
}

static void on_ready_changed(void *data) {
        struct cluster *c = data;

        take_ready(c);
        cluster_node_changed(c);
        c->events.network(c->events.data);
}

/* What is under way from an address that is no more would wait for minutes. */
static void on_moved(void *data) {
        struct cluster *c = data;

        if (c->events.moved(c->events.data))
                client_remote_reconnect(c->client);
        cluster_node_changed(c);
}

/* Those of the flag, in the order in which agent/node.c has read them; or those that were kept. */
static void find_own(const struct options *o, struct services_cidrs *ret_own) {
        char copy[2 * IP_CIDR_TEXT_MAX], *rest = copy, *one;

        if (!*o->pod_cidr) {
                services_kept_cidrs(o->root_dir, ret_own);
                return;
        }
        *ret_own = (struct services_cidrs){ 0 };
        snprintf(copy, sizeof(copy), "%s", o->pod_cidr);
        while ((one = strsep(&rest, ",")) && ret_own->n < SERVICES_CIDRS_MAX)
                if (ip_cidr_parse(one, &ret_own->items[ret_own->n], NULL) == 0)
                        ret_own->n++;
}

int cluster_network_new(struct cluster *c, struct err **err) {
        const struct services_config config = {
                .loop = c->loop,
                .pool = c->host.pool,
                .client = c->client,
                .network = c->host.network,
                .node = c->options->node_name,
                .bridge = c->options->bridge,
                .directory = c->options->root_dir,
                .fixed = *c->options->pod_cidr,
                .ready_changed = on_ready_changed,
                .moved = on_moved,
                .data = c,
        };
        struct services_cidrs own;
        int r;

        find_own(c->options, &own);
        r = services_new(&config, &own, &c->services, err);
        if (r == 0)
                take_ready(c);
        return r;
}
