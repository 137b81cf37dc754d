/* EndpointSlices: the pods behind each Service that has a selector. */
#include "api/controllers/slices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "client/recorder.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

struct sync {
        const struct known_object *service; /* of the first turn alone */
        const struct kube_service *typed;
        const char *uid;
        int64_t trigger;
        string_map labels;
};

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

/* --- what is written --- */

static int labels_of(struct arena *arena, const struct known_object *service, const struct kube_service *typed,
                     string_map *ret_labels) {
        const struct string_pair own[] = { { SLICES_MANAGED_BY, SLICES_MANAGER },
                                           { SLICES_SERVICE, service->name },
                                           { BACKENDS_HEADLESS, backends_is_headless(typed) ? "" : NULL } };

        return backends_labels(arena, &service->labels, own, ELEMENTS(own), ret_labels);
}

static int on_written(struct task *task, const struct client_answer *answer, void *data) {
        const struct sync *sync = task_data(task);
        const struct recorder_object object = { "v1", "Service", task_namespace(task), task_name(task), sync->uid };
        const char *message;

        if (client_succeeded(answer) || answer->code == 404 || answer->code == 409)
                return answer->code == 409 ? -ESTALE : 0;
        message = arena_printf(task_arena(task), "Error updating Endpoint Slices for Service %s/%s: %s",
                               task_namespace(task), task_name(task), answer->message);
        if (message)
                controller_tell(task_controller(task), &object,
                                &(struct recorder_note){ "Warning", "FailedToUpdateEndpointSlices", message });
        task_fail(task, answer->code < 0 ? -answer->code : EIO, answer->message);
        return 0;
}

static int on_made(struct task *task, const struct client_answer *answer, void *data) {
        if (answer->code == 403 && strstr(answer->message, "because it is being terminated"))
                return 0;
        return on_written(task, answer, data);
}

static int write_slice(struct task *task, const struct slices_plan *plan, const struct slices_wanted *w) {
        const struct sync *sync = task_data(task);
        const struct slices_owner owner = { .object = plan->service,
                                            .kind = known_of(task, BACKENDS_SERVICES),
                                            .slices = known_of(task, SLICES_SLICES),
                                            .fine = TASK_ALL_IS_FINE,
                                            .made = on_made,
                                            .written = on_written };
        slice s = { .address_type = plan->ipv6 ? "IPv6" : "IPv4", .ports = w->ports, .metadata.labels = sync->labels };
        const string_map none = { 0 };
        int r = backends_annotations(plan->arena, w->there ? &w->before->metadata.annotations : &none, sync->trigger,
                                     &s.metadata.annotations);

        s.endpoints.items = w->endpoints;
        s.endpoints.count = w->n;
        if (w->there && !w->changed)
                s.endpoints = w->before->endpoints;
        return r < 0 ? r : slices_write(task, &owner, w->there, w->before, &s);
}

static int carry_out(struct task *task, const struct slices_plan *plan) {
        const struct sync *sync = task_data(task);
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < plan->n_wanted; i++) {
                const struct slices_wanted *w = &plan->wanted[i];

                if (!task_has_room(task))
                        task_again(task, 0);
                else if (w->removed && w->there)
                        slices_remove(task, known_of(task, SLICES_SLICES), w->there);
                else if (!w->removed && (w->changed || !known_labels_equal(&w->before->metadata.labels, &sync->labels)))
                        r = write_slice(task, plan, w);
        }
        return r;
}

/* --- a sync --- */

static int sync_family(struct task *task, bool ipv6) {
        const struct sync *sync = task_data(task);
        struct slices_plan plan = { .arena = task_arena(task),
                                    .service = sync->service,
                                    .typed = sync->typed,
                                    .ipv6 = ipv6,
                                    .pods = known_of(task, BACKENDS_PODS),
                                    .nodes = known_of(task, SLICES_NODES),
                                    .slices = known_of(task, SLICES_SLICES) };
        int r = slices_gather(&plan);

        if (r < 0 || (r = slices_place(&plan)) < 0)
                return r;
        return carry_out(task, &plan);
}

