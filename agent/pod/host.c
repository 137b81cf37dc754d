/* The pod as its containers see it: agent/container/host.h. */
#include <string.h>

#include "agent/pod/internal.h"

static void changed(void *data) {
        worker_step(data);
}

static void keep(void *data) {
        worker_keep_hint(data);
}

/* What was just being started while all are to start again does not make the pod an initialized one. */
static void runs(void *data, const struct member *member) {
        struct worker *w = data;

        w->initialized |= member_role(member) == MEMBER_MAIN && w->state != WORKER_RESTARTING;
}

static bool someone_after_runs(const struct worker *w, const struct member *sidecar) {
        for (size_t i = w->n_members; i-- > 0 && w->members[i] != sidecar;)
                if (member_role(w->members[i]) != MEMBER_INIT && member_runs(w->members[i]))
                        return true;
        return false;
}

static int64_t needed_until(void *data, const struct member *member) {
        const struct worker *w = data;

        if (!worker_ends_members(w) || member_role(member) != MEMBER_SIDECAR || worker_now(w) >= w->stop_deadline ||
            !someone_after_runs(w, member))
                return 0;
        return w->stop_deadline;
}

int64_t worker_grace(const struct worker *w) {
        const struct opt_int *grace = &w->pod->spec.termination_grace_period_seconds;

        if (w->own_grace > 0)
                return w->own_grace;
        return grace->set ? grace->value : 30;
}

static int64_t grace(void *data) {
        return worker_grace(data);
}

static const char *running(void *data, const char *name) {
        const struct worker *w = data;

        for (size_t i = 0; i < w->n_members; i++)
                if (strcmp(member_spec(w->members[i])->name, name) == 0)
                        return member_has_process(w->members[i]) ? member_id(w->members[i]) : NULL;
        return NULL;
}

static Cri__PodSandboxConfig *sandbox_config(void *data, struct arena *arena, struct err **err) {
        return worker_sandbox_config(arena, data, err);
}

const struct member_host_ops worker_host_ops = {
        .changed = changed,
        .keep = keep,
        .runs = runs,
        .needed_until = needed_until,
        .grace = grace,
        .running = running,
        .sandbox_config = sandbox_config,
};
