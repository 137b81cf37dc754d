/* Cgroups that a pod's cut-off making left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pods/found.h"
#include "cgroups/cgroup.h"
#include "cri/cri.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

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