/* The families that it says; of one that says none, that of its address, or both. */
static bool wants(const struct kube_service *typed, bool ipv6) {
        list_for_each (f, &typed->spec.ip_families)
                if (kube_is(*f, ipv6 ? "IPv6" : "IPv4"))
                        return true;
        if (typed->spec.ip_families.count > 0)
                return false;
        return backends_is_headless(typed) || backends_is_ipv6(typed->spec.cluster_ip) == ipv6;
}

/* Slices of a family that the Service has no more. */
static void remove_family(struct task *task, bool ipv6) {
        const struct sync *sync = task_data(task);
        struct known *slices = known_of(task, SLICES_SLICES);

        for (struct known_walk w = known_first_owned(slices, sync->uid, task_namespace(task)); w.object;
             known_next(&w)) {
                const slice *typed = known_typed(slices, w.object);

                if (typed && !w.object->leaving && kube_is(typed->address_type, ipv6 ? "IPv6" : "IPv4") &&
                    kube_is(known_label(w.object, SLICES_MANAGED_BY), SLICES_MANAGER) && task_has_room(task))
                        slices_remove(task, slices, w.object);
        }
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct known_object *service =
                known_find(known_of(task, BACKENDS_SERVICES), task_namespace(task), task_name(task));
        int64_t trigger = backends_trigger(c, task_key(task));
        struct sync *sync = arena_new_of(task_arena(task), struct sync);
        const struct kube_service *typed = service ? known_typed(known_of(task, BACKENDS_SERVICES), service) : NULL;
        int r;

        if (!service || !sync)
                return sync ? 0 : -ENOMEM;
        if (!typed || service->deleting || !backends_has(service, typed))
                return 0;
        *sync = (struct sync){ .service = service,
                               .typed = typed,
                               .trigger = trigger,
                               .uid = arena_strdup(task_arena(task), service->uid) };
        task_set_data(task, sync);
        r = sync->uid ? labels_of(task_arena(task), service, typed, &sync->labels) : -ENOMEM;
        for (int ipv6 = 0; r == 0 && ipv6 < 2; ipv6++) {
                if (wants(typed, ipv6))
                        r = sync_family(task, ipv6);
                else
                        remove_family(task, ipv6);
        }
        return r;
}

/* --- what makes one due --- */

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        backends_on_pod(controller, 0);
}

static void on_slice(struct controller *controller, const struct client_object *object,
                     const struct client_object *old) {
        slices_on_slice(controller, SLICES_SLICES, SLICES_MANAGER);
}

/* A node's zone is told with its end points: one that is new, or has another, makes the Services of its pods due. */
static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        static const char zone[] = "topology.kubernetes.io/zone";
        const struct known_change change = known_change(controller_known(controller, SLICES_NODES));
        const struct known *services = controller_known(controller, BACKENDS_SERVICES);

        if (!change.now ||
            (change.before && kube_is(known_label(change.before, zone) ?: "", known_label(change.now, zone) ?: "")))
                return;
        for (struct known_walk w = known_first(services, NULL); w.object; known_next(&w))
                if (!w.object->selector.nothing)
                        controller_add_named(controller, w.object->namespace, w.object->name, WORK_SECOND / 50);
}

const struct controller_kind controller_endpointslice = {
        .name = "endpointslice-controller",
        .alias = "endpointslice",
        .component = "endpoint-slice-controller",
        .account = "endpointslice-controller",
        .watches = { { "", "services", NULL, backends_on_service, .known = true },
                     { "", "pods", NULL, on_pod, .known = true },
                     { "discovery.k8s.io", "endpointslices", NULL, on_slice, .known = true },
                     { "", "nodes", NULL, on_node, .known = true } },
        .start = backends_start,
        .stop = backends_stop,
        .reconcile = reconcile,
};
