#include "agent/eviction/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "cgroups/stats.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/disk_usage.h"

/* Where a container's things are. */
struct place {
        const char *cgroup, *layer, *logs;
};

struct target {
        const char *uid, *cgroup, *hosts;
        struct place *containers;
        const char **volumes;
        uint64_t scanned_ns, cpu_ns; /* its CPU time at the last count of its files, and now */
        bool measured;
};

struct survey {
        struct pool_job job; /* first */
        struct arena *arena;
        const struct cgroups *cgroups;
        bool changed_only;
        struct target *targets;
        struct eviction_pod *pods;
        size_t n, room;
        void (*done)(void *data, struct survey *survey);
        void *data;
};

struct survey *survey_new(const struct cgroups *cgroups, bool changed_only) {
        struct survey *s = calloc(1, sizeof(*s));

        if (!s || !(s->arena = arena_new())) {
                free(s);
                return NULL;
        }
        s->cgroups = cgroups;
        s->changed_only = changed_only;
        return s;
}

void survey_free(struct survey *s) {
        if (!s)
                return;
        for (size_t i = 0; i < s->n; i++)
                pod_unref((struct pod *)s->pods[i].pod);
        free(s->targets);
        free(s->pods);
        arena_free(s->arena);
        free(s);
}

/* -- on the loop ------------------------------------------------------------------------------------------- */

static int grow(struct survey *s) {
        size_t room = s->room ? s->room * 2 : 16;
        struct target *targets = reallocarray(s->targets, room, sizeof(*targets));
        struct eviction_pod *pods;

        if (targets)
                s->targets = targets;
        pods = targets ? reallocarray(s->pods, room, sizeof(*pods)) : NULL;
        if (!pods)
                return -ENOMEM;
        s->pods = pods;
        s->room = room;
        return 0;
}

static bool add_container(struct survey *s, const struct worker *w, const struct member *m, struct target *target,
                          struct eviction_pod *pod) {
        struct cri_container_info info;
        struct place *place = &target->containers[pod->n_containers];

        if (!m->id || !member_runs(m) || w->node->ops->container_get(w->node->data, m->id, &info) < 0 || !info.layer)
                return true;
        *place = (struct place){
                .cgroup = arena_strdup(s->arena, info.cgroup ? info.cgroup : ""),
                .layer = arena_strdup(s->arena, info.layer),
                .logs = arena_printf(s->arena, "%s/%s", pod_files_logs(s->arena, w), m->spec->name),
        };
        pod->containers[pod->n_containers++].name = m->spec->name;
        return place->cgroup && place->layer && place->logs;
}

static bool add_volumes(struct survey *s, const struct worker *w, struct target *target, struct eviction_pod *pod) {
        list_for_each (volume, &w->pod->spec.volumes) {
                const struct pod_empty_dir *e = volume->empty_dir;

                if (!e || (e->medium && e->medium[0]))
                        continue;
                if (!(target->volumes[pod->n_volumes] = pod_files_volume(s->arena, w, volume)))
                        return false;
                pod->volumes[pod->n_volumes++].name = volume->name;
        }
        return true;
}

int survey_add(struct survey *s, struct worker *w) {
        struct target target = { .uid = arena_strdup(s->arena, w->pod->metadata.uid), .scanned_ns = w->scanned_ns };
        struct eviction_pod pod = { .pod = w->pod };

        target.cgroup = pod_files_cgroup(s->arena, w);
        target.hosts = pod_files_path(s->arena, w, "etc-hosts");
        target.containers = arena_alloc_array(s->arena, w->n_members + 1, sizeof(*target.containers));
        target.volumes = arena_alloc_array(s->arena, w->pod->spec.volumes.count + 1, sizeof(*target.volumes));
        pod.containers = arena_alloc_array(s->arena, w->n_members + 1, sizeof(*pod.containers));
        pod.volumes = arena_alloc_array(s->arena, w->pod->spec.volumes.count + 1, sizeof(*pod.volumes));
        if (!target.uid || !target.cgroup || !target.hosts || !target.containers || !target.volumes ||
            !pod.containers || !pod.volumes || !add_volumes(s, w, &target, &pod))
                return -ENOMEM;
        for (size_t i = 0; i < w->n_members; i++)
                if (!add_container(s, w, &w->members[i], &target, &pod))
                        return -ENOMEM;
        if (s->n == s->room && grow(s) < 0)
                return -ENOMEM;
        pod_ref(w->pod);
        s->targets[s->n] = target;
        s->pods[s->n++] = pod;
        return 0;
}

