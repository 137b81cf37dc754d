/* Containers: what they are made of and what of it may stand where. */
#include <string.h>

#include "kube/validate/pod_rules.h"

#define RESTART_RULES_MAX 20
#define RESTART_EXIT_CODES_MAX 255

/* --- ports --- */

static void check_port(struct validation *v, const struct place *at, const struct kube_container_port *port,
                       struct validate_set *names) {
        if (port->name && *port->name) {
                if (name_problem(NAME_PORT, port->name))
                        validate_name(v, FIELD(at, "name"), NAME_PORT, port->name);
                else if (!validate_set_add(v, names, port->name))
                        validate_duplicate(v, FIELD(at, "name"), port->name);
        }
        if (port->container_port == 0)
                validate_required(v, FIELD(at, "containerPort"), "");
        else
                validate_port(v, FIELD(at, "containerPort"), port->container_port);
        if (port->host_port != 0)
                validate_port(v, FIELD(at, "hostPort"), port->host_port);
        if (!port->protocol || !*port->protocol)
                validate_required(v, FIELD(at, "protocol"), "");
        else
                validate_choice(v, FIELD(at, "protocol"), port->protocol, POD_TEXTS("SCTP", "TCP", "UDP"));
}

static void check_ports(struct validation *v, const struct place *at, const struct kube_container *container) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        for (uint32_t i = 0; i < container->ports.count; i++)
                check_port(v, ITEM(at, i), &container->ports.items[i], &names);
}

/* Of the pod's containers; @taken is theirs. */
static void check_host_ports(struct validation *v, const struct place *at, const struct kube_container *container,
                             struct validate_set *taken) {
        for (uint32_t i = 0; i < container->ports.count; i++) {
                const struct kube_container_port *port = &container->ports.items[i];
                const char *text;

                if (port->host_port == 0)
                        continue;
                text = validate_key(v, "%s/%s/%d", port->protocol ?: "", port->host_ip ?: "", port->host_port);
                if (!validate_set_add(v, taken, text))
                        validate_duplicate(v, FIELD(ITEM(FIELD(at, "ports"), i), "hostPort"), text);
        }
}

/* --- restarts --- */

