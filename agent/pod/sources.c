/* What the API service has for the pod: it is waited for before the pod's files are made, and when it changes the
 * volumes that show it are brought up to date, by a job beside the pod's steps. */
#include <errno.h>

#include "agent/pod/internal.h"
#include "agent/volumes/remembered.h"
#include "agent/volumes/volumes.h"
#include "lib/cleanup.h"

#define GATHER_MS 1000 /* kubelet's, for the first answer of a watch; then what is missing is told, and tried again */

static bool are_known(const struct worker *w) {
        const struct node_world *world = &w->node->world;

        return !world->ops->sources_known || world->ops->sources_known(world->data, w->pod);
}

enum worker_event worker_gather(struct worker *w) {
        if (are_known(w))
                return WORKER_EVENT_OK;
        w->retry_at = worker_now(w) + GATHER_MS;
        return WORKER_EVENT_NONE;
}

bool worker_has_gathered(const struct worker *w) {
        return are_known(w) || worker_now(w) >= w->retry_at;
}

/* -- changes ----------------------------------------------------------------------------------------------- */

static int update_work(struct op *op, struct err **err) {
        remembered_write(op->input);
        return volumes_update(op->input, err);
}

/* What is missing, or not known, is heard of when it comes. */
static void on_updated(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->scope->data;

        w->update.runs = false;
        if (err) {
                worker_say(w, true, "FailedMount", "%s", err_text(err));
                if (err_code(err) != ENOENT && err_code(err) != EAGAIN)
                        w->update.retry_at = worker_now(w) + NODE_RETRY_MS;
        }
        worker_step(w);
}

static void begin_update(struct worker *w) {
        _cleanup_op_ struct op *op = op_new(&w->scope);

        if (!op || !(op->input = pod_files_new(op->arena, &w->node->world, w->pod, &w->sandbox.addresses))) {
                w->update.retry_at = worker_now(w) + NODE_RETRY_MS;
                return;
        }
        pod_files_take_services(op->arena, &w->node->world, op->input, NULL);
        w->update = (struct worker_update){ .runs = true, .retry_at = NODE_NEVER };
        op->step = "update_volumes";
        op->aside = op->heard_always = true;
        op->work = update_work;
        op->done = on_updated;
        op_run(TAKE_PTR(op));
}

void worker_update_volumes(struct worker *w) {
        bool lives = w->goal == WORKER_TO_RUN && w->state >= WORKER_RUNNING && w->state <= WORKER_CLEARING;

        if (!lives || w->update.runs)
                return;
        if ((w->update.due && are_known(w)) || worker_now(w) >= w->update.retry_at)
                begin_update(w);
        worker_wake_at(w, w->update.retry_at);
}

void worker_sources_changed(struct worker *w) {
        w->update.due = true;
        if (w->state == WORKER_WAITING && w->lacks_files)
                w->retry_at = worker_now(w);
        for (size_t i = 0; i < w->n_members; i++)
                member_sources_changed(w->members[i]);
        worker_step(w);
}

bool worker_uses_sources(const struct worker *w) {
        return w->state < WORKER_STOPPING;
}
