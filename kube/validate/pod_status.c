/* A pod's status: what nodes and schedulers say of it. */
#include <string.h>

#include "kube/validate/pod_rules.h"

#define HEALTH_BYTES_MAX 1024

static const struct place status_place = { .name = "status" };

/* --- conditions --- */

static void check_conditions(struct validation *v, const kube_pod_condition_items *list) {
        static const char *const system[] = { "Initialized", "PodScheduled", "Ready", NULL };
        const struct place *at = FIELD(&status_place, "conditions");

        for (uint32_t i = 0; i < list->count; i++) {
                if (list->items[i].observed_generation < 0)
                        validate_invalid_int(v, FIELD(ITEM(at, i), "observedGeneration"),
                                             list->items[i].observed_generation, "must be a non-negative integer");
                if (!validate_is_one(list->items[i].type, system))
                        validate_name(v, FIELD(ITEM(at, i), "Type"), NAME_QUALIFIED, list->items[i].type);
        }
}

/* --- states: what has ended goes on only where that is what the pod wants --- */

static bool restarts_all(const kube_container_items *list) {
        list_for_each (container, list)
                list_for_each (rule, &container->restart_policy_rules)
                        if (kube_is(rule->action, "RestartAllContainers"))
                                return true;
        return false;
}

static bool matches(const struct kube_container_restart_rule *rule, int32_t code) {
        const struct kube_container_restart_rule_on_exit_codes *codes = rule->exit_codes;
        bool in = false;

        if (!codes)
                return false;
        for (uint32_t i = 0; i < codes->values.count; i++)
                in |= codes->values.items[i] == code;
        return kube_is(codes->operator, "In") ? in : kube_is(codes->operator, "NotIn") && !in;
}

static bool policy_restarts(const char *policy, int32_t code) {
        if (kube_is(policy, "OnFailure"))
                return code != 0;
        return !kube_is(policy, "Never");
}

static bool goes_on(const struct kube_container *container, const char *pod_policy, int32_t code) {
        if (container->restart_policy) {
                list_for_each (rule, &container->restart_policy_rules)
                        if (matches(rule, code)) {
                                if (kube_is(rule->action, "Restart") || kube_is(rule->action, "RestartAllContainers"))
                                        return true;
                                break;
                        }
                if (kube_is(container->restart_policy, "Always") || kube_is(container->restart_policy, "OnFailure") ||
                    kube_is(container->restart_policy, "Never"))
                        return policy_restarts(container->restart_policy, code);
        }
        return policy_restarts(pod_policy, code);
}

/* The first of each name. */
static void index_statuses(struct validation *v, struct validate_set *set, const kube_container_status_items *list) {
        list_for_each (status, list)
                if (!validate_set_add(v, set, status->name))
                        set->n++;
}

/* Statuses that are told of containers of @containers; NULL: ephemeral ones, which never go on. */
static void check_states(struct validation *v, const struct place *at, const kube_container_status_items *new,
                         const kube_container_status_items *old, const kube_container_items *containers,
                         const char *pod_policy) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        index_statuses(v, &names, new);
        for (uint32_t i = 0; i < old->count && !validate_is_full(v); i++) {
                const struct kube_container_state_terminated *ended = old->items[i].state.terminated;
                int64_t now = ended ? validate_set_find(&names, old->items[i].name) : -1;
                bool allowed = false;

                if (now < 0 || new->items[now].state.terminated)
                        continue;
                for (uint32_t j = 0; containers && j < containers->count; j++)
                        if (kube_is(containers->items[j].name ?: "", old->items[i].name ?: "")) {
                                allowed = goes_on(&containers->items[j], pod_policy, ended->exit_code);
                                break;
                        }
                if (!allowed)
                        validate_forbidden(v, FIELD(ITEM(at, i), "state"),
                                           "may not be transitioned to non-terminated state");
        }
}

static void check_transitions(struct validation *v, const struct kube_pod_status *new,
                              const struct kube_pod_status *old, const struct kube_pod_spec *spec) {
        if (!restarts_all(&spec->init_containers) && !restarts_all(&spec->containers)) {
                check_states(v, FIELD(&status_place, "containerStatuses"), &new->container_statuses,
                             &old->container_statuses, &spec->containers, spec->restart_policy);
                check_states(v, FIELD(&status_place, "initContainerStatuses"), &new->init_container_statuses,
                             &old->init_container_statuses, &spec->init_containers, spec->restart_policy);
        }
        check_states(v, FIELD(&status_place, "ephemeralContainerStatuses"), &new->ephemeral_container_statuses,
                     &old->ephemeral_container_statuses, NULL, NULL);
}