static void check_resize_policies(struct validation *v, const struct place *at, const struct kube_container *container,
                                  const char *pod_policy) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < container->resize_policy.count; i++) {
                const struct kube_container_resize_policy *p = &container->resize_policy.items[i];

                if (!validate_set_add(v, &seen, p->resource_name))
                        validate_duplicate(v, ITEM(at, i), p->resource_name);
                if (!p->resource_name || !*p->resource_name)
                        validate_required(v, at, "");
                else
                        validate_choice(v, at, p->resource_name, POD_TEXTS("cpu", "memory"));
                if (!p->restart_policy || !*p->restart_policy)
                        validate_required(v, at, "");
                else
                        validate_choice(v, at, p->restart_policy, POD_TEXTS("NotRequired", "RestartContainer"));
                if (kube_is(pod_policy, "Never") && !kube_is(p->restart_policy, "NotRequired"))
                        validate_invalid_word(v, at, p->restart_policy,
                                              "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
}

static void check_restart_rule(struct validation *v, const struct place *at,
                               const struct kube_container_restart_rule *rule) {
        const struct place *codes = FIELD(at, "exitCodes");

        validate_choice(v, FIELD(at, "action"), rule->action, POD_TEXTS("Restart", "RestartAllContainers"));
        if (!rule->exit_codes) {
                validate_required(v, codes, "must be specified");
                return;
        }
        validate_choice(v, FIELD(codes, "operator"), rule->exit_codes->operator, POD_TEXTS("In", "NotIn"));
        if (rule->exit_codes->values.count > RESTART_EXIT_CODES_MAX)
                validate_too_many(v, FIELD(codes, "values"), (int)rule->exit_codes->values.count,
                                  RESTART_EXIT_CODES_MAX);
}

static void check_restarts(struct validation *v, const struct place *at, const struct kube_container *container) {
        const kube_container_restart_rule_items *rules = &container->restart_policy_rules;

        if (!container->restart_policy && rules->count == 0)
                return;
        if (!container->restart_policy)
                validate_required(v, FIELD(at, "restartPolicy"),
                                  "must specify restartPolicy when restart rules are used");
        else
                validate_choice(v, FIELD(at, "restartPolicy"), container->restart_policy,
                                POD_TEXTS("Always", "Never", "OnFailure"));
        if (rules->count > RESTART_RULES_MAX)
                validate_too_many(v, FIELD(at, "restartPolicyRules"), (int)rules->count, RESTART_RULES_MAX);
        for (uint32_t i = 0; i < rules->count; i++)
                check_restart_rule(v, ITEM(FIELD(at, "restartPolicyRules"), i), &rules->items[i]);
}

/* Without a policy the rules are not looked at. */
static void check_init_restarts(struct validation *v, const struct place *at, const struct kube_container *container) {
        if (container->restart_policy)
                check_restarts(v, at, container);
        else if (container->restart_policy_rules.count > 0)
                validate_required(v, FIELD(at, "restartPolicy"),
                                  "must specify restartPolicy when restart rules are used");
}

/* --- what all have --- */

void validate_pull_policy(struct validation *v, const struct place *at, const char *policy) {
        if (!policy || !*policy)
                validate_required(v, at, "");
        else
                validate_choice(v, at, policy, POD_TEXTS("Always", "IfNotPresent", "Never"));
}

static void check_message_policy(struct validation *v, const struct place *at, const char *policy) {
        if (!policy || !*policy)
                validate_required(v, at, "");
        else
                validate_choice(v, at, policy, POD_TEXTS("File", "FallbackToLogsOnError"));
}

static void check_container(struct validation *v, const struct place *at, const struct kube_container *container,
                            const struct pod_case *c) {
        const struct validate_requirements rules = { validate_container_resource, &c->claims,
                                                     c->options.indivisible_pages };

        validate_name_required(v, FIELD(at, "name"), NAME_LABEL, container->name);
        if (!container->image || !*container->image)
                validate_required(v, FIELD(at, "image"), "");
        check_message_policy(v, FIELD(at, "terminationMessagePolicy"), container->termination_message_policy);
        check_ports(v, FIELD(at, "ports"), container);
        validate_env(v, at, container);
        validate_mounts(v, at, container, c);
        validate_pull_policy(v, FIELD(at, "imagePullPolicy"), container->image_pull_policy);
        validate_requirements(v, FIELD(at, "resources"), &container->resources, &rules);
        check_resize_policies(v, FIELD(at, "resizePolicy"), container, c->spec->restart_policy);
        validate_security(v, FIELD(at, "securityContext"), container->security_context, c->host_users);
}

static bool is_blank(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

void validate_image_blanks(struct validation *v, const struct place *at, const struct kube_container *container) {
        const char *image = container->image ?: "";

        if (*image && (is_blank(image[0]) || is_blank(image[strlen(image) - 1])))
                validate_invalid(v, FIELD(at, "image"), image, "must not have leading or trailing whitespace");
}

/* --- the three lists --- */

void validate_containers(struct validation *v, const struct place *at, struct pod_case *c) {
        _cleanup_validate_set_ struct validate_set names = { 0 }, ports = { 0 };
        const kube_container_items *list = &c->spec->containers;

        if (list->count == 0)
                validate_required(v, at, "");
        for (uint32_t i = 0; i < list->count; i++) {
                const struct place *here = ITEM(at, i);

                check_container(v, here, &list->items[i], c);
                if (!validate_set_add(v, &names, list->items[i].name))
                        validate_duplicate(v, FIELD(here, "name"), list->items[i].name);
                validate_probes(v, here, &list->items[i], c);
                check_restarts(v, here, &list->items[i]);
        }
        for (uint32_t i = 0; i < list->count; i++)
                check_host_ports(v, ITEM(at, i), &list->items[i], &ports);
}

/* Only those that go on running have something to probe. */
static void check_no_probes(struct validation *v, const struct place *at, const struct kube_container *container) {
        static const char text[] = "may not be set for init containers without restartPolicy=Always";

        if (container->lifecycle)
                validate_forbidden(v, FIELD(at, "lifecycle"), text);
        if (container->liveness_probe)
                validate_forbidden(v, FIELD(at, "livenessProbe"), text);
        if (container->readiness_probe)
                validate_forbidden(v, FIELD(at, "readinessProbe"), text);
        if (container->startup_probe)
                validate_forbidden(v, FIELD(at, "startupProbe"), text);
}

static void check_resized_init(struct validation *v, const struct place *at, const struct kube_container *container) {
        for (uint32_t i = 0; i < container->resize_policy.count; i++)
                if (kube_is(container->resize_policy.items[i].restart_policy, "RestartContainer"))
                        validate_invalid_word(v, FIELD(ITEM(FIELD(at, "resizePolicy"), i), "restartPolicy"),
                                              "RestartContainer",
                                              "must not be set to 'RestartContainer' for non-sidecar initContainers");
}

static void check_init_container(struct validation *v, const struct place *list, uint32_t i, struct pod_case *c,
                                 struct validate_set *names) {
        _cleanup_validate_set_ struct validate_set ports = { 0 };
        const struct kube_container *container = &c->spec->init_containers.items[i];
        bool sidecar = kube_is(container->restart_policy, "Always");
        const struct place *here = ITEM(list, i);

        check_container(v, here, container, c);
        check_init_restarts(v, here, container);
        if (validate_set_has(names, container->name))
                validate_duplicate(v, FIELD(here, "name"), container->name);
        else if (container->name && *container->name)
                validate_set_add(v, names, container->name);
        /* Each by itself: they take turns. kube-apiserver calls each the first. */
        check_host_ports(v, ITEM(list, 0), container, &ports);
        if (sidecar)
                validate_probes(v, here, container, c);
        else
                check_no_probes(v, here, container);
        if (!sidecar && !c->options.init_restarts)
                check_resized_init(v, here, container);
}

static void add_names(struct validation *v, struct validate_set *names, const kube_container_items *list) {
        list_for_each (container, list)
                validate_set_add(v, names, container->name);
}

void validate_init_containers(struct validation *v, const struct place *at, struct pod_case *c) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        if (c->spec->init_containers.count == 0)
                return;
        add_names(v, &names, &c->spec->containers);
        for (uint32_t i = 0; i < c->spec->init_containers.count; i++)
                check_init_container(v, at, i, c, &names);
}

static void check_allowed(struct validation *v, const struct place *at, const struct kube_container *container) {
        const struct {
                const char *name;
                bool given;
        } fields[] = {
                { "ports", container->ports.items },
                { "resources", container->resources.limits.count > 0 || container->resources.requests.count > 0 ||
                                       container->resources.claims.count > 0 },
                { "resizePolicy", container->resize_policy.items },
                { "restartPolicy", container->restart_policy != NULL },
                { "restartPolicyRules", container->restart_policy_rules.items },
                { "livenessProbe", container->liveness_probe != NULL },
                { "readinessProbe", container->readiness_probe != NULL },
                { "startupProbe", container->startup_probe != NULL },
                { "lifecycle", container->lifecycle != NULL },
        };

        for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
                if (fields[i].given)
                        validate_forbidden(v, FIELD(at, fields[i].name), "cannot be set for an Ephemeral Container");
}

static void check_whole_mounts(struct validation *v, const struct place *at, const struct kube_container *container) {
        for (uint32_t i = 0; i < container->volume_mounts.count; i++) {
                const struct kube_volume_mount *mount = &container->volume_mounts.items[i];
                const struct place *here = ITEM(FIELD(at, "volumeMounts"), i);

                if (mount->sub_path && *mount->sub_path)
                        validate_forbidden(v, FIELD(here, "subPath"), "cannot be set for an Ephemeral Container");
                if (mount->sub_path_expr && *mount->sub_path_expr)
                        validate_forbidden(v, FIELD(here, "subPathExpr"), "cannot be set for an Ephemeral Container");
        }
}

void validate_ephemeral_containers(struct validation *v, const struct place *at, struct pod_case *c) {
        _cleanup_validate_set_ struct validate_set others = { 0 }, names = { 0 };
        const kube_ephemeral_container_items *list = &c->spec->ephemeral_containers;

        if (list->count == 0)
                return;
        add_names(v, &others, &c->spec->containers);
        add_names(v, &others, &c->spec->init_containers);
        for (uint32_t i = 0; i < list->count; i++) {
                const struct kube_container *container = &list->items[i].container;
                const char *target = list->items[i].target_container_name;
                const struct place *here = ITEM(at, i);

                check_container(v, here, container, c);
                validate_image_blanks(v, here, container);
                if (validate_set_has(&others, container->name) || !validate_set_add(v, &names, container->name))
                        validate_duplicate(v, FIELD(here, "name"), container->name);
                if (target && *target && !validate_set_has(&others, target))
                        validate_not_found(v, FIELD(here, "targetContainerName"), target, "");
                check_allowed(v, here, container);
                check_whole_mounts(v, here, container);
        }
}

bool validate_next_container(const struct kube_pod_spec *spec, struct container_visit *visit) {
        const uint32_t init = spec->init_containers.count, usual = spec->containers.count,
                       ephemeral = spec->ephemeral_containers.count;

        if (!visit->list)
                *visit = (struct container_visit){ .list = "initContainers" };
        else
                visit->index++;
        if (strcmp(visit->list, "initContainers") == 0) {
                if (visit->index < init) {
                        visit->container = &spec->init_containers.items[visit->index];
                        return true;
                }
                *visit = (struct container_visit){ .list = "containers" };
        }
        if (strcmp(visit->list, "containers") == 0) {
                if (visit->index < usual) {
                        visit->container = &spec->containers.items[visit->index];
                        return true;
                }
                *visit = (struct container_visit){ .list = "ephemeralContainers" };
        }
        if (visit->index >= ephemeral)
                return false;
        visit->container = &spec->ephemeral_containers.items[visit->index].container;
        return true;
}
