#include <errno.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/list.h"
#include "cli/resolve.h"

/* Stopping takes the container's grace period and then some. */
#define STOP_MARGIN_MS 30000
/* A checkpoint takes as long as the container's memory takes to be written. */
#define CHECKPOINT_MS (10 * 60 * 1000)

static struct {
        int64_t timeout;
        const char *export;
        bool all, force;
} options;

const struct cli_option cli_stop_options[] = {
        { "timeout", 't', CLI_NUMBER, &options.timeout, "SECONDS", "before it is killed [0]" },
        {},
};
const struct cli_option cli_checkpoint_options[] = {
        { "export", 'e', CLI_TEXT, &options.export, "FILE", "the archive to write, on the node" },
        {},
};
const struct cli_option cli_rm_options[] = {
        { "all", 'a', CLI_FLAG, &options.all, NULL, "remove all containers" },
        { "force", 'f', CLI_FLAG, &options.force, NULL, "stop running ones first" },
        {},
};
const struct cli_option cli_stopp_options[] = { {} };
const struct cli_option cli_rmp_options[] = {
        { "all", 'a', CLI_FLAG, &options.all, NULL, "remove all pods" },
        { "force", 'f', CLI_FLAG, &options.force, NULL, "stop running ones first" },
        {},
};

static char *text(const char *text) {
        return (char *)(uintptr_t)text;
}

/* Does @change to each that is named, prints @done and the name, and reports what failed. */
static int each(struct cli *cli, char **names, int n, resolve_fn *resolve,
                int (*change)(struct cli *cli, const char *id, struct err **err), const char *done) {
        int result = 0;

        for (int i = 0; i < n; i++) {
                _cleanup_err_ struct err *err = NULL;
                char id[RESOLVE_ID_MAX + 1];

                if (resolve(cli, names[i], id, &err) < 0 || change(cli, id, &err) < 0) {
                        fprintf(stderr, "nacelle: %s: %s\n", names[i], err_text(err));
                        result = 1;
                        continue;
                }
                printf("%s%s\n", done, names[i]);
        }
        return result;
}

static int start(struct cli *cli, const char *id, struct err **err) {
        Cri__StartContainerRequest request = CRI__START_CONTAINER_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.container_id = text(id);
        return cli_call(cli, RUNTIME("StartContainer"), &request.base, &cri__start_container_response__descriptor,
                        &answer, err);
}

static int stop(struct cli *cli, const char *id, struct err **err) {
        Cri__StopContainerRequest request = CRI__STOP_CONTAINER_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.container_id = text(id);
        request.timeout = options.timeout;
        if (!cli->timeout_given)
                cli->timeout_ms = (uint64_t)options.timeout * 1000 + STOP_MARGIN_MS;
        return cli_call(cli, RUNTIME("StopContainer"), &request.base, &cri__stop_container_response__descriptor,
                        &answer, err);
}

/* As crictl: a running container is removed only with --force, though CRI itself would kill it. */
static int check_not_running(struct cli *cli, const char *id, struct err **err) {
        Cri__ContainerStatusRequest request = CRI__CONTAINER_STATUS_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ContainerStatusResponse *answer;
        int r;

        request.container_id = text(id);
        r = cli_call(cli, RUNTIME("ContainerStatus"), &request.base, &cri__container_status_response__descriptor,
                     &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Cri__ContainerStatusResponse *)unpacked.message;
        if (answer->status && answer->status->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING)
                return err_set(err, EBUSY, "it is running; stop it, or use --force");
        return 0;
}

static int rm(struct cli *cli, const char *id, struct err **err) {
        Cri__RemoveContainerRequest request = CRI__REMOVE_CONTAINER_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};
        int r;

        r = options.force ? stop(cli, id, err) : check_not_running(cli, id, err);
        if (r < 0)
                return r;
        request.container_id = text(id);
        return cli_call(cli, RUNTIME("RemoveContainer"), &request.base, &cri__remove_container_response__descriptor,
                        &answer, err);
}

static int stopp(struct cli *cli, const char *id, struct err **err) {
        Cri__StopPodSandboxRequest request = CRI__STOP_POD_SANDBOX_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.pod_sandbox_id = text(id);
        if (!cli->timeout_given)
                cli->timeout_ms = STOP_MARGIN_MS;
        return cli_call(cli, RUNTIME("StopPodSandbox"), &request.base, &cri__stop_pod_sandbox_response__descriptor,
                        &answer, err);
}

