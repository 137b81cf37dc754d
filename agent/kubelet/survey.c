#include "agent/kubelet/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/volumes/files.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/grow.h"

/* -- on the loop ------------------------------------------------------------------------------------------- */

void kubelet_survey_free(void *survey) {
        struct kubelet_survey *s = survey;
        struct kubelet_request *q = s->q;

        free(s->pods);
        arena_free(s->arena);
        free(s);
        kubelet_drop(q);
}

/* Those that kubelet's volume plugins measure: what is the host's own is nobody's use. */
static bool is_measured(const struct kube_volume *v) {
        return v->empty_dir || v->config_map || v->secret || v->projected || v->downward_api;
}

/* What counts for limits of ephemeral-storage (pkg/volume/util, IsLocalEphemeralVolume()). */
static bool is_ephemeral(const struct kube_volume *v) {
        return (v->empty_dir && (!v->empty_dir->medium || !v->empty_dir->medium[0])) || v->config_map;
}

static bool add_volumes(struct kubelet_survey *s, const struct pod *pod, struct kubelet_survey_pod *p) {
        const struct options *o = s->q->kubelet->world.options;

        p->volumes = arena_alloc_array(s->arena, pod->spec.volumes.count + 1, sizeof(*p->volumes));
        if (!p->volumes)
                return false;
        list_for_each (v, &pod->spec.volumes) {
                struct kubelet_survey_volume *to = &p->volumes[p->n_volumes];

                if (!is_measured(v))
                        continue;
                to->ephemeral = is_ephemeral(v);
                if (!(to->name = arena_strdup(s->arena, v->name)) ||
                    !(to->path = pod_files_volume(s->arena, o, pod, v)))
                        return false;
                p->n_volumes++;
        }
        return true;
}

static bool add_logs(struct kubelet_survey *s, const char *directory, const struct kube_container *c,
                     struct kubelet_survey_pod *p) {
        struct kubelet_survey_logs *to = &p->logs[p->n_logs++];

        return (to->container = arena_strdup(s->arena, c->name)) &&
               (to->path = arena_printf(s->arena, "%s/%s", directory, c->name));
}

static bool add_containers(struct kubelet_survey *s, const struct pod *pod, struct kubelet_survey_pod *p) {
        const struct kube_pod_spec *spec = &pod->spec;
        const char *directory = pod_files_logs(s->arena, s->q->kubelet->world.options, pod);
        bool added = directory;

        p->logs = arena_alloc_array(
                s->arena, spec->init_containers.count + spec->containers.count + spec->ephemeral_containers.count + 1,
                sizeof(*p->logs));
        if (!p->logs)
                return false;
        list_for_each (c, &spec->init_containers)
                added = added && add_logs(s, directory, c, p);
        list_for_each (c, &spec->containers)
                added = added && add_logs(s, directory, c, p);
        list_for_each (c, &spec->ephemeral_containers)
                added = added && add_logs(s, directory, &c->container, p);
        return added;
}

/* Those for which there is no memory are left out of the answer's files. */
static bool on_pod(void *data, const struct kubelet_pod *pod) {
        struct kubelet_survey *s = data;
        struct kubelet_survey_pod p = { 0 };

        if (!pod->sandbox)
                return true;
        p.uid = arena_strdup(s->arena, pod->pod->metadata.uid);
        p.hosts = pod_files_path(s->arena, s->q->kubelet->world.options, pod->pod, "etc-hosts");
        if (!p.uid || !p.hosts || !add_volumes(s, pod->pod, &p) || !add_containers(s, pod->pod, &p) ||
            GROW(s->pods, s->room, s->n_pods + 1, GROW_NO_MAX) < 0)
                return false;
        kubelet_volumes_take(s->q->kubelet, &p);
        s->pods[s->n_pods++] = p;
        return true;
}

static void list_pods(struct kubelet_survey *s) {
        const struct kubelet_world *world = &s->q->kubelet->world;

        kubelet_volumes_begin(s->q->kubelet);
        world->host->each_pod(world->data, on_pod, s);
        kubelet_volumes_end(s->q->kubelet);
}

/* -- on the pool: cgroups ---------------------------------------------------------------------------------- */

#define OWN_TEXT_MAX 4096

