#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "kube/check/probe.h"

#define RESTART_RULES_MAX 20
#define RESTART_EXIT_CODES_MAX 255

static void check_port_number(struct check *c, const char *child, int32_t port) {
        if (port < 1 || port > 65535)
                check_invalid_int(c, child, port, "must be between 1 and 65535, inclusive");
}

static void check_protocol(struct check *c, const char *protocol) {
        static const char *const protocols[] = { "SCTP", "TCP", "UDP", NULL };

        for (size_t i = 0; protocols[i]; i++)
                if (strcmp(protocols[i], protocol) == 0)
                        return;
        check_unsupported(c, ".protocol", protocol, protocols);
}

static void check_ports(struct check *c, const struct kube_container *container) {
        for (uint32_t i = 0; i < container->ports.count; i++) {
                const struct kube_container_port *port = &container->ports.items[i];
                size_t before = TRAIL_ENTER(c, ".ports[%u]", i);

                check_name_if(c, ".name", NAME_PORT, port->name);
                for (uint32_t j = 0; j < i && port->name; j++)
                        if (container->ports.items[j].name && strcmp(container->ports.items[j].name, port->name) == 0)
                                check_duplicate(c, ".name", port->name);
                check_protocol(c, port->protocol);
                if (port->container_port == 0)
                        check_required(c, ".containerPort", "");
                else
                        check_port_number(c, ".containerPort", port->container_port);
                if (port->host_port != 0)
                        check_port_number(c, ".hostPort", port->host_port);
                if (port->host_ip)
                        check_ip(c, ".hostIP", port->host_ip);
                TRAIL_LEAVE(c, before);
        }
}

static void check_propagation(struct check *c, const struct kube_container *container,
                              const struct kube_volume_mount *mount) {
        static const char *const propagations[] = { "Bidirectional", "HostToContainer", "None", NULL };
        static const char *const recursive[] = { "Disabled", "Enabled", "IfPossible", NULL };
        bool privileged = container->security_context && container->security_context->privileged == TRI_TRUE;

        check_choice(c, ".mountPropagation", mount->mount_propagation, propagations);
        check_choice(c, ".recursiveReadOnly", mount->recursive_read_only, recursive);
        if (kube_is(mount->mount_propagation, "Bidirectional") && !privileged)
                check_forbidden(c, ".mountPropagation",
                                "Bidirectional mount propagation is available only to privileged containers");
        if (!mount->recursive_read_only || kube_is(mount->recursive_read_only, "Disabled"))
                return;
        if (!mount->read_only)
                check_forbidden(c, ".recursiveReadOnly", "may only be specified when readOnly is true");
        if (mount->mount_propagation && !kube_is(mount->mount_propagation, "None"))
                check_forbidden(c, ".recursiveReadOnly",
                                "may only be specified when mountPropagation is None or not specified");
}

static void check_mount(struct check *c, const struct kube_container *container, uint32_t index) {
        const struct kube_volume_mount *mount = &container->volume_mounts.items[index];

        if (!mount->name)
                check_required(c, ".name", "");
        if (!check_has_volume(c, mount->name))
                check_not_found(c, ".name", mount->name);
        if (!mount->mount_path)
                check_required(c, ".mountPath", "");
        for (uint32_t i = 0; i < index && mount->mount_path; i++) {
                const char *other = container->volume_mounts.items[i].mount_path;

                if (other && strcmp(other, mount->mount_path) == 0) {
                        check_invalid(c, ".mountPath", mount->mount_path, "must be unique");
                        break;
                }
        }
        if (mount->sub_path)
                check_relative(c, ".subPath", mount->sub_path);
        if (mount->sub_path && mount->sub_path_expr)
                check_invalid(c, ".subPathExpr", mount->sub_path_expr,
                              "subPathExpr and subPath are mutually exclusive");
        if (mount->sub_path_expr)
                check_relative(c, ".subPathExpr", mount->sub_path_expr);
        check_propagation(c, container, mount);
}

