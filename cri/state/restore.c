#include "cri/state/restore.h"

#include <limits.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "cri/state/exits.h"
#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "lib/files.h"
#include "lib/log.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

/* New shims of a sandbox that may be killed in turn while it is taken up. */
#define RECOVERIES_MAX 5

static bool is_id(const char *text) {
        return strlen(text) == CRI_ID_LENGTH && strspn(text, "0123456789abcdef") == CRI_ID_LENGTH;
}

static void set_aside(struct cri *cri, enum record_kind kind, const char *id, const struct err *err) {
        log_warning("%s %s: its record is set aside in %s/broken: %s", kind == RECORD_SANDBOX ? "sandbox" : "container",
                    id, cri->options.root_dir, err_text(err));
        record_set_aside(cri, kind, id);
}

/* A directory without a record is what a creation that was cut off left. It was there before all else of a sandbox, and
 * goes last: of no other id is anything ours. */
static void sweep_half(struct cri *cri, enum record_kind kind, const char *id) {
        _cleanup_err_ struct err *err = NULL;

        log_info("%s %s was never finished; removing it", kind == RECORD_SANDBOX ? "sandbox" : "container", id);
        if ((kind == RECORD_SANDBOX && cgroup_remove(cri->cgroups, id, &err) < 0) ||
            record_remove(cri, kind, id, &err) < 0)
                log_warning("%s", err_text(err));
}

/* Not the record's fault: the agent does not start, and finds it the next time. */
static bool is_want(int code) {
        return code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

static int enter_sandbox(struct cri *cri, const char *id, const Record__Sandbox *record,
                         struct cri_sandbox **ret_sandbox, struct err **err) {
        if (strcmp(record->id, id) != 0)
                return err_set(err, EBADMSG, "it names sandbox %.80s", record->id);
        return cri_sandbox_new(cri, record, ret_sandbox, err);
}

static int read_sandbox(struct cri *cri, const char *id, struct err **ret_err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        Record__Sandbox *record = NULL;
        struct cri_sandbox *sandbox;
        int r;

        r = arena ? record_read(cri, RECORD_SANDBOX, id, arena, &record, &err) : -ENOMEM;
        if (r == -ENOENT) {
                sweep_half(cri, RECORD_SANDBOX, id);
                return 0;
        }
        if (r >= 0)
                r = enter_sandbox(cri, id, record, &sandbox, &err);
        if (is_want(r))
                return err ? err_move(ret_err, TAKE_PTR(err)) : err_set(ret_err, ENOMEM, "out of memory");
        if (r < 0) {
                set_aside(cri, RECORD_SANDBOX, id, err);
                return 0;
        }
        sandbox->ready = !record->stopped;
        if (record->created_at > cri->last_created)
                cri->last_created = record->created_at;
        return 0;
}

static int enter_container(struct cri *cri, const char *id, const Record__Container *record,
                           struct cri_container **ret_container, struct err **err) {
        struct cri_sandbox *sandbox;

        if (strcmp(record->id, id) != 0)
                return err_set(err, EBADMSG, "it names container %.80s", record->id);
        sandbox = table_object(table_find(&cri->sandboxes, record->sandbox_id), struct cri_sandbox, by_id);
        if (!sandbox)
                return err_set(err, ENOENT, "there is no sandbox %.80s", record->sandbox_id);
        return cri_container_new(sandbox, record, ret_container, err);
}

static int read_container(struct cri *cri, const char *id, struct err **ret_err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct cri_container *container;
        Record__Container *record = NULL;
        Record__Exit *exit = NULL;
        int r;

        r = arena ? record_read(cri, RECORD_CONTAINER, id, arena, &record, &err) : -ENOMEM;
        if (r == -ENOENT) {
                sweep_half(cri, RECORD_CONTAINER, id);
                return 0;
        }
        if (r >= 0)
                r = enter_container(cri, id, record, &container, &err);
        if (is_want(r))
                return err ? err_move(ret_err, TAKE_PTR(err)) : err_set(ret_err, ENOMEM, "out of memory");
        if (r < 0) {
                set_aside(cri, RECORD_CONTAINER, id, err);
                return 0;
        }
        if (record->created_at > cri->last_created)
                cri->last_created = record->created_at;
        if (record_read(cri, RECORD_EXIT, id, arena, &exit, NULL) >= 0)
                cri_container_take_exit(container, exit);
        return 0;
}

static int read_all(struct cri *cri, enum record_kind kind,
                    int (*read_one)(struct cri *cri, const char *id, struct err **err), struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char **ids;
        int r;

        r = arena ? record_ids(cri, kind, arena, &ids, err) : err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; r >= 0 && ids[i]; i++) {
                if (is_id(ids[i]))
                        r = read_one(cri, ids[i], err);
                else
                        log_warning("%s is no record of nacelle's and left alone", ids[i]);
        }
        return r;
}

