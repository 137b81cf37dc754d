#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/stats.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

static int finish_print(struct json_writer *w, struct err **err) {
        _cleanup_free_ char *text = NULL;

        if (json_writer_finish(w, &text, NULL) < 0)
                return err_set(err, ENOMEM, "out of memory");
        puts(text);
        return 0;
}

static int open_one(struct oci_call *call, struct oci_state *state, struct err **err) {
        if (call->argc < 2)
                return err_set(err, EINVAL, "a container id is needed");
        return oci_state_open(call->oci, call->argv[1], state, err);
}

int oci_state(struct oci_call *call, struct err **err) {
        struct oci_state state;
        int r = open_one(call, &state, err);

        if (r == 0)
                puts(oci_state_text(call->oci, state.id, state.status, state.pid, state.bundle,
                                    value_get(state.json, "annotations")));
        return r;
}

/* ---- lists ---- */

int oci_ps(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "format", 1, NULL, 'f' }, { NULL, 0, NULL, 0 } };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ pid_t *pids = NULL;
        struct oci_state state;
        bool json = false;
        size_t n = 0;
        int c, r;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "+f:", long_options, NULL)) >= 0)
                json |= c == 'f' && strcmp(optarg, "json") == 0;
        if (optind >= call->argc)
                return err_set(err, EINVAL, "usage: nacelle-oci ps [--format table|json] ID");
        if ((r = oci_state_open(call->oci, call->argv[optind], &state, err)) < 0 ||
            (r = oci_own_cgroup(call->oci, &state, err)) < 0 ||
            (r = cgroup_pids(call->oci->cgroups, state.cgroup, true, &pids, &n, err)) < 0)
                return r;
        json_begin_list(&w);
        if (!json)
                printf("%8s %s\n", "PID", "COMMAND");
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = NULL;

                json_int(&w, pids[i]);
                if (!json &&
                    files_read(arena_printf(call->oci->arena, "/proc/%d/comm", pids[i]), 64, &name, NULL, NULL) == 0)
                        printf("%8d %s", pids[i], name);
        }
        json_end_list(&w);
        return json ? finish_print(&w, err) : 0;
}

static void list_one(struct oci *oci, const char *id, char format, struct json_writer *w) {
        struct oci_state state;

        if (oci_state_open(oci, id, &state, NULL) < 0)
                return;
        if (format == 'q')
                puts(id);
        else if (format == 't')
                printf("%-32s %-8d %-9s %s\n", id, state.pid, state.status, state.bundle);
        json_begin_map(w);
        json_add_string(w, "ociVersion", OCI_VERSION);
        json_add_string(w, "id", id);
        json_add_int(w, "pid", state.pid);
        json_add_string(w, "status", state.status);
        json_add_string(w, "bundle", state.bundle);
        json_end_map(w);
        close_fd(state.dir);
}

int oci_list(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "format", 1, NULL, 'f' },
                                                      { "quiet", 0, NULL, 'q' },
                                                      { NULL, 0, NULL, 0 } };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        char format = 't';
        int c;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "f:q", long_options, NULL)) >= 0) {
                if (c == 'q')
                        format = 'q';
                else if (c == 'f' && strcmp(optarg, "json") == 0)
                        format = 'j';
        }
        if (format == 't')
                printf("%-32s %-8s %-9s %s\n", "ID", "PID", "STATUS", "BUNDLE");
        json_begin_list(&w);
        dir = opendir(call->oci->root);
        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        list_one(call->oci, entry->d_name, format, &w);
        json_end_list(&w);
        return format == 'j' ? finish_print(&w, err) : 0;
}

/* ---- cgroups ---- */

static int freeze(struct oci_call *call, bool frozen, struct err **err) {
        struct oci_state state;
        int r = open_one(call, &state, err);

        if (r < 0)
                return r;
        if (frozen ? strcmp(state.status, "running") != 0 && strcmp(state.status, "created") != 0 :
                     strcmp(state.status, "paused") != 0)
                return err_set(err, EINVAL, "container %s is %s", state.id, state.status);
        r = oci_own_cgroup(call->oci, &state, err);
        return r < 0 ? r : cgroup_freeze(call->oci->cgroups, state.cgroup, frozen, err);
}

