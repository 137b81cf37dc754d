/* A pod that comes from a file, not by way of an API server: all that one refuses (kube/validate), what a node asks
 * beside it, and warnings of what has no effect here. */
#include <string.h>

#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "kube/validate/pod.h"
#include "lib/ip.h"
#include "lib/trail.h"

/* Where one is. */
struct check {
        const struct pod *pod;
        struct problems *problems;
        char path[FIELD_PATH_MAX];
        size_t length;
};

/* --- warnings --- */

static void warn_no_effect(struct check *c, const char *child, const void *given) {
        size_t before;

        if (!given)
                return;
        before = TRAIL_ENTER(c, "%s", child);
        problem_warning(c->problems, c->path, "not supported, has no effect");
        TRAIL_LEAVE(c, before);
}

/* Sources that something here mounts. */
static bool is_mounted(const char *source) {
        static const char *const sources[] = { "configMap", "downwardAPI",           "emptyDir",  "hostPath",
                                               "image",     "persistentVolumeClaim", "projected", "secret" };

        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
                if (strcmp(sources[i], source) == 0)
                        return true;
        return false;
}

static void warn_volumes(struct check *c) {
        for (uint32_t i = 0; i < c->pod->spec.volumes.count; i++) {
                const void *source;
                const struct kube_field *field = pod_volume_source(&c->pod->spec.volumes.items[i], &source);
                size_t before;

                if (!field || is_mounted(field->name))
                        continue;
                before = TRAIL_ENTER(c, ".volumes[%u].%s", i, field->name);
                problem_warning(c->problems, c->path, "volumes of type %s are not supported; the pod will not start",
                                field->name);
                TRAIL_LEAVE(c, before);
        }
}

/* A name that is a port's, of a container that has none of that name. */
static void warn_port(struct check *c, const char *child, const struct kube_container *container,
                      const struct int_or_string *port) {
        size_t before;

        if (!port->text || name_problem(NAME_PORT, port->text) || pod_resolve_port(container, port) != 0)
                return;
        before = TRAIL_ENTER(c, "%s.port", child);
        problem_warning(c->problems, c->path,
                        "no port of container %.64s is named \"%.64s\"; it fails until there is one",
                        container->name ?: "", port->text);
        TRAIL_LEAVE(c, before);
}

static void warn_handler(struct check *c, const char *child, const struct kube_container *container,
                         const struct kube_http_get_action *get, const struct kube_tcp_socket_action *tcp) {
        size_t before = TRAIL_ENTER(c, "%s", child);

        if (get)
                warn_port(c, ".httpGet", container, &get->port);
        if (tcp)
                warn_port(c, ".tcpSocket", container, &tcp->port);
        TRAIL_LEAVE(c, before);
}

static void warn_probes(struct check *c, const struct kube_container *container) {
        const struct kube_lifecycle *l = container->lifecycle;
        const struct {
                const char *name;
                const struct kube_probe *probe;
        } probes[] = { { ".livenessProbe", container->liveness_probe },
                       { ".readinessProbe", container->readiness_probe },
                       { ".startupProbe", container->startup_probe } };

        for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
                if (probes[i].probe)
                        warn_handler(c, probes[i].name, container, probes[i].probe->http_get,
                                     probes[i].probe->tcp_socket);
        if (l && l->post_start)
                warn_handler(c, ".lifecycle.postStart", container, l->post_start->http_get, l->post_start->tcp_socket);
        if (l && l->pre_stop)
                warn_handler(c, ".lifecycle.preStop", container, l->pre_stop->http_get, l->pre_stop->tcp_socket);
}

/* --- containers --- */

/* A host's address that a port is bound to: nobody asks for one but a node, which needs it. */
static void check_host_ip(struct check *c, const struct kube_container *container) {
        for (uint32_t i = 0; i < container->ports.count; i++) {
                const char *address = container->ports.items[i].host_ip;
                struct ip ip;
                size_t before;

                if (!address || ip_parse(address, &ip, NULL) == 0)
                        continue;
                before = TRAIL_ENTER(c, ".ports[%u].hostIP", i);
                problem_error(c->problems, c->path,
                              "Invalid value: \"%.64s\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
                              address);
                TRAIL_LEAVE(c, before);
        }
}

