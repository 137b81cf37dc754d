#include "runtime/oci/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static const char usage[] = "usage: nacelle-oci checkpoint [--image-path DIR] [--work-path DIR] [--leave-running] "
                            "[--tcp-established] [--ext-unix-sk]\n"
                            "                              [--shell-job] [--file-locks] [--manage-cgroups-mode "
                            "ignore|soft|full|strict] ID\n";

static int dump(struct oci *oci, struct checkpoint_options *o, const struct oci_state *state, struct err **err) {
        struct criu_externals externals = { 0 };
        struct oci_config config;
        int r = oci_config_load(oci, state->bundle, state->id, &config, err);

        if (r < 0)
                return r;
        o->request.pid = state->pid;
        o->request.root = config.spec.root.path;
        externals.net = config.spec.namespaces[NAMESPACE_NET].mode == NAMESPACE_JOIN;
        externals.pid = config.spec.namespaces[NAMESPACE_PID].mode == NAMESPACE_JOIN;
        if ((r = criu_externals_find(oci->arena, state->pid, &externals, err)) < 0 ||
            (r = criu_externals_list(oci->arena, state->pid, &externals, &o->request.external, &o->request.n_external,
                                     err)) < 0 ||
            (r = criu_externals_write(o->request.images_fd, &externals, err)) < 0)
                return r;
        return criu_dump(&o->request, err);
}

/* criu has killed what it wrote down: the container is no more. */
static int forget(struct oci *oci, const struct oci_state *state, struct err **err) {
        return oci_remove(oci,
                          &(struct oci_removal){ .id = state->id,
                                                 .cgroup = state->cgroup,
                                                 .bundle = state->bundle,
                                                 .annotations = value_get(state->json, "annotations"),
                                                 .hooks = value_get(state->json, "hooks") },
                          err);
}

int oci_checkpoint(struct oci_call *call, struct err **err) {
        struct oci_state state = { .dir = -EBADF };
        struct checkpoint_options options;
        int r = oci_checkpoint_parse(call, false, &options, err);

        if (r == 0 && options.help) {
                fputs(usage, stdout);
                return 0;
        }
        if (r < 0 || (r = oci_state_open(call->oci, options.container.id, &state, err)) < 0 ||
            (strcmp(state.status, "running") != 0 &&
             (r = err_set(err, EINVAL, "container %s is %s: only one that runs can be checkpointed", state.id,
                          state.status)) < 0) ||
            (r = oci_checkpoint_open(call->oci, &options, err)) < 0 || (r = dump(call->oci, &options, &state, err)) < 0)
                err_wrap(err, r, "checkpoint of container %s", options.container.id ? options.container.id : "");
        if (r == 0 && !options.request.leave_running)
                r = forget(call->oci, &state, err);
        close_fd(state.dir);
        oci_checkpoint_close(&options);
        return r;
}
