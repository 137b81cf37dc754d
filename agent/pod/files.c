#include "agent/pod/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node/dns.h"
#include "agent/eviction/eviction.h"
#include "agent/container/file_key.h"
#include "agent/pod/log_links.h"
#include "agent/config/options.h"
#include "agent/volumes/subpath.h"
#include "agent/volumes/tree.h"
#include "agent/volumes/volumes.h"
#include "agent/pod/internal.h"
#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "kube/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json_writer.h"

/* -- paths ------------------------------------------------------------------------------------------------- */

const char *pod_files_path(struct arena *arena, const struct worker *w, const char *name) {
        return arena_printf(arena, "%s/pods/%s%s%s", w->node->options->root_dir, w->pod->metadata.uid, name ? "/" : "",
                            name ? name : "");
}

const char *pod_files_logs(struct arena *arena, const struct worker *w) {
        return arena_printf(arena, "%s/%s_%s_%s", w->node->options->pod_logs_dir, w->pod->metadata.namespace,
                            w->pod->metadata.name, w->pod->metadata.uid);
}

const char *pod_files_volume(struct arena *arena, const struct worker *w, const struct pod_volume *volume) {
        return volumes_path(arena, pod_files_path(arena, w, NULL), volume);
}

const char *pod_files_message(struct arena *arena, const struct member *m, uint32_t attempt) {
        return arena_printf(arena, "%s/containers/%s/%u", pod_files_path(arena, m->worker, NULL), m->spec->name,
                            attempt);
}

const char *pod_files_subpath(struct arena *arena, const struct member *m, const char *volume, size_t index) {
        return arena_printf(arena, "%s/volume-subpaths/%s/%s/%zu", pod_files_path(arena, m->worker, NULL), volume,
                            m->spec->name, index);
}

static const char *qos_folder(const struct pod *pod) {
        static const char *const folders[] = {
                [QOS_BEST_EFFORT] = "/besteffort", [QOS_BURSTABLE] = "/burstable", [QOS_GUARANTEED] = ""
        };

        return folders[pod_qos(pod)];
}

const char *pod_files_cgroup(struct arena *arena, const struct worker *w) {
        const char *root = w->node->options->cgroup_root;

        return arena_printf(arena, "%s/kubepods%s/pod%s", strcmp(root, "/") == 0 ? "" : root, qos_folder(w->pod),
                            w->pod->metadata.uid);
}

static void set_facts(struct arena *arena, const struct worker *w, struct pod_facts *facts) {
        facts->pod_ip = w->n_ips ? arena_strdup(arena, w->ips[0]) : NULL;
        facts->pod_ips = w->ips_joined ? arena_strdup(arena, w->ips_joined) : NULL;
        facts->host_ip = facts->host_ips = w->node->host_ip;
        facts->allocatable_cpu = quantity_from_milli(w->node->cpu_milli);
        facts->allocatable_memory = quantity_from_units(w->node->memory_bytes, QUANTITY_BINARY);
}

struct pod_files *pod_files_new(struct arena *arena, const struct worker *w) {
        struct pod_files *files = arena_new_of(arena, struct pod_files);
        const char **ips = arena_alloc_array(arena, w->n_ips + 1, sizeof(*ips));

        if (!files || !ips)
                return NULL;
        for (size_t i = 0; i < w->n_ips; i++)
                ips[i] = arena_strdup(arena, w->ips[i]);
        *files = (struct pod_files){
                .pod = w->pod,
                .options = w->node->options,
                .cgroups = w->node->cgroups,
                .dir = pod_files_path(arena, w, NULL),
                .logs = pod_files_logs(arena, w),
                .cgroup = pod_files_cgroup(arena, w),
                .ips = ips,
                .node_memory = w->node->memory_bytes,
                .burstable_milli = w->node->burstable_milli,
        };
        set_facts(arena, w, &files->facts);
        files->facts.file_key = file_key_read;
        files->facts.file_key_data = files;
        return files->dir && files->logs && files->cgroup ? files : NULL;
}

/* -- cgroup ------------------------------------------------------------------------------------------------ */

static int make_qos(const struct pod_files *f, struct err **err) {
        _cleanup_free_ char *path = NULL;
        struct cgroup_limits limits = { 0 };
        enum pod_qos qos = pod_qos(f->pod);
        const char *end = strrchr(f->cgroup, '/');

        if (!end || !(path = strndup(f->cgroup, (size_t)(end - f->cgroup))))
                return err_set(err, ENOMEM, "out of memory");
        if (cgroup_create(f->cgroups, path, err) < 0)
                return -EIO;
        if (qos == QOS_GUARANTEED)
                return 0;
        limits.cpu_shares = qos == QOS_BEST_EFFORT ? POD_CPU_SHARES_MIN : pod_cpu_shares(f->burstable_milli);
        return cgroup_apply(f->cgroups, path, &limits, err);
}

static int make_cgroup(const struct pod_files *f, struct err **err) {
        struct cgroup_limits limits = { .pids_max = f->options->pod_pids_limit > 0 ? f->options->pod_pids_limit : 0 };
        struct quantity limit;

        if (!f->cgroups)
                return 0;
        if (make_qos(f, err) < 0 || cgroup_create(f->cgroups, f->cgroup, err) < 0)
                return -EIO;
        limits.cpu_shares = pod_cpu_shares(quantity_milli(pod_request(f->pod, "cpu")));
        if (pod_limit(f->pod, "cpu", &limit)) {
                limits.cpu_period_us = POD_CPU_PERIOD_DEFAULT;
                limits.cpu_quota_us = pod_cpu_quota(quantity_milli(limit), POD_CPU_PERIOD_DEFAULT);
        }
        if (pod_limit(f->pod, "memory", &limit))
                limits.memory_max = quantity_units(limit);
        return cgroup_apply(f->cgroups, f->cgroup, &limits, err);
}

