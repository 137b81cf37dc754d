#include "agent/pod/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/container/log_links.h"
#include "agent/volumes/remembered.h"
#include "agent/volumes/tree.h"
#include "agent/volumes/volumes.h"
#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json_writer.h"

/* -- cgroup ------------------------------------------------------------------------------------------------ */

static int make_qos(const struct pod_files *f, int64_t burstable_milli, struct err **err) {
        _cleanup_free_ char *path = NULL;
        struct cgroup_limits limits = { 0 };
        enum pod_qos qos = pod_qos(f->pod);
        const char *end = strrchr(f->cgroup, '/');
        int r;

        if (!end || !(path = strndup(f->cgroup, (size_t)(end - f->cgroup))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = cgroup_create_above(f->cgroups, path, err)) < 0)
                return r;
        if (qos == QOS_GUARANTEED)
                return 0;
        limits.cpu_shares = qos == QOS_BEST_EFFORT ? POD_CPU_SHARES_MIN : pod_cpu_shares(burstable_milli);
        return cgroup_apply(f->cgroups, path, &limits, err);
}

struct pod_files_size pod_files_size(const struct pod *pod) {
        struct pod_files_size size = { .cpu_shares = (int64_t)pod_cpu_shares(quantity_milli(pod_request(pod, "cpu"))) };
        struct quantity limit;

        if (pod_limit(pod, "cpu", &limit))
                size.cpu_quota = pod_cpu_quota(quantity_milli(limit), POD_CPU_PERIOD_DEFAULT);
        if (pod_limit(pod, "memory", &limit))
                size.memory_max = quantity_units(limit);
        return size;
}

static void set_size(const struct pod_files_size *size, struct cgroup_limits *limits) {
        limits->cpu_shares = (uint64_t)size->cpu_shares;
        limits->cpu_quota_us = size->cpu_quota;
        limits->cpu_period_us = size->cpu_quota ? POD_CPU_PERIOD_DEFAULT : 0;
        limits->memory_max = size->memory_max;
}

int pod_files_resize(const struct pod_files *f, const struct pod_files_size *size, int64_t burstable_milli,
                     struct err **err) {
        struct cgroup_limits limits = { 0 };
        int r;

        if (!f->cgroups)
                return 0;
        set_size(size, &limits);
        if ((r = make_qos(f, burstable_milli, err)) < 0)
                return r;
        return cgroup_update(f->cgroups, f->cgroup, &limits, err);
}

static int make_cgroup(const struct pod_files *f, int64_t burstable_milli, struct err **err) {
        struct cgroup_limits limits = { .pids_max = f->options->pod_pids_limit > 0 ? f->options->pod_pids_limit : 0 };
        struct pod_files_size size = pod_files_size(f->pod);
        int r;

        if (!f->cgroups)
                return 0;
        if (f->exclusive_cpus)
                size.cpu_quota = 0;
        if ((r = make_qos(f, burstable_milli, err)) < 0 || (r = cgroup_create_above(f->cgroups, f->cgroup, err)) < 0)
                return r;
        set_size(&size, &limits);
        return cgroup_apply(f->cgroups, f->cgroup, &limits, err);
}

int pod_files_make_root(const struct cgroups *cgroups, const struct options *options, const struct pod_files_root *root,
                        struct err **err) {
        struct cgroup_limits limits = {
                .cpu_shares = pod_cpu_shares(root->cpu_milli),
                .pids_max = root->pids_max > 0 ? root->pids_max : CGROUP_UNLIMITED,
                .memory_max = root->memory_max > 0 ? root->memory_max : CGROUP_UNLIMITED,
        };
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/kubepods", strcmp(options->cgroup_root, "/") == 0 ? "" : options->cgroup_root) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = cgroup_create_above(cgroups, path, err)) < 0)
                return r;
        return cgroup_apply(cgroups, path, &limits, err);
}

/* -- steps ------------------------------------------------------------------------------------------------- */

/* The pod itself, so that an agent that finds it without its manifest can end it as it was meant. */
int pod_files_write_pod(const struct pod_files *f, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL, *path = NULL;
        size_t length = 0;

        json_begin_map(&w);
        json_add_string(&w, "file", f->pod->file ? f->pod->file : "");
        json_key(&w, "pod");
        if (pod_write(f->pod, NULL, &w) < 0)
                return err_set(err, ENOMEM, "out of memory");
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) < 0 || asprintf(&path, "%s/pod.json", f->dir) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
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

int pod_files_prepare(const struct pod_files *f, int64_t burstable_milli, struct err **err) {
        int r;

        if ((r = pod_tree_make(f->dir, 0750, err)) < 0 || (r = pod_tree_make(f->logs, 0755, err)) < 0)
                return r;
        if ((r = make_cgroup(f, burstable_milli, err)) < 0)
                return err_wrap(err, r, "cannot make the pod's cgroup");
        if ((r = volumes_make(f, err)) == 0)
                remembered_write(f);
        return r;
}

int pod_files_release(const struct pod_files *f, struct err **err) {
        static const char *const parts[] = { "volume-subpaths", "volumes" };
        int r;

        volumes_unmount(f);
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

int pod_files_drop_logs(const struct pod_files *f, struct err **err) {
        return pod_tree_remove(f->logs, err);
}

int pod_files_sweep(const struct pod_files *f, struct err **err) {
        int r = pod_tree_remove(f->dir, err);

        remembered_remove(f);
        log_links_sweep(f->logs);
        if (r < 0)
                return r;
        return pod_tree_remove(f->logs, err);
}