/* So that the next start finds the same end. */
static void write_loss(struct cri_sandbox *sandbox) {
        _cleanup_arena_ struct arena *arena = arena_new();
        Record__Sandbox *record = arena ? record_of_sandbox(arena, sandbox) : NULL;
        _cleanup_err_ struct err *err = NULL;

        if (!record || record_write(sandbox->cri, RECORD_SANDBOX, sandbox->id, &record->base, &err) < 0)
                log_warning("sandbox %s: %s", sandbox->id, err_text(err));
        for (const struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox) {
                Record__Exit exit = RECORD__EXIT__INIT;

                exit.started_at = c->started_at;
                exit.finished_at = c->finished_at;
                exit.exit_code = c->exit_code;
                exit.reason = (char *)(uintptr_t)c->reason;
                if (c->message)
                        exit.message = c->message;
                record_write(sandbox->cri, RECORD_EXIT, c->id, &exit.base, NULL);
        }
}

/* Its processes are gone, and nobody saw how: the host was booted, or the shim's directory removed. */
static void lose_sandbox(struct cri_sandbox *sandbox) {
        _cleanup_err_ struct err *err = NULL;

        for (struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox) {
                if (c->phase == CRI_PHASE_EXITED)
                        continue;
                exits_end_rest(c);
                c->phase = CRI_PHASE_EXITED;
                c->exit_code = EXIT_CODE_UNKNOWN;
                c->reason = "Unknown";
                c->finished_at = cri_now();
                if (!c->started_at)
                        c->started_at = c->record->created_at;
        }
        sandbox->ready = false;
        write_loss(sandbox);
        if (sandbox_unmake(sandbox, NULL, &err) < 0)
                log_warning("sandbox %s: %s", sandbox->id, err_text(err));
}

static void take_state(struct cri_sandbox *sandbox, const struct container_state *state) {
        struct cri_container *container =
                table_object(table_find(&sandbox->cri->containers, state->id), struct cri_container, by_id);
        _cleanup_err_ struct err *err = NULL;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct process_spec process;

        if (!container || container->sandbox != sandbox) {
                log_warning("container %s runs, but has no record; ending it", state->id);
                if (state->phase != CONTAINER_EXITED)
                        container_kill(sandbox->cri->runtime, sandbox->id, state->id, 9, NULL);
                return;
        }
        if (state->phase == CONTAINER_EXITED) {
                cri_container_ended(container, state);
                return;
        }
        cri_container_started(container, state);
        /* So that an exec finds the filter compiled. */
        if (arena && process_fill(container, arena, &process, &err) < 0)
                log_warning("container %s: %s", container->id, err_text(err));
}

static int recover_shim(struct cri_sandbox *sandbox, struct sandbox_info *ret_info, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct sandbox_spec spec;
        int r = arena ? sandbox_fill_spec(sandbox, arena, &spec, err) : -ENOMEM;

        if (r < 0)
                return r;
        r = -RUNTIME_NO_SHIM;
        for (unsigned i = 0; i < RECOVERIES_MAX && r == -RUNTIME_NO_SHIM; i++) {
                *err = err_free(*err);
                r = sandbox_recover(sandbox->cri->runtime, sandbox->id, &spec, ret_info, err);
        }
        return r;
}

/* Finds the shim, or has another take its place. False: there is nothing left to take up. */
static bool find_shim(struct cri_sandbox *sandbox, struct sandbox_info *ret_info) {
        struct cri *cri = sandbox->cri;
        _cleanup_err_ struct err *err = NULL;

        if (sandbox_probe(cri->runtime, sandbox->id, ret_info, &err) >= 0)
                return true;
        err = err_free(err);
        if (recover_shim(sandbox, ret_info, &err) >= 0) {
                cri->counters.shims_recovered++;
                log_info("sandbox %s: its shim had died; a new one took its containers up", sandbox->id);
                return true;
        }
        log_warning("sandbox %s: no longer there: %s", sandbox->id, err_text(err));
        return false;
}

static void adopt_network(struct cri_sandbox *sandbox) {
        struct ip ips[NETWORK_ADDRESSES_MAX];
        _cleanup_err_ struct err *err = NULL;
        size_t n = 0;

        for (size_t i = 0; i < sandbox->n_ips && n < ELEMENTS(ips); i++)
                if (ip_parse(sandbox->ips[i], &ips[n], NULL) >= 0)
                        n++;
        if (n > 0 && network_adopt(sandbox->cri->network, sandbox->id, ips, n, &err) < 0)
                log_warning("sandbox %s: %s", sandbox->id, err_text(err));
}