/* --- resource claims --- */

static void check_claims(struct validation *v, const struct kube_pod_status *status, const struct kube_pod_spec *spec) {
        _cleanup_validate_set_ struct validate_set of_pod = { 0 }, seen = { 0 };
        const struct place *at = FIELD(&status_place, "resourceClaimStatuses");

        list_for_each (claim, &spec->resource_claims)
                validate_set_add(v, &of_pod, claim->name);
        for (uint32_t i = 0; i < status->resource_claim_statuses.count; i++) {
                const struct kube_pod_resource_claim_status *s = &status->resource_claim_statuses.items[i];
                const struct place *here = ITEM(at, i);

                if (!validate_set_has(&of_pod, s->name))
                        validate_invalid(v, FIELD(here, "name"), s->name,
                                         "must match the name of an entry in `spec.resourceClaims`");
                if (!validate_set_add(v, &seen, s->name))
                        validate_duplicate(v, FIELD(here, "name"), s->name);
                if (s->resource_claim_name)
                        validate_name(v, FIELD(here, "resourceClaimName"), NAME_SUBDOMAIN, s->resource_claim_name);
        }
}

static const struct kube_container *find(const kube_container_items *list, const char *name) {
        for (uint32_t i = list->count; i-- > 0;)
                if (kube_is(list->items[i].name ?: "", name ?: ""))
                        return &list->items[i];
        return NULL;
}

static void check_mapping(struct validation *v, const struct place *at,
                          const struct kube_container_extended_resource_request *m, const struct kube_pod_spec *spec) {
        const struct kube_container *c =
                find(&spec->containers, m->container_name) ?: find(&spec->init_containers, m->container_name);

        if (!c)
                validate_invalid(v, FIELD(at, "containerName"), m->container_name,
                                 "must match the name of an entry in spec.initContainers.name or spec.containers.name");
        else if (!resource_get(&c->resources.requests, m->resource_name ?: ""))
                validate_invalid(v, FIELD(at, "resourceName"), m->resource_name,
                                 "must match the extended resource name of an entry in "
                                 "spec.initContainers.resources.requests or spec.containers.resources.requests");
}

static void check_extended(struct validation *v, const struct kube_pod_status *status,
                           const struct kube_pod_spec *spec) {
        const struct kube_pod_extended_resource_claim_status *s = status->extended_resource_claim_status;
        const struct place *at = FIELD(&status_place, "extendedResourceClaimStatus"),
                           *mappings = FIELD(at, "requestMappings");
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        if (!s)
                return;
        if (s->request_mappings.count == 0)
                validate_required(v, mappings, "at least one request mapping is required");
        for (uint32_t i = 0; i < s->request_mappings.count && !validate_is_full(v); i++) {
                const struct kube_container_extended_resource_request *m = &s->request_mappings.items[i];

                check_mapping(v, ITEM(mappings, i), m, spec);
                validate_name(v, FIELD(at, "requestName"), NAME_LABEL, m->request_name);
                if (validate_set_add(v, &seen,
                                     validate_key(v, "%s\n%s\n%s", m->container_name ?: "", m->resource_name ?: "",
                                                  m->request_name ?: "")))
                        continue;
                validate_duplicate(v, FIELD(ITEM(mappings, i), "containerName"), m->container_name);
                validate_duplicate(v, FIELD(ITEM(mappings, i), "resourceName"), m->resource_name);
                validate_duplicate(v, FIELD(ITEM(mappings, i), "requestName"), m->request_name);
        }
        validate_name_required(v, FIELD(at, "resourceClaimName"), NAME_SUBDOMAIN, s->resource_claim_name);
}

/* --- addresses --- */

/* What the two kinds of lists are alike in: each item has an address alone. */
struct addresses {
        string_list list, old;
        const char *field, *json;
};

static void check_families(struct validation *v, const struct place *at, const struct addresses *a) {
        bool four = false, six = false;

        if (a->list.count < 2)
                return;
        for (uint32_t i = 0; i < a->list.count; i++) {
                if (!validate_is_ip(a->list.items[i])) {
                        validate_internal(v, at,
                                          validate_text(v,
                                                        "failed to check for dual stack with error:invalid IP[%u]: %s",
                                                        i, a->list.items[i]));
                        validate_invalid_json(v, at, a->json, "may specify no more than one IP for each IP family");
                        return;
                }
                six |= validate_is_ipv6(a->list.items[i]);
                four |= !validate_is_ipv6(a->list.items[i]);
        }
        if (!four || !six || a->list.count > 2)
                validate_invalid_json(v, at, a->json, "may specify no more than one IP for each IP family");
}

