/* Addresses and ports for one Service. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/services/addresses.h"
#include "api/services/ports.h"
#include "api/services/work.h"
#include "lib/arena.h"

/* --- addresses --- */

static int fail(struct service_work *w, const char *text) {
        w->internal = text;
        return text ? -EIO : -ENOMEM;
}

static int give_any(struct service_work *w, bool six, const char **ret_text) {
        char *text = arena_alloc(w->arena, CLUSTER_IP_TEXT_MAX);
        struct cluster_ip address;
        struct cluster_range range;
        int r;

        if (!text)
                return -ENOMEM;
        if (!w->dry)
                r = addresses_claim_any(w->services->addresses, six, &address);
        else {
                r = addresses_range(w->services->addresses, six, &range) ? 0 : ADDRESSES_FULL;
                address = (struct cluster_ip){ six, range.high, range.first - 1 };
        }
        if (r == ADDRESSES_FULL)
                return fail(w,
                            arena_printf(w->arena, "failed to allocate a serviceIP for Service \"%s\": range is full",
                                         w->service->metadata.name));
        if (r < 0)
                return r;
        if (!w->dry)
                w->claims->addresses[w->claims->n_addresses++] = address;
        cluster_ip_format(&address, text);
        *ret_text = text;
        return 0;
}

static int refuse_address(struct service_work *w, const char *text, const char *why) {
        problem_error(&w->problems, "spec.clusterIPs", "Invalid value: %s: failed to allocate IP %s: %s",
                      service_list_text(w->arena, &w->service->spec.cluster_ips), text, why);
        return -EINVAL;
}

static int give_this(struct service_work *w, const char *text) {
        struct cluster_ip address;
        struct cluster_range range;
        int r;

        if (!cluster_ip_parse(text, &address))
                return fail(w, arena_printf(w->arena, "failed to parse service IP \"%s\"", text));
        if (w->dry) {
                if (!addresses_range(w->services->addresses, address.six, &range) ||
                    cluster_range_contains(&range, &address))
                        return 0;
                return refuse_address(w, text,
                                      arena_printf(w->arena,
                                                   "the provided IP (%s) is not in the valid range. The range of valid "
                                                   "IPs is %s",
                                                   text, range.text) ?:
                                              "");
        }
        r = addresses_claim(w->services->addresses, &address);
        if (r == ADDRESSES_TAKEN)
                return refuse_address(w, text, "provided IP is already allocated");
        if (r == ADDRESSES_OUTSIDE)
                return refuse_address(w, text, "the provided network does not match the current range");
        if (r == 0)
                w->claims->addresses[w->claims->n_addresses++] = address;
        return r;
}

/* Addresses of the families from the one at @from on; those before have theirs. */
static int give_from(struct service_work *w, uint32_t from) {
        struct kube_service_spec *spec = &w->service->spec;
        const char *items[2] = { NULL, NULL };
        uint32_t n = spec->ip_families.count < 2 ? spec->ip_families.count : 2;
        int r;

        for (uint32_t i = 0; i < n; i++)
                items[i] = i < spec->cluster_ips.count ? spec->cluster_ips.items[i] : "";
        for (uint32_t i = from; i < n; i++) {
                r = *items[i] ? give_this(w, items[i]) :
                                give_any(w, kube_is(spec->ip_families.items[i], "IPv6"), &items[i]);
                if (r != 0)
                        return r;
        }
        spec->cluster_ips = (string_list){ 0 };
        for (uint32_t i = 0; i < n; i++)
                if ((r = service_list_add(w->arena, &spec->cluster_ips, items[i])) < 0)
                        return r;
        if (n > 0)
                spec->cluster_ip = items[0];
        return 0;
}

int service_addresses_give(struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec, *old = w->old ? &w->old->spec : NULL;

        if (!service_has_addresses(w->service) || service_is_headless(w->service) || service_families_settled(w))
                return 0;
        if (!old || !service_has_addresses(w->old))
                return give_from(w, 0);
        if (service_is_headless(w->old))
                return 0;
        return old->ip_families.count == 1 && spec->ip_families.count == 2 ? give_from(w, 1) : 0;
}

/* --- ports --- */

static bool has_claimed(const struct service_claims *claims, int32_t port) {
        for (uint32_t i = 0; i < claims->n_ports; i++)
                if (claims->ports[i] == port)
                        return true;
        return false;
}

static int refuse_port(struct service_work *w, uint32_t at, int32_t port, const char *why) {
        char path[48];

        snprintf(path, sizeof(path), "spec.ports[%u].nodePort", at);
        problem_error(&w->problems, path, "Invalid value: %d: %s", port, why);
        return -EINVAL;
}

static const char *words_of(struct service_work *w, int r) {
        if (r == PORTS_TAKEN)
                return "provided port is already allocated";
        return arena_printf(w->arena, "provided port is not in the valid range. The range of valid ports is %s",
                            ports_text(w->services->ports)) ?:
                       "";
}

