#include "agent/pods/found.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/volumes/tree.h"
#include "cgroups/cgroup.h"
#include "cri/cri.h"
#include "kube/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

struct reading {
        struct cri *cri;
        struct found_pods *pods;
};

struct found_pod *found_pods_get(struct found_pods *pods, const char *uid) {
        for (size_t i = 0; i < pods->n; i++)
                if (strcmp(pods->items[i].uid, uid) == 0)
                        return &pods->items[i];
        return NULL;
}

/* By its name alone: the directory may have been moved. */
static bool is_of_file(const struct found_pod *found, const char *file) {
        const char *slash = found->file ? strrchr(found->file, '/') : NULL;

        return slash && strcmp(slash + 1, file) == 0;
}

struct found_pod *found_pods_of_file(struct found_pods *pods, const char *file) {
        for (size_t i = 0; i < pods->n; i++)
                if (!pods->items[i].taken && pods->items[i].pod && is_of_file(&pods->items[i], file))
                        return &pods->items[i];
        return NULL;
}

enum desired_claim found_pods_claim(const struct found_pods *pods, const char *file, const struct pod *pod) {
        enum desired_claim best = CLAIM_NONE;

        for (size_t i = 0; i < pods->n; i++) {
                const struct found_pod *found = &pods->items[i];

                if (found->taken)
                        continue;
                if (strcmp(found->uid, pod->metadata.uid) == 0 && (!found->file || is_of_file(found, file)))
                        return CLAIM_POD;
                if (found->pod && pod_same_name(found->pod, pod) && is_of_file(found, file))
                        best = CLAIM_FILE;
        }
        return best;
}

static struct found_pod *add_pod(struct found_pods *pods, const char *uid) {
        struct found_pod *more;

        if (pods->n == FOUND_MAX || !(more = reallocarray(pods->items, pods->n + 1, sizeof(*more))))
                return NULL;
        pods->items = more;
        pods->items[pods->n] = (struct found_pod){ .uid = strdup(uid) };
        return pods->items[pods->n].uid ? &pods->items[pods->n++] : NULL;
}

/* Ours are those of the watched directory; a kubelet's or crictl's on the same socket are left alone. */
static bool on_sandbox(void *data, const struct cri_sandbox_info *info) {
        struct reading *r = data;
        const char *source = cri_sandbox_annotation(r->cri, info->id, "kubernetes.io/config.source");
        const char *uid = cri_sandbox_label(r->cri, info->id, "io.kubernetes.pod.uid");
        struct found_pod *pod;

        if (!source || strcmp(source, "file") != 0 || !uid)
                return true;
        if (!(pod = found_pods_get(r->pods, uid)) && !(pod = add_pod(r->pods, uid)))
                return true;
        if (pod->found.sandbox_id && pod->n_older < ELEMENTS(pod->older_sandboxes))
                pod->older_sandboxes[pod->n_older++] = (char *)pod->found.sandbox_id;
        pod->found.sandbox_id = strdup(info->id);
        pod->found.sandbox_attempt = info->attempt;
        if (!pod->name) {
                pod->name = strdup(info->name);
                pod->namespace_ = strdup(info->namespace_);
        }
        return true;
}

static bool on_container(void *data, const struct cri_container_info *info) {
        struct reading *r = data;
        struct worker_found_container *more;
        const char *restarts;

        for (size_t i = 0; i < r->pods->n; i++) {
                struct found_pod *pod = &r->pods->items[i];

                if (!pod->found.sandbox_id || strcmp(pod->found.sandbox_id, info->sandbox_id) != 0)
                        continue;
                more = reallocarray(pod->containers, pod->n_containers + 1, sizeof(*more));
                if (!more)
                        return false;
                pod->containers = more;
                restarts = cri_container_annotation(r->cri, info->id, "io.kubernetes.container.restartCount");
                pod->containers[pod->n_containers++] = (struct worker_found_container){
                        .name = strdup(info->name),
                        .id = strdup(info->id),
                        .restarts = restarts ? (uint32_t)strtoul(restarts, NULL, 10) : info->attempt,
                };
                return true;
        }
        return true;
}