/* -- on the pool ------------------------------------------------------------------------------------------- */

static struct eviction_disk measure(const char *path) {
        struct disk_usage usage;

        if (disk_usage_read(path, 0, &usage, NULL) < 0)
                return (struct eviction_disk){ 0 };
        return (struct eviction_disk){ (int64_t)usage.bytes, (int64_t)usage.inodes };
}

/* Of log directories kubelet counts the files alone. */
static struct eviction_disk measure_logs(const char *path) {
        struct eviction_disk used = measure(path);
        struct stat st;

        if (used.inodes > 0 && lstat(path, &st) == 0) {
                used.bytes -= (int64_t)st.st_blocks * 512;
                used.inodes--;
        }
        return used;
}

static void measure_files(const struct target *target, struct eviction_pod *pod) {
        for (size_t i = 0; i < pod->n_containers; i++) {
                pod->containers[i].layer = measure(target->containers[i].layer);
                pod->containers[i].logs = measure_logs(target->containers[i].logs);
        }
        for (size_t i = 0; i < pod->n_volumes; i++)
                pod->volumes[i].used = measure(target->volumes[i]);
        pod->other = measure(target->hosts);
}

static void measure_pod(const struct survey *s, struct target *target, struct eviction_pod *pod) {
        struct cgroup_stats stats;

        if (!s->cgroups || cgroup_get_stats(s->cgroups, target->cgroup, &stats, NULL) < 0)
                return;
        target->cpu_ns = stats.cpu_ns;
        if (s->changed_only && stats.cpu_ns == target->scanned_ns && stats.cpu_ns != CGROUP_UNKNOWN)
                return;
        pod->memory = stats.memory_working_set == CGROUP_UNKNOWN ? 0 : (int64_t)stats.memory_working_set;
        pod->tasks = stats.pids == CGROUP_UNKNOWN ? 0 : (int64_t)stats.pids;
        measure_files(target, pod);
        for (size_t i = 0; i < pod->n_containers; i++)
                if (cgroup_get_stats(s->cgroups, target->containers[i].cgroup, &stats, NULL) >= 0 &&
                    stats.memory_working_set != CGROUP_UNKNOWN)
                        pod->containers[i].memory = (int64_t)stats.memory_working_set;
        pod->known = target->measured = true;
}

static void work(struct pool_job *job) {
        struct survey *s = (struct survey *)job;

        for (size_t i = 0; i < s->n; i++)
                measure_pod(s, &s->targets[i], &s->pods[i]);
}

static void on_done(struct pool_job *job) {
        struct survey *s = (struct survey *)job;

        s->done(s->data, s);
}

void survey_run(struct survey *s, struct pool *pool, void (*done)(void *data, struct survey *survey), void *data) {
        s->done = done;
        s->data = data;
        s->job.work = work;
        s->job.done = on_done;
        pool_submit(pool, &s->job);
}

struct eviction_pod *survey_pods(struct survey *s, size_t *ret_n) {
        *ret_n = s->n;
        return s->pods;
}

void survey_note(const struct survey *s, struct worker *w) {
        for (size_t i = 0; i < s->n; i++)
                if (s->targets[i].measured && strcmp(s->targets[i].uid, w->pod->metadata.uid) == 0)
                        w->scanned_ns = s->targets[i].cpu_ns;
}
