#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/resources.h"
#include "kube/pod/status.h"
#include "lib/arena.h"

static struct kube_time from_milliseconds(int64_t milliseconds) {
        return (struct kube_time){ .seconds = milliseconds / 1000, .set = true };
}

static struct kube_time if_known(int64_t milliseconds) {
        return milliseconds > 0 ? from_milliseconds(milliseconds) : (struct kube_time){ 0 };
}

/* A container that never ran began, for kubelet, when time did. */
static struct kube_time start_of(int64_t milliseconds) {
        return milliseconds >= 0 ? from_milliseconds(milliseconds) : (struct kube_time){ 0 };
}

static bool make_waiting(struct arena *arena, const struct pod_container_state *s, struct kube_container_state *ret) {
        if (!(ret->waiting = arena_new_of(arena, struct kube_container_state_waiting)))
                return false;
        ret->waiting->reason = s->reason;
        ret->waiting->message = s->message;
        return true;
}

static bool make_running(struct arena *arena, const struct pod_container_state *s, struct kube_container_state *ret) {
        if (!(ret->running = arena_new_of(arena, struct kube_container_state_running)))
                return false;
        ret->running->started_at = if_known(s->started_at);
        return true;
}

static bool make_terminated(struct arena *arena, const struct pod_container_state *s,
                            struct kube_container_state *ret) {
        if (!(ret->terminated = arena_new_of(arena, struct kube_container_state_terminated)))
                return false;
        *ret->terminated = (struct kube_container_state_terminated){
                .exit_code = s->exit_code,
                .signal = s->signal,
                .reason = s->reason,
                .message = s->message,
                .started_at = start_of(s->started_at),
                .finished_at = if_known(s->finished_at),
                .container_id = s->container_id,
        };
        return true;
}

static bool make_state(struct arena *arena, const struct pod_container_state *s, struct kube_container_state *ret) {
        static bool (*const makers[])(struct arena * arena, const struct pod_container_state *s,
                                      struct kube_container_state *ret) = {
                [STATE_WAITING] = make_waiting,
                [STATE_RUNNING] = make_running,
                [STATE_TERMINATED] = make_terminated,
        };

        return makers[s->kind](arena, s, ret);
}

static bool make_user(struct arena *arena, const struct pod_container_status *s, struct kube_container_user **ret) {
        struct kube_container_user *user = arena_new_of(arena, struct kube_container_user);
        int64_t *groups = arena_alloc_array(arena, s->n_supplemental_groups + 1, sizeof(*groups));

        if (!user || !groups || !(user->linux = arena_new_of(arena, struct kube_linux_container_user)))
                return false;
        for (uint32_t i = 0; i < s->n_supplemental_groups; i++)
                groups[i] = s->supplemental_groups[i];
        user->linux->uid = s->uid;
        user->linux->gid = s->gid;
        user->linux->supplemental_groups = (int_list){ groups, s->n_supplemental_groups };
        *ret = user;
        return true;
}

/* What it really has in place of what it is to have, in the spelling of the spec where the two are the same; the limit
 * of memory is what the runtime has: bytes, without that spelling. */
static struct quantity real_amount(const struct resource_amount *wanted, const struct pod_container_size *size,
                                   bool limit) {
        bool cpu = kube_is(wanted->name, "cpu"), memory = kube_is(wanted->name, "memory");
        int64_t has = !size  ? 0 :
                      cpu    ? (limit ? size->cpu_limit : size->cpu_request) :
                      memory ? (limit ? size->memory_limit : size->memory_request) :
                               0;

        if (cpu && has > 0 && has != quantity_milli(wanted->amount))
                return quantity_from_milli(has);
        if (memory && has > 0 && has != quantity_units(wanted->amount))
                return quantity_from_units(has, QUANTITY_BINARY);
        return memory && limit ? quantity_restyle(wanted->amount, QUANTITY_BINARY) : wanted->amount;
}