/* -- the pod's hint ---------------------------------------------------------------------------------------- */

static int read_hint(struct found_pod *pod, const char *path, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *hint = NULL;
        struct problems problems;
        const char *file;
        size_t length = 0;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = files_read(path, POD_MANIFEST_BYTES_MAX * 2, &text, &length, err)) < 0 ||
            (r = json_parse(arena, text, length, NULL, &hint, err)) < 0)
                return r;
        problems_init(&problems, arena, path, value_get(hint, "pod"));
        if ((r = pod_decode(value_get(hint, "pod"), &problems, &pod->pod)) < 0) {
                problems_err(&problems, err);
                return r;
        }
        if (!pod->pod->metadata.uid || strcmp(pod->pod->metadata.uid, pod->uid) != 0 || !pod->pod->metadata.name ||
            !pod->pod->metadata.namespace) {
                pod->pod = pod_unref(pod->pod);
                return err_set(err, EINVAL, "%s is of another pod", path);
        }
        pod_default(pod->pod);
        file = value_string(value_get(hint, "file"));
        pod->file = file && file[0] ? strdup(file) : NULL;
        return 0;
}

/* A pod as far as its containers tell: enough to end it. */
static void make_pod(struct cri *cri, struct found_pod *found) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_err_ struct err *err = NULL;
        const struct value *value = NULL;
        struct problems problems;
        size_t length = 0;

        json_begin_map(&w);
        json_add_string(&w, "apiVersion", "v1");
        json_add_string(&w, "kind", "Pod");
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string(&w, "name", found->name);
        json_add_string(&w, "namespace", found->namespace_);
        json_add_string(&w, "uid", found->uid);
        json_end_map(&w);
        json_key(&w, "spec");
        json_begin_map(&w);
        for (size_t i = 0; i < found->n_containers; i++) {
                const char *grace = cri_container_annotation(cri, found->containers[i].id,
                                                             "io.kubernetes.pod.terminationGracePeriod");
                if (!grace)
                        continue;
                json_add_int(&w, "terminationGracePeriodSeconds", strtol(grace, NULL, 10));
                break;
        }
        json_key(&w, "containers");
        json_begin_list(&w);
        for (size_t i = 0; i < found->n_containers; i++) {
                bool again = false;

                for (size_t k = 0; k < i; k++)
                        again |= strcmp(found->containers[k].name, found->containers[i].name) == 0;
                if (again)
                        continue;
                json_begin_map(&w);
                json_add_string(&w, "name", found->containers[i].name);
                json_add_string(&w, "image", "unknown");
                json_end_map(&w);
        }
        json_end_list(&w);
        json_end_map(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) < 0 || !arena ||
            json_parse(arena, text, length, NULL, &value, NULL) < 0)
                return;
        problems_init(&problems, arena, NULL, value);
        if (pod_decode(value, &problems, &found->pod) == 0)
                pod_default(found->pod);
        else if (problems_err(&problems, &err) < 0)
                log_warning("pod %s/%s: cannot be told from its containers: %s", found->namespace_, found->name,
                            err_text(err));
}

/* A pod's directory without a sandbox: its manifest is still wanted or not; the caller sees. */
static void read_directories(const struct options *options, struct found_pods *pods) {
        _cleanup_free_ char *path = NULL;
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;

        if (asprintf(&path, "%s/pods", options->root_dir) < 0) {
                path = NULL;
                return;
        }
        if (!(dir = opendir(path)))
                return;
        while ((entry = readdir(dir)))
                if (entry->d_name[0] != '.' && !found_pods_get(pods, entry->d_name))
                        add_pod(pods, entry->d_name);
}

