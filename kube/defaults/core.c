/* Kinds of the core group whose defaults depend on more than one field. */
#include <errno.h>
#include <string.h>

#include "kube/core_v1.h"
#include "kube/defaults/rules.h"
#include "lib/arena.h"

#define CLIENT_IP_SECONDS 10800
#define NAMESPACE_LABEL "kubernetes.io/metadata.name"

static bool is(const char *text, const char *what) {
        return text && strcmp(text, what) == 0;
}

static bool is_empty(const char *text) {
        return !text || !*text;
}

/* ---- amounts ---- */

int defaults_add_amounts(struct arena *arena, resource_list *map, const resource_list *from) {
        struct resource_amount *items = arena_alloc_array(arena, (size_t)map->count + from->count + 1, sizeof(*items));
        uint32_t n = 0, i = 0, k = 0;

        if (!items)
                return -ENOMEM;
        while (i < map->count || k < from->count) {
                int order = i >= map->count  ? 1 :
                            k >= from->count ? -1 :
                                               strcmp(map->items[i].name, from->items[k].name);

                items[n++] = order <= 0 ? map->items[i] : from->items[k];
                i += order <= 0;
                k += order >= 0;
        }
        map->items = items;
        map->count = n;
        return 0;
}

/* ---- services ---- */

static int fill_affinity(struct defaults_work *w, struct kube_service_spec *spec) {
        struct kube_session_affinity_config *config = spec->session_affinity_config;

        if (is(spec->session_affinity, "None"))
                spec->session_affinity_config = NULL;
        if (!is(spec->session_affinity, "ClientIP") ||
            (config && config->client_ip && config->client_ip->timeout_seconds.set))
                return 0;
        config = arena_new_of(w->arena, struct kube_session_affinity_config);
        if (!config)
                return -ENOMEM;
        config->client_ip = arena_new_of(w->arena, struct kube_client_ip_config);
        if (!config->client_ip)
                return -ENOMEM;
        config->client_ip->timeout_seconds = (struct opt_int){ CLIENT_IP_SECONDS, true };
        spec->session_affinity_config = config;
        return 0;
}

static void fill_ports(struct kube_service_spec *spec) {
        list_for_each (port, &spec->ports) {
                const struct int_or_string *target = &port->target_port;

                if (is_empty(port->protocol))
                        port->protocol = "TCP";
                if (target->text ? !*target->text : target->number == 0)
                        port->target_port = (struct int_or_string){ .number = port->port, .set = true };
        }
}

static int fill_service(struct defaults_work *w, void *object) {
        struct kube_service *service = object;
        struct kube_service_spec *spec = &service->spec;
        const bool cluster = is(spec->type, "ClusterIP"), balancer = is(spec->type, "LoadBalancer");
        const bool node_port = is(spec->type, "NodePort");

        fill_ports(spec);
        if ((balancer || node_port || (cluster && spec->external_ips.count > 0)) &&
            is_empty(spec->external_traffic_policy))
                spec->external_traffic_policy = "Cluster";
        if ((balancer || node_port || cluster) && !spec->internal_traffic_policy)
                spec->internal_traffic_policy = "Cluster";
        if (balancer && spec->allocate_load_balancer_node_ports == TRI_UNSET)
                spec->allocate_load_balancer_node_ports = TRI_TRUE;
        list_for_each (ingress, &service->status.load_balancer.ingress)
                if (balancer && !is_empty(ingress->ip) && !ingress->ip_mode)
                        ingress->ip_mode = "VIP";
        return fill_affinity(w, spec);
}

/* ---- namespaces, nodes, limits ---- */

