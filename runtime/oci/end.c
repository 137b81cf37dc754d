/* `kill` and `delete`. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#define END_MILLISECONDS 10000
#define SIGNALS_MAX 64

static int parse_signal(const char *text) {
        size_t digits = strspn(text, "0123456789");
        char *end;
        long n;

        if (digits > 0 && text[digits] == '\0') {
                n = strtol(text, NULL, 10);
                return n <= SIGNALS_MAX ? (int)n : -1;
        }
        if (strncasecmp(text, "SIG", 3) == 0)
                text += 3;
        for (int i = 1; i < NSIG; i++)
                if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
                        return i;
        if (strncasecmp(text, "RTMIN+", 6) != 0 || text[6 + strspn(text + 6, "0123456789")] != '\0')
                return -1;
        n = strtol(text + 6, &end, 10);
        return end > text + 6 && n <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + (int)n : -1;
}

static int no_process(struct err **err) {
        /* The message callers look for. */
        return err_set(err, ESRCH, "container not running");
}

static int kill_all(struct oci *oci, const struct oci_state *state, int signal, size_t *ret_n, struct err **err) {
        _cleanup_free_ pid_t *pids = NULL;
        int r = oci_own_cgroup(oci, state, err);

        *ret_n = 0;
        if (r < 0 || (r = cgroup_pids(oci->cgroups, state->cgroup, true, &pids, ret_n, err)) < 0)
                return r;
        if (signal == SIGKILL)
                return cgroup_kill(oci->cgroups, state->cgroup, err);
        for (size_t i = 0; i < *ret_n; i++)
                kill(pids[i], signal);
        return 0;
}

static int kill_first(const struct oci_state *state, int signal, struct err **err) {
        _cleanup_close_ int pidfd = state->pid > 0 ? sys_pidfd_open(state->pid) : -EBADF;

        if (pidfd < 0)
                return no_process(err);
        return sys_pidfd_send_signal(pidfd, signal) < 0 ? err_errno(err, errno, "signal %d", signal) : 0;
}

/* The end of the first process is that of all in a pid namespace of its own. In one of others' the rest would live on:
 * they are ended with it, and are there to be signalled when it has gone. */
static int kill_container(struct oci *oci, const struct oci_state *state, int signal, struct err **err) {
        size_t n;
        int r;

        if (!state->cgroup[0] || (state->pid > 0 && (signal != SIGKILL || !state->shares_pids)))
                return kill_first(state, signal, err);
        r = kill_all(oci, state, signal, &n, NULL);
        return r < 0 || n == 0 ? no_process(err) : 0;
}

/* v1's freezer keeps what is killed until it is thawed. */
static void thaw(struct oci *oci, const struct oci_state *state) {
        if (strcmp(state->status, "paused") == 0 && oci_cgroups(oci, NULL) == 0)
                cgroup_freeze(oci->cgroups, state->cgroup, false, NULL);
}

int oci_kill(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "all", 0, NULL, 'a' }, { NULL, 0, NULL, 0 } };
        struct oci_state state;
        bool all = false;
        int c, signal, r;
        size_t n;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "a", long_options, NULL)) >= 0)
                all |= c == 'a';
        if (optind >= call->argc)
                return err_set(err, EINVAL, "usage: nacelle-oci kill [--all] ID [SIGNAL]");
        signal = parse_signal(optind + 1 < call->argc ? call->argv[optind + 1] : "TERM");
        if (signal < 0)
                return err_set(err, EINVAL, "unknown signal \"%s\"", call->argv[optind + 1]);
        r = oci_state_open(call->oci, call->argv[optind], &state, err);
        if (r < 0)
                return r;
        r = all && state.cgroup[0] ? kill_all(call->oci, &state, signal, &n, err) :
                                     kill_container(call->oci, &state, signal, err);
        if (r == 0 && signal == SIGKILL)
                thaw(call->oci, &state);
        return r;
}