static void check_container(struct check *c, const struct kube_container *container) {
        const struct kube_security_context *s = container->security_context;

        check_host_ip(c, container);
        warn_no_effect(c, ".volumeDevices", container->volume_devices.items);
        warn_no_effect(c, ".resizePolicy", container->resize_policy.items);
        warn_no_effect(c, ".resources.claims", container->resources.claims.items);
        warn_no_effect(c, ".securityContext.windowsOptions", s ? s->windows_options : NULL);
        warn_probes(c, container);
}

static void check_containers(struct check *c, const char *list, const kube_container_items *containers) {
        for (uint32_t i = 0; i < containers->count; i++) {
                size_t before = TRAIL_ENTER(c, ".%s[%u]", list, i);

                check_container(c, &containers->items[i]);
                TRAIL_LEAVE(c, before);
        }
}

/* --- the pod --- */

/* Nothing is refused of them by an API server; a kubelet that reads a file does. */
static void check_projections(struct check *c, const struct kube_projected_volume_source *p) {
        for (uint32_t i = 0; p && i < p->sources.count; i++) {
                const struct kube_volume_projection *s = &p->sources.items[i];
                size_t before;

                if (s->secret || s->downward_api || s->config_map || s->service_account_token ||
                    s->cluster_trust_bundle || s->pod_certificate)
                        continue;
                before = TRAIL_ENTER(c, ".sources[%u]", i);
                problem_error(c->problems, c->path, "Required value: a source of one kind");
                TRAIL_LEAVE(c, before);
        }
}

static void check_volumes(struct check *c) {
        for (uint32_t i = 0; i < c->pod->spec.volumes.count; i++) {
                size_t before = TRAIL_ENTER(c, ".volumes[%u].projected", i);

                check_projections(c, c->pod->spec.volumes.items[i].projected);
                TRAIL_LEAVE(c, before);
        }
}

/* A kubelet looks at none; here as there it is a directory's name, in ROOT, in /var/log/pods and in each cgroup. */
static void check_uid(struct check *c) {
        const char *uid = c->pod->metadata.uid;

        if (!uid)
                return;
        for (const char *p = uid; *p; p++)
                if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f) {
                        problem_error(c->problems, "metadata.uid",
                                      "Invalid value: \"%.250s\": must not contain '/' or control characters", uid);
                        return;
                }
        if (!*uid || strcmp(uid, ".") == 0 || strcmp(uid, "..") == 0 || strlen(uid) > POD_UID_MAX)
                problem_error(c->problems, "metadata.uid",
                              "Invalid value: \"%.250s\": must be a directory's name of at most 128 bytes", uid);
}

static void check_spec(struct check *c) {
        const struct kube_pod_spec *spec = &c->pod->spec;
        const struct kube_pod_security_context *s = spec->security_context;

        TRAIL_ENTER(c, "spec");
        check_volumes(c);
        warn_volumes(c);
        check_containers(c, "initContainers", &spec->init_containers);
        check_containers(c, "containers", &spec->containers);
        warn_no_effect(c, ".resources.claims", spec->resources ? spec->resources->claims.items : NULL);
        warn_no_effect(c, ".securityContext.windowsOptions", s ? s->windows_options : NULL);
        warn_no_effect(c, ".securityContext.seLinuxChangePolicy", s ? s->se_linux_change_policy : NULL);
        warn_no_effect(c, ".schedulingGroup", spec->scheduling_group);
        warn_no_effect(c, ".topologySpreadConstraints", spec->topology_spread_constraints.items);
}

int pod_validate(const struct pod *pod, struct problems *problems) {
        struct validation v = { .problems = problems, .arena = problems->arena, .namespaced = true };
        struct check c = { .pod = pod, .problems = problems };

        validate_new_pod(&v, &pod->metadata, &pod->spec);
        check_uid(&c);
        check_spec(&c);
        return v.error;
}