static void check_addresses(struct validation *v, const struct addresses *a) {
        const struct place *at = FIELD(&status_place, a->field);

        for (uint32_t i = 0; i < a->list.count; i++)
                validate_ip(v, ITEM(at, i), a->list.items[i], &a->old);
        check_families(v, at, a);
}

#define GATHER(v, from, to)                                                                                            \
        do {                                                                                                           \
                (to)->items = validate_alloc((v), (from)->count + 1, sizeof(*(to)->items));                            \
                (to)->count = (to)->items ? (from)->count : 0;                                                         \
                for (uint32_t _i = 0; _i < (to)->count; _i++)                                                          \
                        (to)->items[_i] = (from)->items[_i].ip ?: "";                                                  \
        } while (0)

static void check_pod_ips(struct validation *v, const struct kube_pod_status *new, const struct kube_pod_status *old) {
        struct addresses a = { .field = "podIPs" };

        GATHER(v, &new->pod_ips, &a.list);
        GATHER(v, &old->pod_ips, &a.old);
        a.json = validate_go_json_field(v, &kube_pod_status_type, "podIPs", new);
        check_addresses(v, &a);
}

static void check_host_ips(struct validation *v, const struct kube_pod_status *new, const struct kube_pod_status *old) {
        const struct place *first = FIELD(ITEM(FIELD(&status_place, "hostIPs"), 0), "ip");
        struct addresses a = { .field = "hostIPs" };

        if (new->host_ips.count == 0)
                return;
        if (!kube_is(new->host_ips.items[0].ip ?: "", new->host_ip ?: ""))
                validate_invalid(v, first, new->host_ips.items[0].ip, "must be equal to `hostIP`");
        GATHER(v, &new->host_ips, &a.list);
        GATHER(v, &old->host_ips, &a.old);
        a.json = validate_go_json_field(v, &kube_pod_status_type, "hostIPs", new);
        check_addresses(v, &a);
}

/* --- container statuses --- */

static void check_user(struct validation *v, const struct place *at, const struct kube_linux_container_user *user) {
        validate_range(v, FIELD(at, "uid"), user->uid, 0, INT32_MAX);
        validate_range(v, FIELD(at, "gid"), user->gid, 0, INT32_MAX);
        for (uint32_t i = 0; i < user->supplemental_groups.count; i++)
                validate_range(v, ITEM(FIELD(at, "supplementalGroups"), i), user->supplemental_groups.items[i], 0,
                               INT32_MAX);
}

static void check_users(struct validation *v, const struct place *at, const kube_container_status_items *list,
                        const struct kube_pod_os *os) {
        for (uint32_t i = 0; i < list->count; i++) {
                const struct kube_container_user *user = list->items[i].user;
                const struct place *here = FIELD(FIELD(ITEM(at, i), "user"), "linux");

                if (!user || !user->linux)
                        continue;
                if (os && kube_is(os->name, "windows"))
                        validate_forbidden(v, here, "cannot be set for a windows pod");
                else if (!os || kube_is(os->name, "linux"))
                        check_user(v, here, user->linux);
        }
}

static bool has_claim(const struct kube_container *container, const char *name) {
        list_for_each (claim, &container->resources.claims) {
                size_t n = strlen(claim->name ?: "");
                const char *rest = name + n;

                if (strncmp(name, claim->name ?: "", n) != 0)
                        continue;
                if (claim->request && *claim->request ? *rest == '/' && strcmp(rest + 1, claim->request) == 0 :
                                                        *rest == '\0')
                        return true;
        }
        return false;
}

static void check_allocated_name(struct validation *v, const struct place *at, const char *name,
                                 const struct kube_container *container) {
        bool claim = strncmp(name, "claim:", 6) == 0;

        if (claim && !has_claim(container, name + 6))
                validate_invalid_word(v, at, name,
                                      "must match one of the container's resource claims in a format "
                                      "'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty");
        if (!claim && !resource_get(&container->resources.requests, name))
                validate_invalid_word(v, at, name, "must match one of the container's resource requests");
}

