/* Before a pod is resized: no limit of memory goes below what is used (kuberuntime_manager.go,
 * validateMemoryResizeAction()). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/pod/resize.h"
#include "cgroups/stats.h"
#include "lib/cleanup.h"

#define LIMITS_MAX 64 /* containers that are looked at; the kernel refuses the others' limits by itself, if it must */

struct check_job {
        const struct cgroups *cgroups;
        struct {
                const char *name, *cgroup; /* name NULL: the pod's */
                int64_t limit;
        } limits[LIMITS_MAX];
        size_t n;
};

static int check_work(struct op *op, struct err **err) {
        const struct check_job *job = op->input;
        char text[ERR_TEXT_MAX] = "";
        unsigned found = 0;

        for (size_t i = 0; i < job->n; i++) {
                size_t at = strlen(text);
                struct cgroup_stats stats;

                if (cgroup_get_stats(job->cgroups, job->limits[i].cgroup, &stats, NULL) < 0 ||
                    stats.memory_usage == CGROUP_UNKNOWN || stats.memory_usage < (uint64_t)job->limits[i].limit)
                        continue;
                snprintf(text + at, sizeof(text) - at,
                         job->limits[i].name ?
                                 "%sattempting to set container \"%s\" memory limit (%lld) below current usage (%llu)" :
                                 "%sattempting to set pod%s memory limit (%lld) below current usage (%llu)",
                         found++ ? ", " : "", job->limits[i].name ?: "", (long long)job->limits[i].limit,
                         (unsigned long long)stats.memory_usage);
        }
        if (!found)
                return 0;
        return err_set(err, EBUSY, "cannot decrease memory limits: %s%s%s", found > 1 ? "[" : "", text,
                       found > 1 ? "]" : "");
}

static void on_checked(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        resize_phase_ended(op->scope->data, err);
}

/* Copied: the container may go while its cgroup is looked at. */
static int add_limit(struct arena *arena, struct check_job *job, const char *name, const char *cgroup, int64_t limit) {
        const char *own_name = name ? arena_strdup(arena, name) : NULL, *own_cgroup = arena_strdup(arena, cgroup);

        if ((name && !own_name) || !own_cgroup)
                return -ENOMEM;
        job->limits[job->n].name = own_name;
        job->limits[job->n].cgroup = own_cgroup;
        job->limits[job->n++].limit = limit;
        return 0;
}

static int list_limits(const struct worker *w, struct arena *arena, struct check_job *job, const char *pod_cgroup) {
        int64_t pod_limit = resize_wanted_size(w).memory_max;
        int r = resize_shrinks(w->resize.size.memory_max, pod_limit) ?
                        add_limit(arena, job, NULL, pod_cgroup, pod_limit) :
                        0;

        for (size_t i = 0; i < w->n_lasting && r == 0 && job->n < LIMITS_MAX; i++) {
                struct cri_container_info info;
                struct resize_change change;

                if (resize_find_change(w->members[i], true, &change) &&
                    resize_shrinks(member_size(change.member)->memory_limit, change.size.memory_limit) &&
                    node_container_get(&w->node->world, member_id(change.member), &info) == 0 && info.cgroup)
                        r = add_limit(arena, job, member_spec(change.member)->name, info.cgroup,
                                      change.size.memory_limit);
        }
        return r;
}

int resize_check_memory(struct worker *w, struct err **err) {
        _cleanup_op_ struct op *op = resize_op(w, "check_memory");
        struct check_job *job = op ? arena_new_of(op->arena, struct check_job) : NULL;
        const char *cgroup = op ? pod_files_cgroup(op->arena, w->node->world.options, w->pod) : NULL;

        if (!job || !cgroup || list_limits(w, op->arena, job, cgroup) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if (job->n == 0 || !(job->cgroups = w->node->world.cgroups))
                return 0;
        op->input = job;
        op->work = check_work;
        op->done = on_checked;
        op_run(TAKE_PTR(op));
        return 1;
}
