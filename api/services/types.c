/* Services by their types: what each has, and what goes with a change of type. */
#include <errno.h>
#include <string.h>

#include "api/services/work.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

bool service_has_addresses(const struct kube_service *service) {
        return !kube_is(service->spec.type, "ExternalName");
}

static bool is_balancer(const struct kube_service *service) {
        return kube_is(service->spec.type, "LoadBalancer");
}

bool service_has_node_ports(const struct kube_service *service) {
        return kube_is(service->spec.type, "NodePort") ||
               (is_balancer(service) && service->spec.allocate_load_balancer_node_ports != TRI_FALSE);
}

bool service_has_health_port(const struct kube_service *service) {
        return is_balancer(service) && kube_is(service->spec.external_traffic_policy, "Local");
}

bool service_is_headless(const struct kube_service *service) {
        return service->spec.cluster_ips.count > 0 && kube_is(service->spec.cluster_ips.items[0], "None");
}

/* Seen from outside the cluster. */
static bool is_external(const struct kube_service *service) {
        return is_balancer(service) || kube_is(service->spec.type, "NodePort") ||
               (kube_is(service->spec.type, "ClusterIP") && service->spec.external_ips.count > 0);
}

bool service_same_list(const string_list *a, const string_list *b) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++)
                if (strcmp(a->items[i], b->items[i]) != 0)
                        return false;
        return true;
}

const char *service_list_text(struct arena *arena, const string_list *list) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (list->count == 0)
                return "null";
        json_begin_list(&w);
        for (uint32_t i = 0; i < list->count; i++)
                json_string(&w, list->items[i]);
        json_end_list(&w);
        return json_writer_text(&w, arena) ?: "";
}

int service_list_add(struct arena *arena, string_list *list, const char *text) {
        const char **items = arena_alloc_array(arena, (size_t)list->count + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        if (list->count > 0)
                memcpy(items, list->items, list->count * sizeof(*items));
        items[list->count] = text;
        list->items = items;
        list->count++;
        return 0;
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

/* No port has a node port that none had before. */
static bool same_node_ports(const struct kube_service *old, const struct kube_service *service) {
        list_for_each (port, &service->spec.ports) {
                bool had = port->node_port == 0;

                list_for_each (before, &old->spec.ports)
                        had |= before->node_port == port->node_port;
                if (!had)
                        return false;
        }
        return true;
}

static void drop_addresses(struct kube_service_spec *spec, const struct kube_service_spec *old) {
        if (same_text(old->cluster_ip, spec->cluster_ip) && service_same_list(&old->cluster_ips, &spec->cluster_ips)) {
                spec->cluster_ip = NULL;
                spec->cluster_ips = (string_list){ 0 };
        }
        if (service_same_list(&old->ip_families, &spec->ip_families))
                spec->ip_families = (string_list){ 0 };
        if (same_text(old->ip_family_policy, spec->ip_family_policy))
                spec->ip_family_policy = NULL;
}

static bool has_any_node_ports(const struct kube_service *service) {
        return is_balancer(service) || kube_is(service->spec.type, "NodePort");
}

int service_types_drop(struct service_work *w) {
        struct kube_service *service = w->service;
        struct kube_service_spec *spec = &service->spec;
        const struct kube_service *old = w->old;

        if (service_has_addresses(old) && !service_has_addresses(service))
                drop_addresses(spec, &old->spec);
        if (has_any_node_ports(old) && !has_any_node_ports(service) && same_node_ports(old, service))
                list_for_each (port, &spec->ports)
                        port->node_port = 0;
        if (service_has_health_port(old) && !service_has_health_port(service) &&
            spec->health_check_node_port == old->spec.health_check_node_port)
                spec->health_check_node_port = 0;
        if (is_balancer(old) && !is_balancer(service)) {
                if (spec->allocate_load_balancer_node_ports == old->spec.allocate_load_balancer_node_ports)
                        spec->allocate_load_balancer_node_ports = TRI_UNSET;
                if (same_text(spec->load_balancer_class, old->spec.load_balancer_class))
                        spec->load_balancer_class = NULL;
        }
        if (is_external(old) && !is_external(service) &&
            same_text(spec->external_traffic_policy, old->spec.external_traffic_policy))
                spec->external_traffic_policy = NULL;
        if (!is_balancer(service))
                memset(&service->status.load_balancer, 0, sizeof(service->status.load_balancer));
        return 0;
}
