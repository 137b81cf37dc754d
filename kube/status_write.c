#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kube/field.h"
#include "kube/pod_fields.h"
#include "kube/resources.h"
#include "kube/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

const char *kube_time(int64_t milliseconds, char ret_text[KUBE_TIME_MAX]) {
        time_t seconds = (time_t)(milliseconds / 1000);
        struct tm tm;

        gmtime_r(&seconds, &tm);
        if (strftime(ret_text, KUBE_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                ret_text[0] = '\0';
        return ret_text;
}

static void add_time(struct json_writer *w, const char *key, int64_t milliseconds) {
        char text[KUBE_TIME_MAX];

        if (milliseconds > 0)
                json_add_string(w, key, kube_time(milliseconds, text));
}

/* A container that never ran began, for kubelet, when time did. */
static void add_start(struct json_writer *w, int64_t milliseconds) {
        char text[KUBE_TIME_MAX];

        if (milliseconds >= 0)
                json_add_string(w, "startedAt", kube_time(milliseconds, text));
}

static void write_terminated(struct json_writer *w, const struct pod_container_state *s) {
        json_add_int(w, "exitCode", s->exit_code);
        if (s->signal != 0)
                json_add_int(w, "signal", s->signal);
        json_add_string_if(w, "reason", s->reason);
        json_add_string_if(w, "message", s->message);
        add_start(w, s->started_at);
        add_time(w, "finishedAt", s->finished_at);
        json_add_string_if(w, "containerID", s->container_id);
}

/* { "running": { ... } }; an empty map for a state there never was. */
static void write_state(struct json_writer *w, const char *key, const struct pod_container_state *s) {
        static const char *const names[] = { "waiting", "running", "terminated" };

        json_key(w, key);
        json_begin_map(w);
        if (s) {
                json_key(w, names[s->kind]);
                json_begin_map(w);
                if (s->kind == STATE_TERMINATED) {
                        write_terminated(w, s);
                } else if (s->kind == STATE_RUNNING) {
                        add_time(w, "startedAt", s->started_at);
                } else {
                        json_add_string_if(w, "reason", s->reason);
                        json_add_string_if(w, "message", s->message);
                }
                json_end_map(w);
        }
        json_end_map(w);
}

static void write_user(struct json_writer *w, const struct pod_container_status *s) {
        json_key(w, "user");
        json_begin_map(w);
        json_key(w, "linux");
        json_begin_map(w);
        json_add_int(w, "gid", s->gid);
        json_key(w, "supplementalGroups");
        json_begin_list(w);
        for (uint32_t i = 0; i < s->n_supplemental_groups; i++)
                json_int(w, s->supplemental_groups[i]);
        json_end_list(w);
        json_add_int(w, "uid", s->uid);
        json_end_map(w);
        json_end_map(w);
}

static void write_resources(struct json_writer *w, const struct pod_resources *resources) {
        char text[QUANTITY_TEXT_MAX];

        if (resources->requests.count > 0) {
                json_key(w, "allocatedResources");
                json_begin_map(w);
                list_for_each (r, &resources->requests)
                        json_add_string(w, r->name, quantity_format(r->amount, text));
                json_end_map(w);
        }
        json_key(w, "resources");
        object_write(w, &resources_type, resources);
}

/* While it runs, the limit of memory is what the runtime has: bytes, without the spelling of the spec. */
static int write_container_resources(struct json_writer *w, const struct pod_container_status *s) {
        struct pod_resources resources = s->container->resources;
        _cleanup_free_ struct resource_amount *limits = calloc(resources.limits.count + 1, sizeof(*limits));

        if (!limits)
                return -ENOMEM;
        for (uint32_t i = 0; i < resources.limits.count; i++) {
                limits[i] = resources.limits.items[i];
                if (s->state.kind == STATE_RUNNING && strcmp(limits[i].name, "memory") == 0)
                        limits[i].amount = quantity_restyle(limits[i].amount, QUANTITY_BINARY);
        }
        resources.limits.items = limits;
        write_resources(w, &resources);
        return 0;
}

static void write_mounts(struct json_writer *w, const struct pod_container *c) {
        json_key(w, "volumeMounts");
        json_begin_list(w);
        list_for_each (mount, &c->volume_mounts) {
                json_begin_map(w);
                json_add_string(w, "name", mount->name);
                json_add_string(w, "mountPath", mount->mount_path);
                if (mount->read_only) {
                        json_add_bool(w, "readOnly", true);
                        json_add_string(w, "recursiveReadOnly",
                                        mount->recursive_read_only >= RRO_IF_POSSIBLE ? "Enabled" : "Disabled");
                }
                json_end_map(w);
        }
        json_end_list(w);
}

static int write_container(struct json_writer *w, const struct pod_container_status *s) {
        int r = 0;

        json_begin_map(w);
        json_add_string(w, "name", s->container->name);
        write_state(w, "state", &s->state);
        write_state(w, "lastState", s->has_last ? &s->last_state : NULL);
        json_add_bool(w, "ready", s->ready);
        json_add_int(w, "restartCount", s->restart_count);
        json_add_string(w, "image", s->image ?: s->container->image);
        json_add_string(w, "imageID", s->image_id ?: "");
        json_add_string_if(w, "containerID", s->container_id);
        if (s->started != TRI_UNSET)
                json_add_bool(w, "started", s->started == TRI_TRUE);
        if (s->exists)
                r = write_container_resources(w, s);
        if (s->container->volume_mounts.count > 0)
                write_mounts(w, s->container);
        if (s->has_user)
                write_user(w, s);
        json_add_string_if(w, "stopSignal", s->stop_signal);
        json_end_map(w);
        return r;
}

static int by_name(const void *a, const void *b) {
        const struct pod_container_status *const *one = a, *const *other = b;

        return strcmp((*one)->container->name, (*other)->container->name);
}

/* Init containers in their order, the others by name. */
static int write_containers(struct json_writer *w, const char *key, const struct pod_container_status *list,
                            uint32_t count, bool sorted) {
        _cleanup_free_ const struct pod_container_status **order = NULL;

        if (count == 0 || !list)
                return 0;
        order = calloc(count, sizeof(*order));
        if (!order)
                return -ENOMEM;
        for (uint32_t i = 0; i < count; i++)
                order[i] = &list[i];
        if (sorted)
                qsort(order, count, sizeof(*order), by_name);
        json_key(w, key);
        json_begin_list(w);
        for (uint32_t i = 0; i < count; i++)
                if (write_container(w, order[i]) < 0)
                        return -ENOMEM;
        json_end_list(w);
        return 0;
}

static void write_conditions(struct json_writer *w, const struct pod_status *status) {
        json_key(w, "conditions");
        json_begin_list(w);
        for (uint32_t i = 0; i < status->n_conditions; i++) {
                const struct pod_condition *c = &status->conditions[i];

                json_begin_map(w);
                json_add_string(w, "type", c->type);
                json_add_string(w, "status", c->status ? "True" : "False");
                json_key(w, "lastProbeTime");
                json_null(w);
                add_time(w, "lastTransitionTime", c->last_transition);
                json_add_string_if(w, "reason", c->reason);
                json_add_string_if(w, "message", c->message);
                json_end_map(w);
        }
        json_end_list(w);
}

/* [ { "ip": "10.0.0.1" } ] */
static void write_ips(struct json_writer *w, const char *key, const char *const *ips, uint32_t count) {
        json_key(w, key);
        json_begin_list(w);
        for (uint32_t i = 0; i < count; i++) {
                json_begin_map(w);
                json_add_string(w, "ip", ips[i]);
                json_end_map(w);
        }
        json_end_list(w);
}

/* What the pod as a whole has. */
static int write_pod_resources(struct json_writer *w, const struct pod *pod) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_resources sums = { 0 };

        if (!arena || !pod_requests(arena, pod, &sums.requests) ||
            !pod_add_overhead(arena, pod, false, &sums.requests) || !pod_limits(arena, pod, &sums.limits) ||
            !pod_add_overhead(arena, pod, true, &sums.limits))
                return -ENOMEM;
        write_resources(w, &sums);
        return 0;
}

int pod_status_write(const struct pod *pod, const struct pod_status *status, struct json_writer *w) {
        json_begin_map(w);
        json_add_string(w, "phase", pod_phase_name(status->phase));
        if (status->n_conditions > 0)
                write_conditions(w, status);
        json_add_string_if(w, "message", status->message);
        json_add_string_if(w, "reason", status->reason);
        if (status->host_ip) {
                json_add_string(w, "hostIP", status->host_ip);
                write_ips(w, "hostIPs", &status->host_ip, 1);
        }
        if (status->n_pod_ips > 0) {
                json_add_string(w, "podIP", status->pod_ips[0]);
                write_ips(w, "podIPs", status->pod_ips, status->n_pod_ips);
        }
        add_time(w, "startTime", status->start_time);
        if (write_containers(w, "initContainerStatuses", status->init, pod->spec.init_containers.count, false) < 0 ||
            write_containers(w, "containerStatuses", status->containers, pod->spec.containers.count, true) < 0 ||
            write_containers(w, "ephemeralContainerStatuses", status->ephemeral, pod->spec.ephemeral_containers.count,
                             true) < 0 ||
            (status->containers && write_pod_resources(w, pod) < 0))
                return -ENOMEM;
        json_add_string(w, "qosClass", pod_qos_name(pod_qos(pod)));
        json_end_map(w);
        return 0;
}