/* The agent's own, from /proc/self/cgroup: where memory is counted. False: it is in none of its own. */
static bool own_cgroup(char text[OWN_TEXT_MAX], const char **ret_path) {
        _cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, OWN_TEXT_MAX - 1);
        const char *found = NULL;
        char *rest = text, *line;

        text[n > 0 ? n : 0] = '\0';
        while ((line = strsep(&rest, "\n"))) {
                char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

                if (!path)
                        continue;
                *path++ = '\0';
                if (strstr(controllers, "memory") || (!controllers[1] && !found))
                        found = path;
        }
        *ret_path = found;
        return found && strcmp(found, "/") != 0;
}

static void measure_system(const struct kubelet_survey *s, const char *path, struct kubelet_survey_system *ret) {
        ret->known = cgroup_get_stats(s->cgroups, path, &ret->stats, NULL) >= 0;
}

/* The runtime is in the agent. */
static void measure_systems(struct kubelet_survey *s) {
        char text[OWN_TEXT_MAX];
        const char *own;

        cgroup_get_host_pressure(&s->host);
        if (!s->cgroups)
                return;
        measure_system(s, s->pods_cgroup, &s->systems[KUBELET_SYSTEM_PODS]);
        if (!own_cgroup(text, &own))
                return;
        measure_system(s, own, &s->systems[KUBELET_SYSTEM_KUBELET]);
        s->systems[KUBELET_SYSTEM_RUNTIME] = s->systems[KUBELET_SYSTEM_KUBELET];
}

/* -- on the pool: files ------------------------------------------------------------------------------------ */

static void measure_volume(struct kubelet_survey_volume *v) {
        struct disk_usage used;

        v->known = false;
        if (!kubelet_fs_read(v->path, &v->fs) || disk_usage_read(v->path, 0, &used, NULL) < 0)
                return;
        v->fs.used = used.bytes;
        v->fs.inodes_used = used.inodes;
        v->known = true;
}

static void measure_volumes(struct kubelet_survey_pod *p) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        p->volumes_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
        for (uint32_t i = 0; i < p->n_volumes; i++)
                measure_volume(&p->volumes[i]);
}

static void measure_pod(struct kubelet_survey_pod *p) {
        if (p->measures)
                measure_volumes(p);
        for (uint32_t i = 0; i < p->n_logs; i++)
                p->logs[i].used = disk_usage_below(p->logs[i].path);
        if (disk_usage_read(p->hosts, 0, &p->other, NULL) < 0)
                p->other = (struct disk_usage){ 0 };
}

static void work(struct pool_job *job) {
        struct kubelet_survey *s = (struct kubelet_survey *)job;

        measure_systems(s);
        for (size_t i = 0; i < s->n_pods; i++)
                measure_pod(&s->pods[i]);
}

/* -- on the loop again ------------------------------------------------------------------------------------- */

static void on_done(struct pool_job *job) {
        struct kubelet_survey *s = (struct kubelet_survey *)job;

        for (size_t i = 0; i < s->n_pods && s->q->kubelet; i++)
                kubelet_volumes_keep(s->q->kubelet, &s->pods[i]);
        if (s->q->x && s->q->kubelet)
                s->done(s);
        else
                kubelet_survey_free(s);
}

void kubelet_survey_run(struct kubelet_request *q, bool only_use, void (*done)(struct kubelet_survey *survey)) {
        const struct kubelet_world *world = &q->kubelet->world;
        struct kubelet_survey *s = calloc(1, sizeof(*s));

        if (!s || !(s->arena = arena_new())) {
                free(s);
                return http_reset(q->x, -ENOMEM);
        }
        s->q = q;
        s->cgroups = world->cgroups;
        s->pods_cgroup = world->options->cgroup_root;
        s->done = done;
        s->only_use = only_use;
        s->job = (struct pool_job){ .work = work, .done = on_done };
        kubelet_hold(q);
        if (!only_use)
                list_pods(s);
        pool_submit(world->pool, &s->job);
}

const struct kubelet_survey_pod *kubelet_survey_find(const struct kubelet_survey *s, const char *uid) {
        for (size_t i = 0; i < s->n_pods; i++)
                if (strcmp(s->pods[i].uid, uid) == 0)
                        return &s->pods[i];
        return NULL;
}