static void check_health(struct validation *v, const struct place *at, const struct kube_resource_status *s) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < s->resources.count; i++) {
                const struct kube_resource_health *h = &s->resources.items[i];
                const struct place *here = ITEM(FIELD(at, "resources"), i);

                validate_choice(v, FIELD(here, "health"), h->health, POD_TEXTS("Healthy", "Unhealthy", "Unknown"));
                if (h->message && !*h->message)
                        validate_required(v, FIELD(here, "message"), "must be non-empty if specified");
                else if (h->message && strlen(h->message) > HEALTH_BYTES_MAX)
                        validate_too_long(v, FIELD(here, "message"), HEALTH_BYTES_MAX);
                if (!validate_set_add(v, &seen, h->resource_id))
                        validate_duplicate(v, FIELD(here, "resourceID"), h->resource_id);
        }
}

static void check_allocated(struct validation *v, const struct place *at, const kube_container_status_items *list,
                            const kube_container_items *containers) {
        for (uint32_t i = 0; i < list->count && !validate_is_full(v); i++) {
                const kube_resource_status_items *all = &list->items[i].allocated_resources_status;
                const struct kube_container *container = NULL;

                for (uint32_t j = 0; all->count > 0 && j < containers->count && !container; j++)
                        if (kube_is(containers->items[j].name ?: "", list->items[i].name ?: ""))
                                container = &containers->items[j];
                for (uint32_t j = 0; j < all->count; j++) {
                        const struct place *here = ITEM(FIELD(ITEM(at, i), "allocatedResourcesStatus"), j);

                        if (container)
                                check_allocated_name(v, FIELD(here, "name"), all->items[j].name ?: "", container);
                        check_health(v, here, &all->items[j]);
                }
        }
}

static void check_container_statuses(struct validation *v, const struct kube_pod *pod) {
        const struct place *usual = FIELD(&status_place, "containerStatuses"),
                           *init = FIELD(&status_place, "initContainerStatuses"),
                           *ephemeral = FIELD(&status_place, "ephemeralContainerStatuses");
        const struct kube_pod_status *s = &pod->status;

        check_users(v, usual, &s->container_statuses, pod->spec.os);
        check_users(v, init, &s->init_container_statuses, pod->spec.os);
        check_users(v, ephemeral, &s->ephemeral_container_statuses, pod->spec.os);
        check_allocated(v, usual, &s->container_statuses, &pod->spec.containers);
        check_allocated(v, init, &s->init_container_statuses, &pod->spec.init_containers);
        for (uint32_t i = 0; i < s->ephemeral_container_statuses.count; i++)
                if (s->ephemeral_container_statuses.items[i].allocated_resources_status.count > 0)
                        validate_forbidden(v, FIELD(ITEM(ephemeral, i), "allocatedResourcesStatus"),
                                           "must not be specified in container status");
}

/* --- all of it --- */

static void check_nodes(struct validation *v, const struct kube_pod *pod, const struct kube_pod *old) {
        const char *nominated = pod->status.nominated_node_name ?: "", *before = old->status.nominated_node_name ?: "";
        const struct place *at = FIELD(&status_place, "nominatedNodeName");

        if (!kube_is(pod->spec.node_name ?: "", old->spec.node_name ?: ""))
                validate_forbidden(v, FIELD(&status_place, "nodeName"), "may not be changed directly");
        if (!*nominated || strcmp(nominated, before) == 0)
                return;
        validate_name(v, at, NAME_SUBDOMAIN, nominated);
        if (old->spec.node_name && *old->spec.node_name)
                validate_forbidden(v, at, "may not be set on pods that are already bound to a node");
}

void validate_pod_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_pod *pod = object, *old = old_object;
        const struct pod_options options = validate_pod_options(v, NULL, &old->metadata);

        validate_meta_update(v, &pod->metadata, &old->metadata);
        validate_annotation_changes(v, pod, old, &options);
        check_conditions(v, &pod->status.conditions);
        check_nodes(v, pod, old);
        if (pod->status.observed_generation < 0)
                validate_invalid_int(v, FIELD(&status_place, "observedGeneration"), pod->status.observed_generation,
                                     "must be a non-negative integer");
        /* It is there from the beginning (PrepareForCreate). */
        if (old->status.qos_class && *old->status.qos_class)
                validate_immutable_field(v, FIELD(&status_place, "qosClass"), &kube_pod_status_type, "qosClass",
                                         &pod->status, &old->status);
        check_transitions(v, &pod->status, &old->status, &old->spec);
        check_claims(v, &pod->status, &pod->spec);
        check_extended(v, &pod->status, &pod->spec);
        check_pod_ips(v, &pod->status, &old->status);
        check_host_ips(v, &pod->status, &old->status);
        check_container_statuses(v, pod);
}