/* Block devices come only from claims, which a pod without an API cannot have; what is said of them is checked. */
static void check_device(struct check *c, const struct kube_container *container, uint32_t index) {
        const struct kube_volume_device *device = &container->volume_devices.items[index];
        const struct kube_volume *volume = device->name ? pod_find_volume(c->pod, device->name) : NULL;

        if (!device->name)
                check_required(c, ".name", "");
        else if (!volume)
                check_not_found(c, ".name", device->name);
        else if (!volume->persistent_volume_claim && !volume->ephemeral)
                check_invalid(c, ".name", device->name,
                              "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        if (!device->device_path)
                check_required(c, ".devicePath", "");
        else
                check_no_backsteps(c, ".devicePath", device->device_path);
}

static void check_mounts(struct check *c, const struct kube_container *container) {
        size_t before;

        check_no_effect(c, ".volumeDevices", container->volume_devices.items);
        for (uint32_t i = 0; i < container->volume_mounts.count; i++) {
                before = TRAIL_ENTER(c, ".volumeMounts[%u]", i);
                check_mount(c, container, i);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < container->volume_devices.count; i++) {
                before = TRAIL_ENTER(c, ".volumeDevices[%u]", i);
                check_device(c, container, i);
                TRAIL_LEAVE(c, before);
        }
}

static void check_resize(struct check *c, const struct kube_container *container) {
        static const char *const resources[] = { "cpu", "memory", NULL };
        static const char *const restarts[] = { "NotRequired", "RestartContainer", NULL };

        check_no_effect(c, ".resizePolicy", container->resize_policy.items);
        for (uint32_t i = 0; i < container->resize_policy.count; i++) {
                const struct kube_container_resize_policy *policy = &container->resize_policy.items[i];
                size_t before = TRAIL_ENTER(c, ".resizePolicy[%u]", i);

                if (!policy->resource_name)
                        check_required(c, ".resourceName", "");
                check_choice(c, ".resourceName", policy->resource_name, resources);
                if (!policy->restart_policy)
                        check_required(c, ".restartPolicy", "");
                check_choice(c, ".restartPolicy", policy->restart_policy, restarts);
                if (kube_is(policy->restart_policy, "RestartContainer") &&
                    kube_is(c->pod->spec.restart_policy, "Never"))
                        check_invalid(c, ".restartPolicy", "RestartContainer",
                                      "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
                TRAIL_LEAVE(c, before);
        }
}

static void check_exit_codes(struct check *c, const struct kube_container_restart_rule_on_exit_codes *codes) {
        static const char *const operators[] = { "In", "NotIn", NULL };

        if (!codes->operator)
                check_required(c, ".exitCodes.operator", "");
        check_choice(c, ".exitCodes.operator", codes->operator, operators);
        if (codes->values.count > RESTART_EXIT_CODES_MAX)
                check_invalid_int(c, ".exitCodes.values", codes->values.count, "must have at most 255 items");
}

static void check_restart_rules(struct check *c, const struct kube_container *container) {
        static const char *const actions[] = { "Restart", "RestartAllContainers", NULL };
        uint32_t n = container->restart_policy_rules.count;

        check_choice(c, ".restartPolicy", container->restart_policy, check_restart_policies);
        if (n > 0 && !container->restart_policy)
                check_required(c, ".restartPolicy", "must specify restartPolicy when restart rules are used");
        if (n > RESTART_RULES_MAX)
                check_invalid_int(c, ".restartPolicyRules", n, "must have at most 20 items");
        for (uint32_t i = 0; i < n; i++) {
                const struct kube_container_restart_rule *rule = &container->restart_policy_rules.items[i];
                size_t before = TRAIL_ENTER(c, ".restartPolicyRules[%u]", i);

                check_choice(c, ".action", rule->action ?: "", actions);
                if (!rule->exit_codes)
                        check_required(c, ".exitCodes", "must be specified");
                else
                        check_exit_codes(c, rule->exit_codes);
                TRAIL_LEAVE(c, before);
        }
}

const char *const check_pull_policies[] = { "Always", "IfNotPresent", "Never", NULL };
const char *const check_restart_policies[] = { "Always", "Never", "OnFailure", NULL };

static void check_image(struct check *c, const char *image) {
        if (!image) {
                check_required(c, ".image", "");
                return;
        }
        if (isspace((unsigned char)image[0]) || isspace((unsigned char)image[strlen(image) - 1]))
                check_invalid(c, ".image", image, "must not have leading or trailing whitespace");
}

static void check_common(struct check *c, const struct kube_container *container) {
        static const char *const message_policies[] = { "FallbackToLogsOnError", "File", NULL };

        check_name(c, ".name", NAME_LABEL, container->name);
        check_image(c, container->image);
        check_choice(c, ".imagePullPolicy", container->image_pull_policy, check_pull_policies);
        check_choice(c, ".terminationMessagePolicy", container->termination_message_policy, message_policies);
        check_ports(c, container);
        check_env(c, container);
        check_mounts(c, container);
        check_resources(c, &container->resources, false);
        check_resize(c, container);
        check_restart_rules(c, container);
        check_container_security(c, container->security_context);
}

static bool is_taken(const kube_container_items *list, uint32_t count, const char *name) {
        for (uint32_t i = 0; i < count; i++)
                if (list->items[i].name && strcmp(list->items[i].name, name) == 0)
                        return true;
        return false;
}

/* An init container that ends has nothing to probe. */
static void check_init_only(struct check *c, const struct kube_container *container) {
        const struct {
                const char *name;
                const void *given;
        } fields[] = {
                { ".lifecycle", container->lifecycle },
                { ".livenessProbe", container->liveness_probe },
                { ".readinessProbe", container->readiness_probe },
                { ".startupProbe", container->startup_probe },
        };

        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (fields[i].given)
                        check_forbidden(c, fields[i].name,
                                        "may not be set for init containers without restartPolicy=Always");
}

/* The same host port twice, among all containers (@all) or in one. */
static void check_host_ports(struct check *c, const struct kube_container *container, uint32_t port_index,
                             const struct kube_container *other, uint32_t end) {
        const struct kube_container_port *port = &container->ports.items[port_index];
        char text[128];

        for (uint32_t i = 0; i < end; i++) {
                const struct kube_container_port *o = &other->ports.items[i];

                if (port->host_port == 0 || o->host_port != port->host_port ||
                    strcmp(o->protocol, port->protocol) != 0 || strcmp(o->host_ip ?: "", port->host_ip ?: "") != 0)
                        continue;
                snprintf(text, sizeof(text), "%.16s/%.64s/%d", port->protocol, port->host_ip ?: "", port->host_port);
                check_duplicate(c, ".hostPort", text);
                return;
        }
}

/* @list's containers before @index count too, if @all; init containers run one after the other. */
static void check_port_conflicts(struct check *c, const kube_container_items *list, uint32_t index, bool all) {
        const struct kube_container *container = &list->items[index];

        for (uint32_t i = 0; i < container->ports.count; i++) {
                size_t before = TRAIL_ENTER(c, ".ports[%u]", i);

                if (c->pod->spec.host_network &&
                    container->ports.items[i].host_port != container->ports.items[i].container_port)
                        check_invalid_int(c, ".hostPort", container->ports.items[i].host_port,
                                          "must match `containerPort` when `hostNetwork` is true");
                check_host_ports(c, container, i, container, i);
                for (uint32_t j = 0; j < index && all; j++)
                        check_host_ports(c, container, i, &list->items[j], list->items[j].ports.count);
                TRAIL_LEAVE(c, before);
        }
}

static void check_regular(struct check *c) {
        const kube_container_items *list = &c->pod->spec.containers;

        if (list->count == 0)
                check_required(c, ".containers", "");
        for (uint32_t i = 0; i < list->count; i++) {
                size_t before = TRAIL_ENTER(c, ".containers[%u]", i);

                check_common(c, &list->items[i]);
                if (list->items[i].name && is_taken(list, i, list->items[i].name))
                        check_duplicate(c, ".name", list->items[i].name);
                check_probes(c, &list->items[i]);
                check_port_conflicts(c, list, i, true);
                TRAIL_LEAVE(c, before);
        }
}

static void check_init(struct check *c) {
        const kube_container_items *list = &c->pod->spec.init_containers, *regular = &c->pod->spec.containers;

        for (uint32_t i = 0; i < list->count; i++) {
                const struct kube_container *container = &list->items[i];
                size_t before = TRAIL_ENTER(c, ".initContainers[%u]", i);

                check_common(c, container);
                if (container->name &&
                    (is_taken(list, i, container->name) || is_taken(regular, regular->count, container->name)))
                        check_duplicate(c, ".name", container->name);
                if (pod_container_is_sidecar(container))
                        check_probes(c, container);
                else
                        check_init_only(c, container);
                check_port_conflicts(c, list, i, false);
                TRAIL_LEAVE(c, before);
        }
}

void check_containers(struct check *c) {
        check_regular(c);
        check_init(c);
        if (c->pod->spec.ephemeral_containers.count > 0)
                check_forbidden(c, ".ephemeralContainers", "cannot be set on create");
}