static bool make_amounts(struct arena *arena, const resource_list *wanted, const struct pod_container_size *size,
                         bool limits, resource_list *ret) {
        struct resource_amount *items = arena_alloc_array(arena, wanted->count + 1, sizeof(*items));

        for (uint32_t i = 0; items && i < wanted->count; i++)
                items[i] =
                        (struct resource_amount){ wanted->items[i].name, real_amount(&wanted->items[i], size, limits) };
        *ret = (resource_list){ items, wanted->count };
        return items;
}

static bool make_resources(struct arena *arena, const struct pod_container_status *s,
                           struct kube_container_status *ret) {
        const struct kube_resource_requirements *wanted = &s->container->resources;

        if (!(ret->resources = arena_new_of(arena, struct kube_resource_requirements)))
                return false;
        *ret->resources = *wanted;
        ret->allocated_resources = wanted->requests;
        return s->state.kind != STATE_RUNNING ||
               (make_amounts(arena, &wanted->limits, s->size, true, &ret->resources->limits) &&
                make_amounts(arena, &wanted->requests, s->size, false, &ret->resources->requests));
}

static bool make_mounts(struct arena *arena, const struct kube_container *c, kube_volume_mount_status_items *ret) {
        struct kube_volume_mount_status *items = arena_alloc_array(arena, c->volume_mounts.count + 1, sizeof(*items));

        if (!items)
                return false;
        *ret = (kube_volume_mount_status_items){ items, c->volume_mounts.count };
        list_for_each (mount, &c->volume_mounts) {
                bool deep = kube_is(mount->recursive_read_only, "Enabled") ||
                            kube_is(mount->recursive_read_only, "IfPossible");

                *items++ = (struct kube_volume_mount_status){
                        .name = mount->name,
                        .mount_path = mount->mount_path,
                        .read_only = mount->read_only,
                        .recursive_read_only = !mount->read_only ? NULL :
                                               deep              ? "Enabled" :
                                                                   "Disabled",
                };
        }
        return true;
}

static bool make_container(struct arena *arena, const struct pod_container_status *s,
                           struct kube_container_status *ret) {
        *ret = (struct kube_container_status){
                .name = s->container->name,
                .ready = s->ready,
                .restart_count = (int32_t)s->restart_count,
                .image = s->image ?: s->container->image,
                .image_id = s->image_id,
                .container_id = s->container_id,
                .started = s->started,
                .stop_signal = s->stop_signal,
                .allocated_resources_status = s->devices,
        };
        return make_state(arena, &s->state, &ret->state) &&
               (!s->has_last || make_state(arena, &s->last_state, &ret->last_state)) &&
               (!s->exists || make_resources(arena, s, ret)) && make_mounts(arena, s->container, &ret->volume_mounts) &&
               (!s->has_user || make_user(arena, s, &ret->user));
}

static int by_name(const void *a, const void *b) {
        const struct kube_container_status *one = a, *other = b;

        return strcmp(one->name, other->name);
}

static bool make_containers(struct arena *arena, const struct pod_container_status *list, uint32_t count,
                            kube_container_status_items *ret) {
        struct kube_container_status *items;

        if (!list)
                return true;
        if (!(items = arena_alloc_array(arena, count + 1, sizeof(*items))))
                return false;
        for (uint32_t i = 0; i < count; i++)
                if (!make_container(arena, &list[i], &items[i]))
                        return false;
        *ret = (kube_container_status_items){ items, count };
        return true;
}

/* Cut where a character begins. */
static bool shorten(struct arena *arena, struct kube_container_state *state, size_t most) {
        const char *text = state->terminated ? state->terminated->message : NULL;

        if (!text || strlen(text) <= most)
                return true;
        while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
                most--;
        return (state->terminated->message = arena_strndup(arena, text, most));
}

static bool shorten_all(struct arena *arena, kube_container_status_items *list, size_t most) {
        list_for_each (s, list)
                if (!shorten(arena, &s->state, most) || !shorten(arena, &s->last_state, most))
                        return false;
        return true;
}

/* Termination messages have room together, and each container the same part of it (status_manager.go,
 * normalizeStatus()). */