/* The label @key with @value, in the place of another. */
static int put_label(struct arena *arena, string_map *labels, const char *key, const char *value) {
        struct string_pair *items = arena_alloc_array(arena, (size_t)labels->count + 1, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return -ENOMEM;
        for (; n < labels->count && strcmp(labels->items[n].key, key) < 0; n++)
                items[n] = labels->items[n];
        items[n] = (struct string_pair){ key, value };
        for (uint32_t i = n; i < labels->count; i++)
                if (strcmp(labels->items[i].key, key) != 0)
                        items[++n] = labels->items[i];
        labels->items = items;
        labels->count = n + 1;
        return 0;
}

static int fill_namespace(struct defaults_work *w, void *object) {
        struct kube_namespace *namespace = object;

        if (is_empty(namespace->metadata.name))
                return 0;
        return put_label(w->arena, &namespace->metadata.labels, NAMESPACE_LABEL, namespace->metadata.name);
}

static int fill_node_status(struct defaults_work *w, void *object) {
        struct kube_node_status *status = object;
        const resource_list none = { 0 };

        if (status->allocatable.items || !status->capacity.items)
                return 0;
        status->allocatable = none;
        return defaults_add_amounts(w->arena, &status->allocatable, &status->capacity);
}

static int fill_limit(struct defaults_work *w, void *object) {
        struct kube_limit_range_item *limit = object;

        if (!is(limit->type, "Container"))
                return 0;
        if (defaults_add_amounts(w->arena, &limit->default_, &limit->max) < 0 ||
            defaults_add_amounts(w->arena, &limit->default_request, &limit->default_) < 0)
                return -ENOMEM;
        return defaults_add_amounts(w->arena, &limit->default_request, &limit->min);
}

static int fill_replication_controller(struct defaults_work *w, void *object) {
        struct kube_replication_controller *controller = object;
        struct kube_pod_template_spec *template = controller->spec.template;

        if (!template || !template->metadata.labels.items)
                return 0;
        if (controller->spec.selector.count == 0)
                controller->spec.selector = template->metadata.labels;
        if (controller->metadata.labels.count == 0)
                controller->metadata.labels = template->metadata.labels;
        return 0;
}

/* ---- images and volumes ---- */

static const char *pull_policy(const char *image) {
        return defaults_image_is_latest(image ?: "") ? "Always" : "IfNotPresent";
}

static int fill_container(struct defaults_work *w, void *object) {
        struct kube_container *container = object;

        if (is_empty(container->image_pull_policy))
                container->image_pull_policy = pull_policy(container->image);
        return 0;
}

static int fill_ephemeral_container(struct defaults_work *w, void *object) {
        struct kube_ephemeral_container *container = object;

        if (is_empty(container->image_pull_policy))
                container->image_pull_policy = pull_policy(container->image);
        return 0;
}

/* Whether no source is given: all members but the name are pointers to one. */
static bool is_sourceless(const struct kube_volume *volume) {
        const struct kube_type *type = &kube_volume_type;

        for (size_t i = 0; i < type->n_fields; i++) {
                const void *source;

                if (type->fields[i].form != KUBE_OPTIONAL)
                        continue;
                memcpy(&source, (const char *)volume + type->fields[i].offset, sizeof(source));
                if (source)
                        return false;
        }
        return true;
}

static int fill_volume(struct defaults_work *w, void *object) {
        struct kube_volume *volume = object;

        if (is_sourceless(volume)) {
                volume->empty_dir = arena_new_of(w->arena, struct kube_empty_dir_volume_source);
                return volume->empty_dir ? 0 : -ENOMEM;
        }
        if (volume->image && is_empty(volume->image->pull_policy))
                volume->image->pull_policy = pull_policy(volume->image->reference);
        return 0;
}

const struct defaults_rule defaults_core_rules[] = {
        { &kube_container_type, fill_container },
        { &kube_ephemeral_container_type, fill_ephemeral_container },
        { &kube_limit_range_item_type, fill_limit },
        { &kube_namespace_type, fill_namespace },
        { &kube_node_status_type, fill_node_status },
        { &kube_replication_controller_type, fill_replication_controller },
        { &kube_service_type, fill_service },
        { &kube_volume_type, fill_volume },
        { .type = NULL },
};