int pod_files_make_root(const struct cgroups *cgroups, const struct options *options, int64_t node_memory,
                        struct err **err) {
        struct cgroup_limits limits = { 0 };
        _cleanup_free_ char *path = NULL;
        int64_t pids, memory;

        eviction_pods_limits(options, node_memory, &pids, &memory);
        limits.pids_max = pids > 0 ? pids : CGROUP_UNLIMITED;
        limits.memory_max = memory > 0 ? memory : CGROUP_UNLIMITED;
        if (asprintf(&path, "%s/kubepods", strcmp(options->cgroup_root, "/") == 0 ? "" : options->cgroup_root) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if (cgroup_create(cgroups, path, err) < 0)
                return -EIO;
        return cgroup_apply(cgroups, path, &limits, err);
}

/* -- steps ------------------------------------------------------------------------------------------------- */

/* The pod itself, so that an agent that finds it without its manifest can end it as it was meant. */
int pod_files_write_pod(const struct pod_files *f, struct err **err) {
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL, *path = NULL;
        size_t length = 0;

        json_begin_map(&w);
        json_add_string(&w, "file", f->pod->file ? f->pod->file : "");
        json_key(&w, "pod");
        pod_write(f->pod, &w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) < 0 || asprintf(&path, "%s/pod.json", f->dir) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return pod_files_keep(path, text, length, err);
}

/* Synced, so that a power cut does not leave an empty file; nobody waits for it. */
int pod_files_keep(const char *path, const char *text, size_t length, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        int r = files_replace(path, text, length, 0600, err);

        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fdatasync(fd) < 0)
                return err_errno(err, errno, "cannot sync %s", path);
        return 0;
}

int pod_files_prepare(struct pod_files *f, struct err **err) {
        int r;

        if ((r = pod_tree_make(f->dir, 0750, err)) < 0 || (r = pod_tree_make(f->logs, 0755, err)) < 0)
                return r;
        if ((r = make_cgroup(f, err)) < 0)
                return err_wrap(err, r, "cannot make the pod's cgroup");
        if ((r = volumes_make(f, err)) < 0)
                return r;
        return dns_choose(f->pod, f->options, &f->dns, err);
}

/* The file is made here and not by the container: only its content is the container's. */
static int make_message_file(const struct pod_files *f, struct err **err) {
        _cleanup_free_ char *dir = strdup(f->message_file);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        int fd, r;

        if (!slash)
                return err_set(err, ENOMEM, "out of memory");
        *slash = '\0';
        if ((r = pod_tree_make(dir, 0750, err)) < 0)
                return r;
        fd = open(f->message_file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 || fchmod(fd, 0666) < 0) {
                r = err_errno(err, errno, "cannot create %s", f->message_file);
                close_fd(fd);
                return r;
        }
        close(fd);
        return 0;
}

static int write_hosts(const struct pod_files *f, struct err **err) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        int r = hosts_text(f->pod, f->options, f->ips, &text, err);

        if (r < 0)
                return r;
        if (asprintf(&path, "%s/etc-hosts", f->dir) < 0)
                return err_set(err, ENOMEM, "out of memory");
        /* Written in place when it is there: containers have the file itself mounted. */
        int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_errno(err, errno, "cannot create %s", path);
        if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || ftruncate(fd, (off_t)strlen(text)) < 0 ||
            fchmod(fd, 0644) < 0)
                r = err_errno(err, errno, "cannot write %s", path);
        close(fd);
        return r;
}

int pod_files_prepare_container(struct pod_files *f, struct err **err) {
        _cleanup_free_ char *logs = NULL;
        int r;

        if (asprintf(&logs, "%s/%s", f->logs, f->container) < 0) {
                logs = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = pod_tree_make(logs, 0755, err)) < 0 || (r = make_message_file(f, err)) < 0 ||
            (r = write_hosts(f, err)) < 0)
                return r;
        for (size_t i = 0; i < f->n_subpaths; i++)
                if ((r = subpath_mount(f->subpaths[i].volume, f->subpaths[i].path, f->subpaths[i].target, err)) < 0)
                        return err_wrap(err, r, "failed to prepare subPath for volumeMount of container \"%s\"",
                                        f->container);
        return 0;
}

int pod_files_release(struct pod_files *f, struct err **err) {
        static const char *const parts[] = { "volume-subpaths", "volumes" };
        int r;

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", f->dir, parts[i]) < 0) {
                        path = NULL;
                        return err_set(err, ENOMEM, "out of memory");
                }
                if ((r = pod_tree_remove(path, err)) < 0)
                        return r;
        }
        return f->cgroups ? cgroup_remove(f->cgroups, f->cgroup, err) : 0;
}

int pod_files_drop_logs(struct pod_files *f, struct err **err) {
        return pod_tree_remove(f->logs, err);
}

int pod_files_sweep(struct pod_files *f, struct err **err) {
        int r = pod_tree_remove(f->dir, err);

        log_links_sweep(f->logs);
        return r < 0 ? r : pod_tree_remove(f->logs, err);
}