static bool share_messages(struct arena *arena, const struct kube_pod_spec *spec, struct kube_pod_status *ret) {
        size_t n = (size_t)spec->init_containers.count + spec->containers.count + spec->ephemeral_containers.count,
               most = POD_STATUS_MESSAGES_MAX / (n ?: 1);

        return shorten_all(arena, &ret->init_container_statuses, most) &&
               shorten_all(arena, &ret->container_statuses, most) &&
               shorten_all(arena, &ret->ephemeral_container_statuses, most);
}

/* Init containers in their order, the others by name. */
static bool make_lists(struct arena *arena, const struct kube_pod_spec *spec, const struct pod_status *status,
                       struct kube_pod_status *ret) {
        kube_container_status_items *containers = &ret->container_statuses;
        kube_container_status_items *ephemeral = &ret->ephemeral_container_statuses;

        if (!make_containers(arena, status->init, spec->init_containers.count, &ret->init_container_statuses) ||
            !make_containers(arena, status->containers, spec->containers.count, containers) ||
            !make_containers(arena, status->ephemeral, spec->ephemeral_containers.count, ephemeral))
                return false;
        if (containers->count > 0)
                qsort(containers->items, containers->count, sizeof(*containers->items), by_name);
        if (ephemeral->count > 0)
                qsort(ephemeral->items, ephemeral->count, sizeof(*ephemeral->items), by_name);
        return share_messages(arena, spec, ret);
}

static bool make_conditions(struct arena *arena, const struct pod_status *status, kube_pod_condition_items *ret) {
        struct kube_pod_condition *items = arena_alloc_array(arena, status->n_conditions + 1, sizeof(*items));

        if (!items)
                return false;
        for (uint32_t i = 0; i < status->n_conditions; i++) {
                const struct pod_condition *c = &status->conditions[i];

                items[i] = (struct kube_pod_condition){
                        .type = c->type,
                        .status = c->status ? "True" : "False",
                        .last_transition_time = if_known(c->last_transition),
                        .reason = c->reason,
                        .message = c->message,
                        .observed_generation = c->observed_generation,
                };
        }
        *ret = (kube_pod_condition_items){ items, status->n_conditions };
        return true;
}

static bool make_addresses(struct arena *arena, const struct pod_status *status, struct kube_pod_status *ret) {
        struct kube_host_ip *host = arena_new_of(arena, struct kube_host_ip);
        struct kube_pod_ip *pods = arena_alloc_array(arena, status->n_pod_ips + 1, sizeof(*pods));

        if (!host || !pods)
                return false;
        host->ip = status->host_ip;
        for (uint32_t i = 0; i < status->n_pod_ips; i++)
                pods[i].ip = status->pod_ips[i];
        ret->host_ip = status->host_ip;
        ret->host_ips = (kube_host_ip_items){ host, status->host_ip ? 1 : 0 };
        ret->pod_ip = status->n_pod_ips > 0 ? status->pod_ips[0] : NULL;
        ret->pod_ips = (kube_pod_ip_items){ pods, status->n_pod_ips };
        return true;
}

/* What the pod as a whole has. */
static bool make_pod_resources(struct arena *arena, const struct pod *pod, struct kube_pod_status *ret) {
        struct kube_resource_requirements *sums = arena_new_of(arena, struct kube_resource_requirements);

        if (!sums || !pod_requests(arena, pod, &sums->requests) ||
            !pod_add_overhead(arena, pod, false, &sums->requests) || !pod_limits(arena, pod, &sums->limits) ||
            !pod_add_overhead(arena, pod, true, &sums->limits))
                return false;
        ret->allocated_resources = sums->requests;
        ret->resources = sums;
        return true;
}

int pod_status_make(struct arena *arena, const struct pod *pod, const struct pod_status *status,
                    struct kube_pod_status *ret_status) {
        struct kube_pod_status made = {
                .phase = pod_phase_name(status->phase),
                .message = status->message,
                .reason = status->reason,
                .start_time = if_known(status->start_time),
                .qos_class = pod_qos_name(pod_qos(pod)),
        };

        if (!make_conditions(arena, status, &made.conditions) || !make_addresses(arena, status, &made) ||
            !make_lists(arena, &pod->spec, status, &made) ||
            (status->containers && !make_pod_resources(arena, pod, &made)))
                return -ENOMEM;
        *ret_status = made;
        return 0;
}