int oci_pause(struct oci_call *call, struct err **err) {
        return freeze(call, true, err);
}

int oci_resume(struct oci_call *call, struct err **err) {
        return freeze(call, false, err);
}

static void add_known(struct json_writer *w, const char *key, uint64_t n) {
        if (n != CGROUP_UNKNOWN)
                json_add_int(w, key, (int64_t)n);
}

static void write_stats(struct json_writer *w, const char *id, const struct cgroup_stats *s) {
        json_begin_map(w);
        json_add_string(w, "type", "stats");
        json_add_string(w, "id", id);
        json_key(w, "data");
        json_begin_map(w);
        json_key(w, "cpu");
        json_begin_map(w);
        json_key(w, "usage");
        json_begin_map(w);
        add_known(w, "total", s->cpu_ns);
        add_known(w, "kernel", s->cpu_system_ns);
        add_known(w, "user", s->cpu_user_ns);
        json_end_map(w);
        json_key(w, "throttling");
        json_begin_map(w);
        add_known(w, "periods", s->cpu_periods);
        add_known(w, "throttledPeriods", s->cpu_throttled_periods);
        add_known(w, "throttledTime", s->cpu_throttled_ns);
        json_end_map(w);
        json_end_map(w);
        json_key(w, "memory");
        json_begin_map(w);
        add_known(w, "cache", s->memory_cache);
        json_key(w, "usage");
        json_begin_map(w);
        add_known(w, "limit", s->memory_limit);
        add_known(w, "usage", s->memory_usage);
        add_known(w, "max", s->memory_peak);
        add_known(w, "failcnt", s->memory_failcnt);
        json_end_map(w);
        json_end_map(w);
        json_key(w, "pids");
        json_begin_map(w);
        add_known(w, "current", s->pids);
        add_known(w, "limit", s->pids_limit);
        json_end_map(w);
        json_end_map(w);
        json_end_map(w);
}

/* What it uses now, as one line. */
static int print_stats(const struct oci *oci, const struct oci_state *state, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct cgroup_stats stats;
        int r = cgroup_get_stats(oci->cgroups, state->cgroup, &stats, err);

        if (r < 0)
                return r;
        write_stats(&w, state->id, &stats);
        r = finish_print(&w, err);
        fflush(stdout);
        return r;
}

/* Whether it has ended. */
static bool ends_within(const struct oci_state *state, int ms) {
        struct pollfd ended = { .fd = state->pid > 0 ? sys_pidfd_open(state->pid) : -EBADF, .events = POLLIN };
        int n = poll(&ended, 1, ms);

        close_fd(ended.fd);
        return n != 0;
}

int oci_events(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "stats", 0, NULL, 's' },
                                                      { "interval", 1, NULL, 'i' },
                                                      { NULL, 0, NULL, 0 } };
        int c, r, interval = 5000;
        struct oci_state state;
        bool once = false;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "", long_options, NULL)) >= 0) {
                once |= c == 's';
                if (c == 'i')
                        interval = atoi(optarg) * 1000;
        }
        if (optind >= call->argc)
                return err_set(err, EINVAL, "usage: nacelle-oci events [--stats] [--interval SECONDS] ID");
        if ((r = oci_state_open(call->oci, call->argv[optind], &state, err)) < 0)
                return r;
        if (strcmp(state.status, "stopped") == 0)
                return err_set(err, ESRCH, "container with id %s is not running", state.id);
        if ((r = oci_own_cgroup(call->oci, &state, err)) < 0)
                return r;
        do
                r = print_stats(call->oci, &state, err);
        while (r == 0 && !once && !ends_within(&state, interval > 0 ? interval : 1000));
        return r;
}