/* 0, PORTS_TAKEN or PORTS_OUTSIDE. */
static int claim_port(struct service_work *w, int32_t port) {
        struct service_claims *claims = w->claims;
        int r;

        if (w->dry)
                r = has_claimed(claims, port) || ports_try(w->services->ports, port) == PORTS_TAKEN ? PORTS_TAKEN : 0;
        else
                r = ports_claim(w->services->ports, port);
        if (r == 0)
                claims->ports[claims->n_ports++] = port;
        return r;
}

#define DRY_PORT 32768 /* behind which the ports are that a dry run shows */

static int claim_any_port(struct service_work *w, int32_t *ret_port) {
        struct service_claims *claims = w->claims;
        int32_t port = DRY_PORT;
        int r;

        if (w->dry) {
                for (uint32_t i = 0; i < claims->n_ports; i++)
                        if (i == 0 || claims->ports[i] > port)
                                port = claims->ports[i];
                port++;
        } else if ((r = ports_claim_any(w->services->ports, &port)) != 0)
                return r;
        claims->ports[claims->n_ports++] = port;
        *ret_port = port;
        return 0;
}

static bool gives_ports(const struct kube_service *service) {
        return kube_is(service->spec.type, "NodePort") ||
               (kube_is(service->spec.type, "LoadBalancer") &&
                service->spec.allocate_load_balancer_node_ports != TRI_FALSE);
}

/* The first node port that is named for the same port: TCP and UDP share one. */
static int32_t named_for(const struct kube_service *service, int32_t port) {
        list_for_each (p, &service->spec.ports)
                if (p->port == port && p->node_port)
                        return p->node_port;
        return 0;
}

static int32_t given_for(const struct kube_service *service, uint32_t at) {
        for (uint32_t i = 0; i < at; i++)
                if (service->spec.ports.items[i].port == service->spec.ports.items[at].port &&
                    service->spec.ports.items[i].node_port)
                        return service->spec.ports.items[i].node_port;
        return 0;
}

static int give_new_port(struct service_work *w, uint32_t at) {
        struct kube_service_port *port = &w->service->spec.ports.items[at];
        int32_t given = given_for(w->service, at), named = given ? 0 : named_for(w->service, port->port);
        int r = 0;

        if (given && port->node_port == 0)
                port->node_port = given;
        else if (given && port->node_port != given)
                named = port->node_port;
        if (named) {
                r = claim_port(w, named);
                if (r != 0)
                        return refuse_port(w, at, named, words_of(w, r));
                if (port->node_port == 0 || !given)
                        port->node_port = named;
        } else if (!given && claim_any_port(w, &port->node_port) != 0)
                return fail(w, "failed to allocate a nodePort: range is full");
        return 0;
}

static bool had_port(const struct kube_service *old, int32_t port) {
        list_for_each (p, &old->spec.ports)
                if (p->node_port == port)
                        return true;
        return false;
}

static int give_other_port(struct service_work *w, uint32_t at) {
        struct kube_service_port *ports = w->service->spec.ports.items, *port = &ports[at];
        int r;

        if (port->node_port == 0) {
                if (claim_any_port(w, &port->node_port) != 0)
                        return fail(w, "failed to allocate a nodePort: range is full");
        } else if (!had_port(w->old, port->node_port) && !has_claimed(w->claims, port->node_port)) {
                r = claim_port(w, port->node_port);
                if (r != 0)
                        return refuse_port(w, at, port->node_port, words_of(w, r));
        }
        for (uint32_t i = 0; i < at; i++)
                if (ports[i].node_port == port->node_port &&
                    strcmp(ports[i].protocol ?: "", port->protocol ?: "") == 0) {
                        w->internal = arena_printf(w->arena, "duplicate nodePort: {%s %d}", port->protocol ?: "",
                                                   port->node_port);
                        return -EPROTO;
                }
        return 0;
}

static int give_health_port(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        int32_t port = spec->health_check_node_port;
        int r;

        if (!service_has_health_port(w->service) || (w->old && service_has_health_port(w->old)))
                return 0;
        if (port == 0)
                return claim_any_port(w, &spec->health_check_node_port) == 0 ?
                               0 :
                               fail(w, "failed to allocate a HealthCheck NodePort 0: range is full");
        r = claim_port(w, port);
        return r == 0 ? 0 :
                        fail(w, arena_printf(w->arena, "failed to allocate requested HealthCheck NodePort %d: %s", port,
                                             words_of(w, r)));
}

int service_ports_give(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        bool typed = kube_is(spec->type, "NodePort") || kube_is(spec->type, "LoadBalancer");
        int r = 0;

        w->claims->ports = arena_alloc_array(w->arena, (size_t)spec->ports.count + 1, sizeof(*w->claims->ports));
        if (!w->claims->ports)
                return -ENOMEM;
        for (uint32_t i = 0; typed && r == 0 && i < spec->ports.count; i++)
                if (spec->ports.items[i].node_port || gives_ports(w->service))
                        r = w->old ? give_other_port(w, i) : give_new_port(w, i);
        return r ?: give_health_port(w);
}
