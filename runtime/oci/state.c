#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "runtime/internal.h"
#include "runtime/oci/oci.h"

int oci_cgroups(struct oci *oci, struct err **err) {
        return oci->cgroups ? 0 : cgroups_open("/", &oci->cgroups, err);
}

int oci_own_cgroup(struct oci *oci, const struct oci_state *state, struct err **err) {
        return state->cgroup[0] ? oci_cgroups(oci, err) :
                                  err_set(err, ENOTSUP, "container %s has no cgroup of its own", state->id);
}

static bool is_running(pid_t pid, uint64_t start_ticks) {
        char path[64], text[512], *p;
        ssize_t n;
        _cleanup_close_ int fd = -EBADF;

        if (pid <= 0 || hint_start_ticks(pid) != start_ticks)
                return false;
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        p = strrchr(text, ')');
        return p && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
}

/* Where the freezer of a cgroup can be: v2, v2 beside v1, v1. */
static const struct {
        const char *hierarchy, *file, *frozen;
} freezers[] = {
        { "/sys/fs/cgroup", "cgroup.freeze", "1" },
        { "/sys/fs/cgroup/unified", "cgroup.freeze", "1" },
        { "/sys/fs/cgroup/freezer", "freezer.state", "F" },
};

/* Its path is the hierarchies' own: that saves looking for them. */
static bool is_paused(const char *cgroup) {
        char path[CGROUP_PATH_MAX + 64];

        for (size_t i = 0; i < ELEMENTS(freezers) && cgroup[0]; i++) {
                _cleanup_free_ char *text = NULL;

                snprintf(path, sizeof(path), "%s%s/%s", freezers[i].hierarchy, cgroup, freezers[i].file);
                if (files_read(path, 64, &text, NULL, NULL) == 0)
                        return strncmp(text, freezers[i].frozen, 1) == 0;
        }
        return false;
}

int oci_check_id(const char *id, struct err **err) {
        if (strlen(id) >= NAME_MAX || id[0] == '.' || id[0] == '\0' ||
            strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") != strlen(id))
                return err_set(err, EINVAL, "container id \"%s\": letters, digits, _, +, - and . only", id);
        return 0;
}

static bool has_processes(struct oci *oci, const char *cgroup) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        return oci_cgroups(oci, NULL) == 0 && cgroup_pids(oci->cgroups, cgroup, true, &pids, &n, NULL) == 0 && n > 0;
}

/* What is paused is so whatever else it is: created, or without its first process. */
static const char *status_of(struct oci *oci, const struct oci_state *state) {
        if (is_paused(state->cgroup) && (state->pid > 0 || has_processes(oci, state->cgroup)))
                return "paused";
        if (state->pid == 0)
                return "stopped";
        return faccessat(state->dir, "exec.fifo", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? "created" : "running";
}

int oci_state_open(struct oci *oci, const char *id, struct oci_state *ret_state, struct err **err) {
        const char *dir = arena_printf(oci->arena, "%s/%s", oci->root, id);
        _cleanup_free_ char *text = NULL;
        struct oci_state state = { .id = id, .dir = -EBADF };
        struct stat st;
        int64_t n = 0;
        int r = oci_check_id(id, err);

        if (r < 0)
                return r;
        if (!dir || stat(dir, &st) < 0 ||
            files_read(arena_printf(oci->arena, "%s/state.json", dir), OCI_CONFIG_MAX, &text, NULL, NULL) < 0)
                /* What runc's callers look for in the message. */
                return err_set(err, ENOENT, "container %s does not exist", id);
        r = json_parse(oci->arena, text, strlen(text), NULL, &state.json, err);
        if (r < 0)
                return err_wrap(err, -EBADMSG, "container %s: its state", id);
        state.bundle = value_string_or(value_get(state.json, "bundle"), "");
        state.cgroup = value_string_or(value_get(state.json, "cgroup"), "");
        value_integer(value_get(state.json, "pid"), &n);
        state.pid = (pid_t)n;
        n = 0;
        value_integer(value_get(state.json, "startTicks"), &n);
        state.start_ticks = (uint64_t)n;
        state.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        state.shares_pids = value_bool_or(value_get(state.json, "sharesPids"), false);
        if (!is_running(state.pid, state.start_ticks))
                state.pid = 0;
        state.status = status_of(oci, &state);
        *ret_state = state;
        return 0;
}

int oci_state_write(struct oci *oci, int dir, const struct oci_record *record, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t length;

        json_begin_map(&w);
        json_add_string(&w, "id", record->id);
        json_add_string(&w, "bundle", record->bundle);
        json_add_string(&w, "cgroup", record->cgroup);
        json_add_int(&w, "pid", record->pid);
        json_add_int(&w, "startTicks", (int64_t)hint_start_ticks(record->pid));
        json_add_bool(&w, "sharesPids", record->shares_pids);
        if (record->annotations) {
                json_key(&w, "annotations");
                json_value(&w, record->annotations);
        }
        if (record->hooks) {
                json_key(&w, "hooks");
                json_value(&w, record->hooks);
        }
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) < 0)
                return err_set(err, ENOMEM, "out of memory");
        fd = openat(dir, "state.new", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, length) != (ssize_t)length || renameat(dir, "state.new", dir, "state.json") < 0)
                return err_errno(err, errno, "container %s: write its state", record->id);
        return 0;
}

char *oci_state_text(struct oci *oci, const char *id, const char *status, pid_t pid, const char *bundle,
                     const struct value *annotations) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_string(&w, "ociVersion", OCI_VERSION);
        json_add_string(&w, "id", id);
        json_add_string(&w, "status", status);
        json_add_int(&w, "pid", pid);
        json_add_string(&w, "bundle", bundle);
        if (annotations) {
                json_key(&w, "annotations");
                json_value(&w, annotations);
        }
        json_end_map(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(oci->arena, text);
}
