#include <stdio.h>

#include "cli/cli.h"
#include "cli/resolve.h"
#include "cli/stream.h"

/* Beyond the command's own time-out. */
#define MARGIN_MS 5000

static struct {
        bool sync, tty, interactive;
        int64_t timeout;
} options;

const struct cli_option cli_exec_options[] = {
        { "sync", 's', CLI_FLAG, &options.sync, NULL, "wait for the end, then show the output" },
        { "interactive", 'i', CLI_FLAG, &options.interactive, NULL, "give it the standard input" },
        { "tty", 't', CLI_FLAG, &options.tty, NULL, "give it a terminal" },
        { "timeout", 0, CLI_NUMBER, &options.timeout, "SECONDS", "with --sync: kill it then [0: never]" },
        {},
};
const struct cli_option cli_attach_options[] = {
        { "interactive", 'i', CLI_FLAG, &options.interactive, NULL, "give it the standard input" },
        { "tty", 't', CLI_FLAG, &options.tty, NULL, "the container has a terminal" },
        {},
};

static int exec_sync(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__ExecSyncRequest request = CRI__EXEC_SYNC_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ExecSyncResponse *answer;
        int r;

        request.container_id = arguments[0];
        request.n_cmd = (size_t)(n - 1);
        request.cmd = arguments + 1;
        request.timeout = options.timeout;
        if (!cli->timeout_given)
                cli->timeout_ms = options.timeout > 0 ? (uint64_t)options.timeout * 1000 + MARGIN_MS : 0;
        r = cli_call(cli, RUNTIME("ExecSync"), &request.base, &cri__exec_sync_response__descriptor, &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Cri__ExecSyncResponse *)unpacked.message;
        if (answer->stdout.len > 0)
                fwrite(answer->stdout.data, 1, answer->stdout.len, stdout);
        if (answer->stderr.len > 0)
                fwrite(answer->stderr.data, 1, answer->stderr.len, stderr);
        return answer->exit_code;
}

static int run(const char *url, const struct stream_options *stream_options, struct err **err) {
        int code, r;

        r = stream_run(url, stream_options, &code, err);
        return r < 0 ? r : code;
}

int cli_exec(struct cli *cli, char **arguments, int n, struct err **err) {
        const struct stream_options stream_options = { .in = options.interactive, .tty = options.tty };
        Cri__ExecRequest request = CRI__EXEC_REQUEST__INIT;
        char id[RESOLVE_ID_MAX + 1];
        _cleanup_unpacked_ struct grpc_unpacked answer = {};
        int r;

        r = resolve_container(cli, arguments[0], id, err);
        if (r < 0)
                return r;
        arguments[0] = id;
        if (options.sync)
                return exec_sync(cli, arguments, n, err);
        request.container_id = id;
        request.n_cmd = (size_t)(n - 1);
        request.cmd = arguments + 1;
        request.tty = options.tty;
        request.stdin = options.interactive;
        request.stdout = true;
        request.stderr = !options.tty;
        r = cli_call(cli, RUNTIME("Exec"), &request.base, &cri__exec_response__descriptor, &answer, err);
        if (r < 0)
                return r;
        return run(((const Cri__ExecResponse *)answer.message)->url, &stream_options, err);
}

int cli_attach(struct cli *cli, char **arguments, int n, struct err **err) {
        const struct stream_options stream_options = { .in = options.interactive,
                                                       .tty = options.tty,
                                                       .detach = options.tty };
        Cri__AttachRequest request = CRI__ATTACH_REQUEST__INIT;
        char id[RESOLVE_ID_MAX + 1];
        _cleanup_unpacked_ struct grpc_unpacked answer = {};
        int r;

        r = resolve_container(cli, arguments[0], id, err);
        if (r < 0)
                return r;
        request.container_id = id;
        request.tty = options.tty;
        request.stdin = options.interactive;
        request.stdout = true;
        request.stderr = !options.tty;
        r = cli_call(cli, RUNTIME("Attach"), &request.base, &cri__attach_response__descriptor, &answer, err);
        if (r < 0)
                return r;
        return run(((const Cri__AttachResponse *)answer.message)->url, &stream_options, err);
}