static void connect_sandbox(struct cri_sandbox *sandbox) {
        _cleanup_free_ struct container_state *states = NULL;
        struct cri *cri = sandbox->cri;
        _cleanup_err_ struct err *err = NULL;
        struct sandbox_info info;
        char path[PATH_MAX];
        size_t n = 0;
        int r;

        /* RUN is empty after a boot. */
        snprintf(path, sizeof(path), "%s/sandboxes/%s", cri->options.run_dir, sandbox->id);
        if (access(path, F_OK) < 0 || !find_shim(sandbox, &info)) {
                lose_sandbox(sandbox);
                return;
        }
        sandbox->shim_pid = info.shim_pid;
        adopt_network(sandbox);
        r = container_list(cri->runtime, sandbox->id, &states, &n, &err);
        for (size_t i = 0; i < n; i++)
                take_state(sandbox, &states[i]);
        if (r >= 0)
                r = cri_sandbox_watch(sandbox, &err);
        if (r < 0)
                log_warning("sandbox %s: %s", sandbox->id, err_text(err));
}

/* Shims, cgroups and files of sandboxes that no record names. */
static void sweep_runtime(struct cri *cri) {
        _cleanup_free_ char **ids = NULL;
        _cleanup_err_ struct err *err = NULL;

        if (sandbox_ids(cri->runtime, &ids, &err) < 0) {
                log_warning("%s", err_text(err));
                return;
        }
        for (size_t i = 0; ids && ids[i]; i++) {
                _cleanup_err_ struct err *why = NULL;

                if (table_find(&cri->sandboxes, ids[i]))
                        continue;
                log_warning("sandbox %s has no record; removing what is left of it", ids[i]);
                if (network_detach(cri->network, ids[i], NULL, &why) < 0 ||
                    sandbox_delete(cri->runtime, ids[i], &why) < 0 || cgroup_remove(cri->cgroups, ids[i], &why) < 0 ||
                    record_remove_run_dir(cri, ids[i], &why) < 0)
                        log_warning("sandbox %s: %s", ids[i], err_text(why));
        }
}

/* What looks like a sandbox's cgroup, and is no sandbox's that we know of: with processes it stays. */
static void sweep_cgroup(struct cri *cri, const char *name) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        if (cgroup_pids(cri->cgroups, name, true, &pids, &n, NULL) == 0 && n == 0)
                cgroup_prune(cri->cgroups, name, NULL);
        else
                log_warning("cgroup %s/%s is no pod's of this agent and left alone", cri->options.cgroup_root, name);
}

static void sweep_cgroups(struct cri *cri) {
        char **names = NULL;

        if (cgroup_children(cri->cgroups, "", &names, NULL) < 0)
                return;
        for (size_t i = 0; names && names[i]; i++) {
                if (is_id(names[i]) && !table_find(&cri->sandboxes, names[i]))
                        sweep_cgroup(cri, names[i]);
                free(names[i]);
        }
        free(names);
}

static void sweep_network(struct cri *cri) {
        const char **ids = calloc(cri->sandboxes.n + 1, sizeof(*ids));
        _cleanup_err_ struct err *err = NULL;
        size_t n = 0;

        for (const struct cri_sandbox *s = cri->first_sandbox; s && ids; s = s->newer)
                if (s->ready)
                        ids[n++] = s->id;
        if (ids && network_sweep(cri->network, ids, n, &err) < 0)
                log_warning("%s", err_text(err));
        free(ids);
}

/* Records, broken ones apart, name all containers; what is below a pod's own cgroup without one goes with its pod. */
int cri_restore(struct cri *cri, struct err **err) {
        int r;

        cri->restoring = true;
        if ((r = read_all(cri, RECORD_SANDBOX, read_sandbox, err)) < 0 ||
            (r = read_all(cri, RECORD_CONTAINER, read_container, err)) < 0)
                return r;
        for (struct cri_sandbox *s = cri->first_sandbox; s; s = s->newer)
                if (s->ready)
                        connect_sandbox(s);
        sweep_runtime(cri);
        sweep_cgroups(cri);
        sweep_network(cri);
        if (cri->sandboxes.n > 0)
                log_info("took up %zu sandboxes and %zu containers", cri->sandboxes.n, cri->containers.n);
        cri->restoring = false;
        return 0;
}