static int remove_directory(struct oci *oci, const char *dir, struct err **err) {
        /* Mostly there are but two files. */
        unlink(arena_printf(oci->arena, "%s/" OCI_CGROUP_LINK, dir));
        if (unlink(arena_printf(oci->arena, "%s/state.json", dir)) == 0 && rmdir(dir) == 0)
                return 0;
        return files_remove_tree(dir, err);
}

int oci_remove(struct oci *oci, const struct oci_removal *o, struct err **err) {
        struct oci_all_hooks all;
        int r;

        if ((r = oci_cgroups(oci, err)) < 0 ||
            (o->cgroup[0] && (r = cgroup_remove(oci->cgroups, o->cgroup, err)) < 0) ||
            (r = remove_directory(oci, arena_printf(oci->arena, "%s/%s", oci->root, o->id), err)) < 0 ||
            (r = oci_state_hooks(oci, o->hooks, &all, err)) < 0)
                return r;
        if (all.poststop.n == 0)
                return 0;
        return oci_run_hooks(&all.poststop, "poststop",
                             oci_state_text(oci, o->id, "stopped", 0, o->bundle, o->annotations), err);
}

/* What a `create` left that was killed before it wrote the state: the directory, and the cgroup by its link. */
static int remove_remains(struct oci *oci, const char *id, struct err **err) {
        const char *dir = arena_printf(oci->arena, "%s/%s", oci->root, id);
        char cgroup[CGROUP_PATH_MAX];
        ssize_t n = readlink(arena_printf(oci->arena, "%s/" OCI_CGROUP_LINK, dir), cgroup, sizeof(cgroup) - 1);
        int r = n > 0 ? oci_cgroups(oci, err) : 0;

        cgroup[n > 0 ? n : 0] = '\0';
        if (r == 0 && n > 0)
                r = cgroup_remove(oci->cgroups, cgroup, err);
        rmdir(arena_printf(oci->arena, "%s/.%s", oci->root, id)); /* a `restore` had criu's root there */
        return r < 0 ? r : files_remove_tree(dir, err);
}

static int delete_without_state(struct oci *oci, const char *id, bool force, int why, struct err **err) {
        int r;

        if (why != -ENOENT && !(why == -EBADMSG && force))
                return why;
        r = remove_remains(oci, id, force ? err : NULL);
        return force ? r : why;
}

int oci_delete(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "force", 0, NULL, 'f' }, { NULL, 0, NULL, 0 } };
        _cleanup_err_ struct err *why = NULL;
        struct oci *oci = call->oci;
        struct oci_state state;
        bool force = false;
        int c, r;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "f", long_options, NULL)) >= 0)
                force |= c == 'f';
        if (optind >= call->argc)
                return err_set(err, EINVAL, "usage: nacelle-oci delete [--force] ID");
        r = oci_state_open(oci, call->argv[optind], &state, &why);
        if (r < 0) {
                r = delete_without_state(oci, call->argv[optind], force, r, err);
                if (r < 0 && err && !*err)
                        *err = TAKE_PTR(why);
                return r;
        }
        if (state.pid > 0 && !force && strcmp(state.status, "created") != 0)
                return err_set(err, EBUSY, "cannot delete container %s that is not stopped: %s", state.id,
                               state.status);
        if (state.pid > 0) {
                struct pollfd ended = { .fd = sys_pidfd_open(state.pid), .events = POLLIN };

                kill_first(&state, SIGKILL, NULL);
                thaw(oci, &state);
                poll(&ended, 1, END_MILLISECONDS);
                close_fd(ended.fd);
        }
        return oci_remove(oci,
                          &(struct oci_removal){ .id = state.id,
                                                 .cgroup = state.cgroup,
                                                 .bundle = state.bundle,
                                                 .annotations = value_get(state.json, "annotations"),
                                                 .hooks = value_get(state.json, "hooks") },
                          err);
}