void found_pods_read(struct cri *cri, const struct options *options, struct found_pods *ret_pods) {
        struct reading reading = { cri, ret_pods };

        *ret_pods = (struct found_pods){ 0 };
        cri_each_sandbox(cri, on_sandbox, &reading);
        cri_each_container(cri, NULL, on_container, &reading);
        read_directories(options, ret_pods);
        for (size_t i = 0; i < ret_pods->n; i++) {
                struct found_pod *pod = &ret_pods->items[i];
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/pods/%s/pod.json", options->root_dir, pod->uid) < 0 ||
                    read_hint(pod, path, &err) == 0)
                        continue;
                if (!pod->found.sandbox_id) {
                        log_warning("%s/pods/%s holds no pod that is known, and is removed: %s", options->root_dir,
                                    pod->uid, err_text(err));
                        continue;
                }
                log_warning("pod %s/%s: going on without its hint: %s", pod->namespace_, pod->name, err_text(err));
                make_pod(cri, pod);
        }
}

const struct worker_found *found_pod_worker(struct found_pod *pod) {
        pod->found.containers = pod->containers;
        pod->found.n_containers = pod->n_containers;
        return &pod->found;
}

void found_pods_clear(struct found_pods *pods) {
        for (size_t i = 0; i < pods->n; i++) {
                struct found_pod *pod = &pods->items[i];

                for (size_t k = 0; k < pod->n_containers; k++) {
                        free((char *)pod->containers[k].name);
                        free((char *)pod->containers[k].id);
                }
                for (size_t k = 0; k < pod->n_older; k++)
                        free(pod->older_sandboxes[k]);
                free(pod->containers);
                free((char *)pod->found.sandbox_id);
                free(pod->uid);
                free(pod->name);
                free(pod->namespace_);
                free(pod->file);
                pod_unref(pod->pod);
        }
        free(pods->items);
        *pods = (struct found_pods){ 0 };
}

/* ---- cgroups that a pod's cut-off making left ---- */

struct use {
        const char *cgroup;
        size_t length;
        bool used;
};

static bool on_use(void *data, const struct cri_sandbox_info *info) {
        struct use *use = data;

        use->used = info->cgroup && strncmp(info->cgroup, use->cgroup, use->length) == 0 &&
                    info->cgroup[use->length] == '/';
        return !use->used;
}

/* Of a pod that has a directory, which is there before all else and goes last, it was its own to the last process; of
 * another, nothing says whose the processes are, and only what has none goes. */
static int sweep_cgroup(const struct cgroups *cgroups, const char *path, bool known, struct err **err) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        if (known)
                return cgroup_remove(cgroups, path, err);
        if (cgroup_pids(cgroups, path, true, &pids, &n, err) < 0)
                return -EIO;
        if (n > 0)
                return err_set(err, EBUSY, "cgroup %s is no pod's of this agent and left alone", path);
        return cgroup_prune(cgroups, path, err);
}

static void sweep_folder(struct cri *cri, const struct cgroups *cgroups, const char *folder, struct found_pods *pods) {
        char **names = NULL;

        if (cgroup_children(cgroups, folder, &names, NULL) < 0)
                return;
        for (size_t i = 0; names[i]; i++) {
                _cleanup_free_ char *path = NULL;
                _cleanup_err_ struct err *err = NULL;
                const struct found_pod *pod =
                        strncmp(names[i], "pod", 3) == 0 ? found_pods_get(pods, names[i] + 3) : NULL;
                struct use use = { 0 };

                if (strncmp(names[i], "pod", 3) == 0 && !(pod && (pod->pod || pod->found.sandbox_id)) &&
                    asprintf(&path, "%s/%s", folder, names[i]) >= 0) {
                        use = (struct use){ .cgroup = path, .length = strlen(path) };
                        cri_each_sandbox(cri, on_use, &use);
                        if (!use.used && sweep_cgroup(cgroups, path, pod != NULL, &err) < 0)
                                log_warning("%s", err_text(err));
                }
                free(names[i]);
        }
        free(names);
}

void found_pods_sweep_cgroups(struct cri *cri, const struct cgroups *cgroups, const char *root,
                              struct found_pods *pods) {
        static const char *const folders[] = { "", "/burstable", "/besteffort" };

        if (strcmp(root, "/") == 0)
                return; /* a kubelet's pods may lie there too */
        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/kubepods%s", root, folders[i]) < 0)
                        path = NULL;
                else
                        sweep_folder(cri, cgroups, path, pods);
        }
}
