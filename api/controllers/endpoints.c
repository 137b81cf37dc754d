/* Endpoints: the same pods once more, in the one object that older clients look at. */
#include <errno.h>
#include <string.h>

#include "api/controllers/endpoints.h"
#include "api/controllers/kinds.h"
#include "api/controllers/task_answers.h"
#include "client/recorder.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define GATHER (WORK_SECOND / 100) /* it is one object for all pods: what changes at once is one write */
#define LEADER "\"control-plane.alpha.kubernetes.io/leader\":"

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

/* --- metadata --- */

static int labels_of(struct arena *arena, const struct known_object *service, const struct kube_service *typed,
                     string_map *ret_labels) {
        const struct string_pair own[] = { { ENDPOINTS_MANAGED_BY, ENDPOINTS_MANAGER },
                                           { BACKENDS_HEADLESS, backends_is_headless(typed) ? "" : NULL } };

        return backends_labels(arena, &service->labels, own, ELEMENTS(own), ret_labels);
}

static int annotations_of(struct arena *arena, const string_map *there, int64_t trigger, bool truncated,
                          string_map *ret_annotations) {
        const struct string_pair own[] = { { ENDPOINTS_OVER_CAPACITY, truncated ? "truncated" : NULL } };
        int r = backends_annotations(arena, there, trigger, ret_annotations);

        return r ?: backends_labels(arena, ret_annotations, own, ELEMENTS(own), ret_annotations);
}

/* --- writing --- */

static int on_written(struct task *task, const struct client_answer *answer, void *data) {
        const struct kube_endpoints *e = data;
        bool made = !e->metadata.resource_version;
        const struct recorder_object object = { "v1", "Endpoints", task_namespace(task), task_name(task),
                                                e->metadata.uid ?: "" };
        const char *message;

        if (client_succeeded(answer) || (made && task_is_leaving(answer)))
                return 0;
        if (answer->code == 409)
                return -ESTALE;
        message = arena_printf(task_arena(task), "Failed to %s endpoint%s %s/%s: %s", made ? "create" : "update",
                               made ? " for service" : "", task_namespace(task), task_name(task), answer->message);
        if (message)
                controller_tell(task_controller(task), &object,
                                &(struct recorder_note){ "Warning",
                                                         made ? "FailedToCreateEndpoint" : "FailedToUpdateEndpoint",
                                                         message });
        task_fail(task, answer->code < 0 ? -answer->code : EIO, answer->message);
        return 0;
}

static bool is_right(const struct kube_endpoints *there, const struct endpoints_plan *plan, const string_map *labels) {
        return plan->total <= ENDPOINTS_ADDRESSES_MAX && known_labels_equal(&there->metadata.labels, labels) &&
               !string_map_get(&there->metadata.annotations, ENDPOINTS_OVER_CAPACITY) &&
               endpoints_same(&there->subsets, &plan->subsets);
}

static int write_all(struct task *task, const struct kube_endpoints *there, const struct endpoints_plan *plan,
                     const string_map *labels, int64_t trigger) {
        struct kube_endpoints *e = arena_new_of(task_arena(task), struct kube_endpoints);
        struct task_change change = { .known = known_of(task, ENDPOINTS_ENDPOINTS),
                                      .verb = there ? KUBE_VERB_UPDATE : KUBE_VERB_CREATE,
                                      .namespace = task_namespace(task),
                                      .name = there ? task_name(task) : NULL,
                                      .object = e,
                                      .fine = TASK_ALL_IS_FINE,
                                      .answered = on_written,
                                      .data = e };
        const string_map none = { 0 };
        int r;

        if (!e)
                return -ENOMEM;
        if (there)
                e->metadata = there->metadata;
        e->kind = "Endpoints";
        e->api_version = "v1";
        e->metadata.namespace = task_namespace(task);
        e->metadata.name = task_name(task);
        e->metadata.labels = *labels;
        r = annotations_of(task_arena(task), there ? &there->metadata.annotations : &none, trigger,
                           plan->total > ENDPOINTS_ADDRESSES_MAX, &e->metadata.annotations);
        e->subsets = plan->subsets;
        if (r < 0)
                return r;
        task_change(task, &change);
        /* What is known may change before the answer: of that nothing is kept but what on_written() reads. */
        e->metadata.uid = arena_strdup(task_arena(task), e->metadata.uid);
        e->metadata.resource_version = there ? "1" : NULL;
        return 0;
}

static int remove_all(struct task *task) {
        const struct task_removal removal = { .kind = known_kind(known_of(task, ENDPOINTS_ENDPOINTS)),
                                              .namespace = task_namespace(task),
                                              .name = task_name(task) };

        if (known_find(known_of(task, ENDPOINTS_ENDPOINTS), task_namespace(task), task_name(task)))
                task_remove(task, &removal);
        return 0;
}

static int reconcile(struct task *task) {
        const struct known_object *service =
                known_find(known_of(task, BACKENDS_SERVICES), task_namespace(task), task_name(task));
        int64_t trigger = backends_trigger(task_controller(task), task_key(task));
        const struct known *all = known_of(task, ENDPOINTS_ENDPOINTS);
        const struct known_object *known = known_find(all, task_namespace(task), task_name(task));
        const struct kube_service *typed = service ? known_typed(known_of(task, BACKENDS_SERVICES), service) : NULL;
        const struct kube_endpoints *there = known ? known_typed(all, known) : NULL;
        struct endpoints_plan plan = {
                .arena = task_arena(task), .service = service, .typed = typed, .pods = known_of(task, BACKENDS_PODS)
        };
        string_map labels;
        int r;

        if (!service)
                return remove_all(task);
        if (!typed || (known && !there) || !backends_has(service, typed))
                return 0;
        if ((r = endpoints_decide(&plan)) < 0 || (r = labels_of(task_arena(task), service, typed, &labels)) < 0 ||
            (there && is_right(there, &plan, &labels)))
                return r;
        return write_all(task, there, &plan, &labels, trigger);
}

/* --- what makes one due --- */

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        backends_on_pod(controller, GATHER);
}

/* One that goes may be wanted; one that was there at first may be left over from a Service that is gone, but for those
 * by which older programs choose a leader. */
static void on_endpoints(struct controller *controller, const struct client_object *object,
                         const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, ENDPOINTS_ENDPOINTS));

        if (change.now && (controller_is_synced(controller) ||
                           memmem(object->json->data, object->json->size, LEADER, sizeof(LEADER) - 1)))
                return;
        controller_add_object(controller, object, old);
}

const struct controller_kind controller_endpoints = {
        .name = "endpoints-controller",
        .alias = "endpoint",
        .component = "endpoint-controller",
        .account = "endpoint-controller",
        .watches = { { "", "services", NULL, backends_on_service, .known = true },
                     { "", "pods", NULL, on_pod, .known = true },
                     { "", "endpoints", NULL, on_endpoints, .known = true } },
        .start = backends_start,
        .stop = backends_stop,
        .reconcile = reconcile,
};
