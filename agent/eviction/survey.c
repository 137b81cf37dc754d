#include "agent/eviction/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/volumes/files.h"
#include "agent/pod/worker.h"
#include "cgroups/stats.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/disk_usage.h"
#include "lib/grow.h"

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
        const struct options *options;
        bool changed_only;
        struct target *targets;
        struct eviction_pod *pods;
        size_t n, room;
        void (*done)(void *data, struct survey *survey);
        void *data;
};

struct survey *survey_new(const struct cgroups *cgroups, const struct options *options, bool changed_only) {
        struct survey *s = calloc(1, sizeof(*s));

        if (!s || !(s->arena = arena_new())) {
                free(s);
                return NULL;
        }
        s->cgroups = cgroups;
        s->options = options;
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
        size_t targets = s->room, pods = s->room;
        int r = GROW(s->targets, targets, s->n + 1, GROW_NO_MAX);

        if (r < 0 || (r = GROW(s->pods, pods, s->n + 1, GROW_NO_MAX)) < 0)
                return r;
        s->room = targets < pods ? targets : pods;
        return 0;
}

/* A pod that is being added. */
struct adding {
        struct survey *survey;
        struct target target;
        struct eviction_pod pod;
};

static bool add_container(void *data, const char *name, const struct cri_container_info *info) {
        struct adding *a = data;
        struct arena *arena = a->survey->arena;
        struct place *place = &a->target.containers[a->pod.n_containers];
        const char *logs = pod_files_logs(arena, a->survey->options, a->pod.pod);

        if (!info->layer)
                return true;
        *place = (struct place){
                .cgroup = arena_strdup(arena, info->cgroup ?: ""),
                .layer = arena_strdup(arena, info->layer),
                .logs = logs ? arena_printf(arena, "%s/%s", logs, name) : NULL,
        };
        a->pod.containers[a->pod.n_containers++].name = name;
        return place->cgroup && place->layer && place->logs;
}

static bool add_volumes(struct adding *a) {
        struct survey *s = a->survey;

        list_for_each (volume, &a->pod.pod->spec.volumes) {
                const struct kube_empty_dir_volume_source *e = volume->empty_dir;
                const char *path;

                if (!e || (e->medium && e->medium[0]))
                        continue;
                if (!(path = pod_files_volume(s->arena, s->options, a->pod.pod, volume)))
                        return false;
                a->target.volumes[a->pod.n_volumes] = path;
                a->pod.volumes[a->pod.n_volumes++].name = volume->name;
        }
        return true;
}

static size_t count_containers(const struct pod *pod) {
        return pod->spec.init_containers.count + pod->spec.containers.count;
}

static bool begin_adding(struct adding *a) {
        const struct pod *pod = a->pod.pod;
        struct arena *arena = a->survey->arena;
        size_t containers = count_containers(pod) + 1, volumes = pod->spec.volumes.count + 1;

        return (a->target.uid = arena_strdup(arena, pod->metadata.uid)) &&
               (a->target.cgroup = pod_files_cgroup(arena, a->survey->options, pod)) &&
               (a->target.hosts = pod_files_path(arena, a->survey->options, pod, "etc-hosts")) &&
               (a->target.containers = arena_alloc_array(arena, containers, sizeof(*a->target.containers))) &&
               (a->target.volumes = arena_alloc_array(arena, volumes, sizeof(*a->target.volumes))) &&
               (a->pod.containers = arena_alloc_array(arena, containers, sizeof(*a->pod.containers))) &&
               (a->pod.volumes = arena_alloc_array(arena, volumes, sizeof(*a->pod.volumes)));
}

int survey_add(struct survey *s, struct worker *w) {
        struct adding a = {
                .survey = s,
                .target.scanned_ns = worker_mark(w)->scanned_ns,
                .pod.pod = worker_pod(w),
        };

        if (!begin_adding(&a) || !add_volumes(&a) || !worker_each_running(w, add_container, &a))
                return -ENOMEM;
        if (s->n == s->room && grow(s) < 0)
                return -ENOMEM;
        pod_ref((struct pod *)a.pod.pod);
        s->targets[s->n] = a.target;
        s->pods[s->n++] = a.pod;
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
        struct disk_usage usage = disk_usage_below(path);

        return (struct eviction_disk){ (int64_t)usage.bytes, (int64_t)usage.inodes };
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
                if (s->targets[i].measured && strcmp(s->targets[i].uid, worker_pod(w)->metadata.uid) == 0)
                        worker_mark(w)->scanned_ns = s->targets[i].cpu_ns;
}