static int check_not_ready(struct cli *cli, const char *id, struct err **err) {
        Cri__PodSandboxStatusRequest request = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__PodSandboxStatusResponse *answer;
        int r;

        request.pod_sandbox_id = text(id);
        r = cli_call(cli, RUNTIME("PodSandboxStatus"), &request.base, &cri__pod_sandbox_status_response__descriptor,
                     &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Cri__PodSandboxStatusResponse *)unpacked.message;
        if (answer->status && answer->status->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY)
                return err_set(err, EBUSY, "it is ready; stop it, or use --force");
        return 0;
}

static int rmp(struct cli *cli, const char *id, struct err **err) {
        Cri__RemovePodSandboxRequest request = CRI__REMOVE_POD_SANDBOX_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};
        int r;

        r = options.force ? stopp(cli, id, err) : check_not_ready(cli, id, err);
        if (r < 0)
                return r;
        request.pod_sandbox_id = text(id);
        return cli_call(cli, RUNTIME("RemovePodSandbox"), &request.base, &cri__remove_pod_sandbox_response__descriptor,
                        &answer, err);
}

static int checkpoint(struct cli *cli, const char *id, struct err **err) {
        Cri__CheckpointContainerRequest request = CRI__CHECKPOINT_CONTAINER_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.container_id = text(id);
        request.location = text(options.export);
        if (!cli->timeout_given)
                cli->timeout_ms = CHECKPOINT_MS;
        return cli_call(cli, RUNTIME("CheckpointContainer"), &request.base,
                        &cri__checkpoint_container_response__descriptor, &answer, err);
}

int cli_checkpoint(struct cli *cli, char **arguments, int n, struct err **err) {
        if (!options.export) {
                err_set(err, EINVAL, "--export: the archive's path is needed");
                return CLI_USAGE_EXIT;
        }
        return each(cli, arguments, n, resolve_container, checkpoint, "");
}

int cli_start(struct cli *cli, char **arguments, int n, struct err **err) {
        return each(cli, arguments, n, resolve_container, start, "");
}

int cli_stop(struct cli *cli, char **arguments, int n, struct err **err) {
        return each(cli, arguments, n, resolve_container, stop, "");
}

int cli_stopp(struct cli *cli, char **arguments, int n, struct err **err) {
        return each(cli, arguments, n, resolve_pod, stopp, "Stopped sandbox ");
}

/* Of a list. */
static int take_id(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err) {
        snprintf(ret_id, RESOLVE_ID_MAX + 1, "%s", text);
        return 0;
}

static int usage(const char *verb, const char *what, struct err **err) {
        err_set(err, EINVAL, "usage: nacelle %s [OPTIONS] %s..., or --all", verb, what);
        return CLI_USAGE_EXIT;
}

int cli_rm(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ListContainersResponse *answer;
        _cleanup_free_ char **ids = NULL;
        int r;

        if (!options.all)
                return n > 0 ? each(cli, arguments, n, resolve_container, rm, "") : usage("rm", "CONTAINER", err);
        r = list_containers(cli, NULL, &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Cri__ListContainersResponse *)unpacked.message;
        ids = calloc(answer->n_containers + 1, sizeof(*ids));
        for (size_t i = 0; ids && i < answer->n_containers; i++)
                ids[i] = answer->containers[i]->id;
        return ids ? each(cli, ids, (int)answer->n_containers, take_id, rm, "") : err_set(err, ENOMEM, "out of memory");
}

int cli_rmp(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ListPodSandboxResponse *answer;
        _cleanup_free_ char **ids = NULL;
        int r;

        if (!options.all)
                return n > 0 ? each(cli, arguments, n, resolve_pod, rmp, "Removed sandbox ") : usage("rmp", "POD", err);
        r = list_pods(cli, NULL, &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Cri__ListPodSandboxResponse *)unpacked.message;
        ids = calloc(answer->n_items + 1, sizeof(*ids));
        for (size_t i = 0; ids && i < answer->n_items; i++)
                ids[i] = answer->items[i]->id;
        return ids ? each(cli, ids, (int)answer->n_items, take_id, rmp, "Removed sandbox ") :
                     err_set(err, ENOMEM, "out of memory");
}
