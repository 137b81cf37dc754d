/* Endpoints. */

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

static void check_address(struct validation *v, const struct place *at, const struct kube_endpoint_address *a) {
        validate_ip(v, FIELD(at, "ip"), a->ip, NULL);
        if (a->hostname && *a->hostname)
                validate_name(v, FIELD(at, "hostname"), NAME_LABEL, a->hostname);
        if (a->node_name)
                validate_name(v, FIELD(at, "nodeName"), NAME_SUBDOMAIN, a->node_name);
        validate_endpoint_ip(v, FIELD(at, "ip"), a->ip);
}

static void check_port(struct validation *v, const struct place *at, const struct kube_endpoint_port *port,
                       bool named) {
        if (named && (!port->name || !*port->name))
                validate_required(v, FIELD(at, "name"), "");
        else if (port->name && *port->name)
                validate_name(v, FIELD(at, "name"), NAME_LABEL, port->name);
        validate_port(v, FIELD(at, "port"), port->port);
        if (!port->protocol || !*port->protocol)
                validate_required(v, FIELD(at, "protocol"), "");
        else
                validate_choice(v, FIELD(at, "protocol"), port->protocol, POD_TEXTS("SCTP", "TCP", "UDP"));
        if (port->app_protocol)
                validate_name(v, FIELD(at, "appProtocol"), NAME_QUALIFIED, port->app_protocol);
}

static void check_subset(struct validation *v, const struct place *at, const struct kube_endpoint_subset *s) {
        if (s->addresses.count == 0 && s->not_ready_addresses.count == 0)
                validate_required(v, at, "must specify `addresses` or `notReadyAddresses`");
        for (uint32_t i = 0; i < s->addresses.count; i++)
                check_address(v, ITEM(FIELD(at, "addresses"), i), &s->addresses.items[i]);
        for (uint32_t i = 0; i < s->not_ready_addresses.count; i++)
                check_address(v, ITEM(FIELD(at, "notReadyAddresses"), i), &s->not_ready_addresses.items[i]);
        for (uint32_t i = 0; i < s->ports.count; i++)
                check_port(v, ITEM(FIELD(at, "ports"), i), &s->ports.items[i], s->ports.count > 1);
}

/* Subsets that were there are not asked about again. */
void validate_endpoints(struct validation *v, const void *object, const void *old_object) {
        const struct kube_endpoints *e = object, *old = old_object;

        if (old)
                validate_meta_update(v, &e->metadata, &old->metadata);
        validate_meta(v, &e->metadata, NAME_SUBDOMAIN);
        if (old && validate_equal_field(&kube_endpoints_type, "subsets", e, old))
                return;
        for (uint32_t i = 0; i < e->subsets.count; i++)
                check_subset(v, ITEM(FIELD(NULL, "subsets"), i), &e->subsets.items[i]);
}
