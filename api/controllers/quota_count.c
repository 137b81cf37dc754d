/* A recount. What comes to use more is charged by admission, which writes the same status; so nothing is counted while
 * a change that was charged for is on its way, and what is written is refused where a charge came in between. */
#include <errno.h>
#include <string.h>

#include "api/controllers/quota.h"
#include "api/quota/recount.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/log.h"

#define RESYNC (300 * WORK_SECOND) /* kube-controller-manager's --resource-quota-sync-period */
#define AGAIN (5 * WORK_SECOND)    /* new bounds: what was admitted before them is there by then */

struct counting {
        struct kube_resource_quota quota;
        struct quota_recount recount;
};

static const struct quota_handler *handler_for(const struct quotas *q, const struct kube_kind *kind) {
        for (unsigned i = 0; i < q->n; i++)
                if (strcmp(q->handlers[i].item.resource, kind->resource) == 0 &&
                    strcmp(q->handlers[i].item.group, kind->group) == 0)
                        return &q->handlers[i];
        return NULL;
}

static int count(struct quotas *q, struct counting *counting, const struct kube_kind *kind,
                 const struct client_object *object) {
        struct quota_item item = handler_for(q, kind)->item;
        void *typed = NULL;
        int r = 0;

        arena_reset(q->scratch);
        if (quota_reads(&item)) {
                typed = arena_alloc(q->scratch, kind->type->size);
                r = typed ? client_object_read(q->scratch, object, kind->type, typed) : -ENOMEM;
                item.object = typed;
        }
        return r ?: quota_recount_add(&counting->recount, q->scratch, &item);
}

/* One that has no form that can be read, or more amounts than are added up, is left out; that the service let in. */
static void on_listed(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        struct quotas *q = controller_data(task_controller(task));
        int r = count(q, task_data(task), kind, object);

        if (r == -ENOMEM)
                task_fail(task, ENOMEM, strerror(ENOMEM));
        else if (r < 0)
                log_warning("resourcequota %s: it does not count %s %s: %s", task_key(task), kind->resource,
                            object->name, strerror(-r));
}

/* A charge is there in a moment, but the next may be on its way by then. */
static void wait_for_others(struct task *task) {
        task_again(task, quota_gap(controller_data(task_controller(task)), task_key(task)));
}

static int on_written(struct task *task, const struct client_answer *answer, void *data) {
        const struct counting *counting = data;

        if (client_succeeded(answer))
                task_again(task, counting->recount.differs ? AGAIN : RESYNC);
        else if (answer->code == 409 || answer->code == 429)
                wait_for_others(task);
        else if (answer->code != 404)
                task_fail(task, answer->code < 0 ? -answer->code : EIO, answer->message);
        return 0;
}

static int finish(struct task *task) {
        struct counting *counting = task_data(task);
        const struct kube_object_meta *meta = &counting->quota.metadata;
        struct client_request request = { .verb = KUBE_VERB_UPDATE,
                                          .kind = informer_kind(controller_informer(task_controller(task), 0)),
                                          .namespace = meta->namespace,
                                          .name = meta->name,
                                          .sub = "status" };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        bool changed;
        int r = quota_recount_end(&counting->recount, &changed);

        if (r < 0)
                return r;
        if (!changed) {
                task_again(task, RESYNC);
                return 0;
        }
        kube_json_write(&w, &kube_resource_quota_type, &counting->quota);
        r = json_writer_finish(&w, &json, &request.length);
        if (r < 0)
                return r;
        request.body = json;
        task_send(task, &request, TASK_ALL_IS_FINE, on_written, counting);
        return 0;
}

static bool is_charged(const struct controllers_config *config, const char *namespace) {
        return config->charged && config->charged(config->data, namespace);
}

int quota_count(struct task *task) {
        struct controller *c = task_controller(task);
        const struct quotas *q = controller_data(c);
        const struct client_object *object =
                informer_find(controller_informer(c, 0), task_namespace(task), task_name(task));
        struct counting *counting = arena_new_of(task_arena(task), struct counting);
        struct client_scope scope = { .namespace = task_namespace(task) };
        unsigned n;
        int r = counting ? 0 : -ENOMEM;

        if (r < 0 || !object)
                return r;
        if (is_charged(controller_config(c), task_namespace(task))) {
                wait_for_others(task);
                return 0;
        }
        if ((r = client_object_read(task_arena(task), object, &kube_resource_quota_type, &counting->quota)) < 0 ||
            (r = quota_recount_begin(&counting->recount, task_arena(task), &counting->quota)) < 0 ||
            counting->quota.metadata.deletion_timestamp.set)
                return r;
        task_set_data(task, counting);
        for (unsigned i = 0; i < q->n; i++)
                if (quota_recount_takes(&counting->recount, &q->handlers[i].item)) {
                        scope.kind = controller_all_kinds(c, &n)[q->handlers[i].kind];
                        task_list(task, &scope, on_listed);
                }
        task_then(task, finish);
        return 0;
}
