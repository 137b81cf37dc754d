/* A Job that has ended goes after its ttlSecondsAfterFinished. */
#include <string.h>

#include "api/controllers/kinds.h"
#include "kube/batch_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

typedef struct kube_batch_v1_job batch_job;

/* When it ended; 0: it has not. */
static int64_t ended_at(const batch_job *job) {
        list_for_each (c, &job->status.conditions)
                if ((strcmp(c->type ?: "", "Complete") == 0 || strcmp(c->type ?: "", "Failed") == 0) &&
                    strcmp(c->status ?: "", "True") == 0)
                        return c->last_transition_time.seconds;
        return 0;
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object =
                informer_find(controller_informer(c, 0), task_namespace(task), task_name(task));
        int64_t at, now = controller_wall(c);
        struct task_removal removal = { .kind = informer_kind(controller_informer(c, 0)),
                                        .namespace = task_namespace(task),
                                        .name = task_name(task),
                                        .propagation = "Foreground" };
        batch_job job = { 0 };
        int r = object ? client_object_read(task_arena(task), object, &kube_batch_v1_job_type, &job) : 0;

        if (r < 0 || !object || job.metadata.deletion_timestamp.set || !job.spec.ttl_seconds_after_finished.set ||
            ended_at(&job) == 0)
                return r;
        at = ended_at(&job) + job.spec.ttl_seconds_after_finished.value;
        removal.uid = job.metadata.uid;
        if (at > now)
                task_again_at(task, at);
        else
                task_remove(task, &removal);
        return 0;
}

const struct controller_kind controller_job_ttl = {
        .name = "ttl-after-finished-controller",
        .alias = "ttl-after-finished",
        .account = "ttl-after-finished-controller",
        .watches = { { "batch", "jobs", NULL, controller_add_object, .passes = false } },
        .reconcile = reconcile,
};
