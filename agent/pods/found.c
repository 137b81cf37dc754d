#include "agent/pods/found.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/volumes/remembered.h"
#include "cri/cri.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"

struct reading {
        struct cri *cri;
        const struct options *options;
        struct found_pods *pods;
        bool failed; /* for want of memory */
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
                if (found->pod && desired_same_name(found->pod, pod) && is_of_file(found, file))
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

static bool has_hint(const struct reading *r, const char *uid) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/pods/%s/pod.json", r->options->root_dir, uid) < 0) {
                path = NULL;
                return true;
        }
        return access(path, F_OK) == 0;
}

/* Ours are those of the watched directory, and of the API service when we are its node; a kubelet's or crictl's on the
 * same socket are left alone. */
static bool is_ours(const struct reading *r, const char *source, const char *uid) {
        if (!source || !uid)
                return false;
        return strcmp(source, "file") == 0 ||
               (strcmp(source, "api") == 0 && (r->options->kubeconfig || has_hint(r, uid)));
}

static bool add_sandbox(struct reading *r, const struct cri_sandbox_info *info) {
        const char *source = cri_sandbox_annotation(r->cri, info->id, "kubernetes.io/config.source");
        const char *uid = cri_sandbox_label(r->cri, info->id, "io.kubernetes.pod.uid");
        struct found_pod *pod;

        if (!is_ours(r, source, uid))
                return true;
        if (!(pod = found_pods_get(r->pods, uid)) && !(pod = add_pod(r->pods, uid)))
                return r->pods->n == FOUND_MAX;
        if (pod->found.sandbox_id && pod->n_older < ELEMENTS(pod->older_sandboxes))
                pod->older_sandboxes[pod->n_older++] = (char *)pod->found.sandbox_id;
        pod->found.sandbox_id = strdup(info->id);
        pod->found.sandbox_attempt = info->attempt;
        if (!pod->name)
                pod->name = strdup(info->name);
        if (!pod->namespace_)
                pod->namespace_ = strdup(info->namespace_);
        return pod->found.sandbox_id && pod->name && pod->namespace_;
}

static bool on_sandbox(void *data, const struct cri_sandbox_info *info) {
        struct reading *r = data;

        r->failed = !add_sandbox(r, info);
        return !r->failed;
}

static bool add_container(struct reading *r, const struct cri_container_info *info) {
        struct worker_found_container *more, *added;
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
                added = &pod->containers[pod->n_containers++];
                *added = (struct worker_found_container){
                        .name = strdup(info->name),
                        .id = strdup(info->id),
                        .restarts = restarts ? (uint32_t)strtoul(restarts, NULL, 10) : info->attempt,
                };
                return added->name && added->id;
        }
        return true;
}

static bool on_container(void *data, const struct cri_container_info *info) {
        struct reading *r = data;

        r->failed = !add_container(r, info);
        return !r->failed;
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
        if (pod_default(pod->pod) < 0 || pod_settle(&pod->pod) < 0)
                return err_set(err, ENOMEM, "out of memory");
        pod->kept_whole = true;
        file = value_string(value_get(hint, "file"));
        if (file && file[0] && !(pod->file = strdup(file)))
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

/* Its name, and the grace period that its containers were started with. */
static bool set_metadata(struct cri *cri, const struct found_pod *found, struct pod *pod) {
        for (size_t i = 0; i < found->n_containers; i++) {
                const char *grace = cri_container_annotation(cri, found->containers[i].id,
                                                             "io.kubernetes.pod.terminationGracePeriod");

                if (!grace)
                        continue;
                pod->spec.termination_grace_period_seconds = (struct opt_int){ strtol(grace, NULL, 10), true };
                break;
        }
        return (pod->metadata.name = arena_strdup(pod->arena, found->name)) &&
               (pod->metadata.namespace = arena_strdup(pod->arena, found->namespace_)) &&
               (pod->metadata.uid = arena_strdup(pod->arena, found->uid));
}

/* Each container once, however often it ran. */
static bool set_containers(const struct found_pod *found, struct pod *pod) {
        kube_container_items *list = &pod->spec.containers;

        list->items = arena_alloc_array(pod->arena, found->n_containers, sizeof(*list->items));
        for (size_t i = 0; list->items && i < found->n_containers; i++) {
                const char *name = found->containers[i].name;
                struct kube_container *c = &list->items[list->count];

                if (pod_find_container(pod, name))
                        continue;
                if (!(c->name = arena_strdup(pod->arena, name)))
                        return false;
                c->image = "unknown";
                list->count++;
        }
        return list->items;
}

/* A pod as far as its containers tell: enough to end it. */
static int make_pod(struct cri *cri, struct found_pod *found) {
        _cleanup_pod_ struct pod *pod = pod_new();

        if (!pod || !set_metadata(cri, found, pod) || !set_containers(found, pod) || pod_default(pod) < 0 ||
            pod_settle(&pod) < 0)
                return -ENOMEM;
        found->pod = TAKE_PTR(pod);
        return 0;
}

/* A pod's directory without a sandbox: its manifest is still wanted or not; the caller sees. */
static int read_directories(const struct options *options, struct found_pods *pods) {
        _cleanup_free_ char *path = NULL;
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;

        if (asprintf(&path, "%s/pods", options->root_dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (!(dir = opendir(path)))
                return errno == ENOMEM ? -ENOMEM : 0;
        while ((entry = readdir(dir)))
                if (entry->d_name[0] != '.' && !found_pods_get(pods, entry->d_name) && !add_pod(pods, entry->d_name) &&
                    pods->n < FOUND_MAX)
                        return -ENOMEM;
        return 0;
}

/* The pod from its hint, else as its containers tell. */
static int find_pod(struct cri *cri, const struct options *options, struct found_pod *pod) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/pods/%s/pod.json", options->root_dir, pod->uid) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = read_hint(pod, path, &err);
        if (r == 0)
                return remembered_read(options, pod->uid, &pod->kept);
        if (r == -ENOMEM)
                return r;
        if (!pod->found.sandbox_id) {
                log_warning("%s/pods/%s holds no pod that is known, and is removed: %s", options->root_dir, pod->uid,
                            err_text(err));
                return 0;
        }
        log_warning("pod %s/%s: going on without its hint: %s", pod->namespace_, pod->name, err_text(err));
        return make_pod(cri, pod);
}

int found_pods_read(struct cri *cri, const struct options *options, struct found_pods *ret_pods) {
        struct reading reading = { .cri = cri, .options = options, .pods = ret_pods };
        int r;

        *ret_pods = (struct found_pods){ 0 };
        cri_each_sandbox(cri, on_sandbox, &reading);
        if (!reading.failed)
                cri_each_container(cri, NULL, on_container, &reading);
        if (reading.failed || (r = read_directories(options, ret_pods)) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < ret_pods->n; i++)
                if ((r = find_pod(cri, options, &ret_pods->items[i])) < 0)
                        return r;
        return 0;
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
                pod_sources_unref(pod->kept);
        }
        free(pods->items);
        *pods = (struct found_pods){ 0 };
}
