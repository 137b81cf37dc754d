#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/list.h"
#include "cli/resolve.h"
#include "logs/reader.h"

/* After a container has ended, its log may still get the last lines for this long. */
#define LAST_LINES_MS 100

/* How often a followed container is looked at; its log's growth is seen at once. */
#define STATE_CHECK_MS 1000

static struct {
        bool follow, previous, timestamps, reopen;
        int64_t tail, limit_bytes;
        const char *since, *stream;
} options = { .tail = -1, .limit_bytes = -1 };

const struct cli_option cli_logs_options[] = {
        { "follow", 'f', CLI_FLAG, &options.follow, NULL, "go on with what is written later" },
        { "limit-bytes", 0, CLI_NUMBER, &options.limit_bytes, "N", "stop after so many bytes" },
        { "previous", 'p', CLI_FLAG, &options.previous, NULL, "the log of the attempt before" },
        { "reopen", 'r', CLI_FLAG, &options.reopen, NULL, "only have the log file opened anew" },
        { "since", 0, CLI_TEXT, &options.since, "TIME", "from a time (2026-11-21T10:00:00Z) or so long ago (42m)" },
        { "stream", 's', CLI_TEXT, &options.stream, "NAME", "only stdout or stderr" },
        { "tail", 0, CLI_NUMBER, &options.tail, "N", "only the last N lines" },
        { "timestamps", 't', CLI_FLAG, &options.timestamps, NULL, "show the time of each line" },
        {},
};

static int ask(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ContainerStatusRequest request = CRI__CONTAINER_STATUS_REQUEST__INIT;
        int r;

        request.container_id = (char *)(uintptr_t)id;
        r = cli_call(cli, RUNTIME("ContainerStatus"), &request.base, &cri__container_status_response__descriptor,
                     ret_answer, err);
        if (r < 0)
                return r;
        if (!((const Cri__ContainerStatusResponse *)ret_answer->message)->status) {
                grpc_unpacked_free(ret_answer);
                return err_set(err, EPROTO, "the answer has no status");
        }
        return 0;
}

static const Cri__ContainerStatus *status_of(const struct grpc_unpacked *answer) {
        return ((const Cri__ContainerStatusResponse *)answer->message)->status;
}

static bool is_running(struct cli *cli, const char *id) {
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        return ask(cli, id, &answer, NULL) == 0 && status_of(&answer)->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
}

/* The path with the attempt's number, "…/1.log", set to the one before. */
static int previous_path(const char *path, char ret_path[4096], struct err **err) {
        const char *slash = strrchr(path, '/');
        unsigned attempt;
        int n = 0;

        if (!slash || sscanf(slash + 1, "%u.log%n", &attempt, &n) != 1 || n == 0 || slash[1 + n] != '\0')
                return err_set(err, EINVAL, "log %s does not tell its attempt", path);
        if (attempt == 0)
                return err_set(err, ENOENT, "the container has not run before");
        snprintf(ret_path, 4096, "%.*s/%u.log", (int)(slash - path), path, attempt - 1);
        return 0;
}

static int fill_options(struct logs_options *ret_options, struct err **err) {
        int r;

        *ret_options = LOGS_OPTIONS_ALL;
        ret_options->tail_lines = options.tail;
        ret_options->limit_bytes = options.limit_bytes;
        ret_options->follow = options.follow;
        ret_options->timestamps = options.timestamps;
        if (options.stream && strcmp(options.stream, "stdout") != 0 && strcmp(options.stream, "stderr") != 0)
                return err_set(err, EINVAL, "--stream: \"%s\" is neither stdout nor stderr", options.stream);
        ret_options->no_stderr = options.stream && strcmp(options.stream, "stdout") == 0;
        ret_options->no_stdout = options.stream && strcmp(options.stream, "stderr") == 0;
        if (options.since) {
                r = format_parse_since(options.since, format_now_ns(), &ret_options->since_ns);
                if (r < 0)
                        return err_set(err, EINVAL, "--since: \"%s\" is neither a time nor a duration", options.since);
        }
        return 0;
}

/* Waits for more. Returns false when the container has ended and its last lines were read. */
static bool wait_for_more(struct cli *cli, const char *id, int fd, bool *last_look) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        if (*last_look)
                return poll(&poll_fd, 1, LAST_LINES_MS) > 0;
        if (poll(&poll_fd, 1, STATE_CHECK_MS) == 0)
                *last_look = !is_running(cli, id);
        return true;
}

static int print_log(struct cli *cli, const char *id, struct logs_reader *reader, struct err **err) {
        struct logs_entry entry;
        bool last_look = false;
        int r;

        for (;;) {
                r = logs_reader_next(reader, &entry, err);
                if (r == -ENODATA) /* --limit-bytes is used up */
                        return 0;
                if (r < 0)
                        return r;
                if (logs_reader_missed(reader))
                        fprintf(stderr, "nacelle: lines may be missing here: the log's files were removed sooner than "
                                        "they could be read\n");
                if (r > 0) {
                        if (fwrite(entry.data, 1, entry.size, entry.is_stderr ? stderr : stdout) != entry.size)
                                return err_errno(err, errno, "write");
                        continue;
                }
                fflush(stdout);
                if (!options.follow || !wait_for_more(cli, id, logs_reader_fd(reader), &last_look))
                        return 0;
        }
}

static int reopen(struct cli *cli, const char *id, struct err **err) {
        Cri__ReopenContainerLogRequest request = CRI__REOPEN_CONTAINER_LOG_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.container_id = (char *)(uintptr_t)id;
        return cli_call(cli, RUNTIME("ReopenContainerLog"), &request.base,
                        &cri__reopen_container_log_response__descriptor, &answer, err);
}

int cli_logs(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked answer = {};
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        struct logs_options logs_options;
        char previous[4096], id[RESOLVE_ID_MAX + 1];
        const char *path;
        int r;

        if ((r = fill_options(&logs_options, err)) < 0 || (r = resolve_container(cli, arguments[0], id, err)) < 0)
                return r;
        if (options.reopen)
                return reopen(cli, id, err);
        r = ask(cli, id, &answer, err);
        if (r < 0)
                return r;
        path = status_of(&answer)->log_path;
        if (!*path)
                return err_set(err, ENOENT, "container %s has no log", arguments[0]);
        if (options.previous) {
                r = previous_path(path, previous, err);
                if (r < 0)
                        return r;
                path = previous;
        }
        r = logs_reader_open_path(path, &logs_options, &reader, err);
        if (r < 0)
                return r;
        return print_log(cli, status_of(&answer)->id, reader, err);
}
