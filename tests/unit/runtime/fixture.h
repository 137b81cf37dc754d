/* A runtime in a directory of its own, an image of one static busybox, and a loop with a watch. Root only. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/capability.h"
#include "runtime/container.h"
#include "runtime/defaults.h"
#include "runtime/events.h"
#include "runtime/exec.h"
#include "runtime/runtime.h"
#include "runtime/sandbox.h"

#define FIXTURE_BUSYBOX "/bin/busybox"
#define FIXTURE_SECONDS 20

struct fixture {
        char dir[64]; /* holds run/, image/, upper/, work/, logs/ */
        struct runtime *runtime;
        uv_loop_t loop;
        struct shim_watch *watch;
        struct container_state last; /* what the watch said last */
        bool gone;
        unsigned n_changes;
        const char *lowers[2];
        char image[96], upper[96], work[96], log[96];
};

static inline const char *fixture_path(struct fixture *f, const char *name, char path[128]) {
        snprintf(path, 128, "%s/%s", f->dir, name);
        return path;
}

static inline void fixture_image(struct fixture *f) {
        static const char *const dirs[] = { "bin", "etc", "tmp", "proc", "sys", "dev" };
        static const char *const links[] = { "sh",       "cat",  "echo",  "sleep", "id",   "ls",   "mount", "hostname",
                                             "stat",     "true", "false", "grep",  "kill", "ps",   "touch", "mkdir",
                                             "readlink", "wc",   "tr",    "stty",  "tty",  "sync", "env",   "head" };
        char path[256], command[400];

        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                snprintf(path, sizeof(path), "%s/%s", f->image, dirs[i]);
                assert_int_equal(mkdir(path, 0755), 0);
        }
        snprintf(command, sizeof(command), "cp " FIXTURE_BUSYBOX " %s/bin/busybox", f->image);
        assert_int_equal(system(command), 0);
        for (size_t i = 0; i < ELEMENTS(links); i++) {
                snprintf(path, sizeof(path), "%s/bin/%s", f->image, links[i]);
                assert_int_equal(symlink("busybox", path), 0);
        }
}

static inline int fixture_setup(void **state) {
        static const char *const dirs[] = { "image", "upper", "work", "logs" };
        struct fixture *f = calloc(1, sizeof(*f));
        struct runtime_config config = { 0 };
        _cleanup_err_ struct err *err = NULL;
        char run[128], path[128];

        assert_non_null(f);
        strcpy(f->dir, "/run/nacelle-rt-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        for (size_t i = 0; i < ELEMENTS(dirs); i++)
                assert_int_equal(mkdir(fixture_path(f, dirs[i], path), 0755), 0);
        snprintf(f->image, sizeof(f->image), "%s/image", f->dir);
        snprintf(f->upper, sizeof(f->upper), "%s/upper", f->dir);
        snprintf(f->work, sizeof(f->work), "%s/work", f->dir);
        snprintf(f->log, sizeof(f->log), "%s/logs/0.log", f->dir);
        f->lowers[0] = f->image;
        fixture_image(f);
        config.run_dir = fixture_path(f, "run", run);
        config.shim_path = getenv("NACELLE_SHIM");
        if (!config.shim_path)
                config.shim_path = NACELLE_TEST_SHIM;
        if (runtime_new(&config, &f->runtime, &err) < 0)
                fail_msg("%s", err_text(err));
        uv_loop_init(&f->loop);
        *state = f;
        return 0;
}

static inline int fixture_teardown(void **state) {
        struct fixture *f = *state;

        shim_watch_free(f->watch);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        sandbox_delete(f->runtime, "pod", NULL);
        runtime_free(f->runtime);
        assert_int_equal(files_remove_tree(f->dir, NULL), 0);
        /* Nothing of the pod may be left as our child. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        free(f);
        return 0;
}

static inline void fixture_changed(void *data, const struct container_state *state) {
        struct fixture *f = data;

        f->last = *state;
        f->n_changes++;
}

static inline void fixture_gone(void *data) {
        ((struct fixture *)data)->gone = true;
}

static inline void fixture_sandbox(struct fixture *f, const struct sandbox_spec *spec) {
        const struct shim_watch_callbacks callbacks = { fixture_changed, fixture_gone, f };
        _cleanup_err_ struct err *err = NULL;
        struct sandbox_info info;

        if (sandbox_create(f->runtime, "pod", spec, &info, &err) < 0)
                fail_msg("%s", err_text(err));
        if (shim_watch_new(&f->loop, f->runtime, "pod", &callbacks, &f->watch, &err) < 0)
                fail_msg("%s", err_text(err));
}

/* A shell script as a container with all defaults. */
struct fixture_container {
        struct container_spec spec;
        struct container_io io;
        const char *args[4];
};

static const char *const fixture_env[] = { "PATH=/bin", "NAME=value", NULL };

static inline void fixture_container(struct fixture *f, const char *script, struct fixture_container *c) {
        *c = (struct fixture_container){ .args = { "sh", "-c", script, NULL } };
        spec_init(&c->spec);
        c->spec.root = (struct rootfs_spec){
                .lowers = f->lowers, .n_lowers = 1, .upper = f->upper, .work = f->work, .is_volatile = true
        };
        c->spec.process.args = c->args;
        c->spec.process.env = fixture_env;
        c->spec.process.capabilities = (struct capability_sets){ .bounding = capability_default(),
                                                                 .effective = capability_default(),
                                                                 .permitted = capability_default() };
        c->spec.namespaces[NAMESPACE_PID].mode = NAMESPACE_NEW;
        c->spec.mounts = defaults_mounts;
        c->spec.n_mounts = defaults_mounts_n;
        c->spec.masked_paths = defaults_masked_paths;
        c->spec.readonly_paths = defaults_readonly_paths;
        c->spec.default_devices = true;
        c->io.log_path = f->log;
}

static inline int fixture_start(struct fixture *f, const char *id, struct fixture_container *c, struct err **err) {
        struct container_state state;

        return container_start(&(struct container_at){ f->runtime, "pod", id }, &c->spec, &c->io, &state, err);
}

static inline int fixture_exec(struct fixture *f, const char *id, struct exec_spec *spec,
                               void (*done)(void *data, const struct exec_result *result), void *data,
                               struct exec **ret_exec, struct err **err) {
        spec->done = done;
        spec->data = data;
        return exec_start(&f->loop, &(struct container_at){ f->runtime, "pod", id }, spec, ret_exec, err);
}

static inline void fixture_timeout(uv_timer_t *timer) {
        fail_msg("nothing happened in %d s", FIXTURE_SECONDS);
}

/* Runs the loop until @id has exited (or the shim is gone). */
static inline int fixture_wait(struct fixture *f, const char *id) {
        uv_timer_t timer;

        uv_timer_init(&f->loop, &timer);
        uv_timer_start(&timer, fixture_timeout, FIXTURE_SECONDS * 1000, 0);
        while (!f->gone && !(strcmp(f->last.id, id) == 0 && f->last.phase == CONTAINER_EXITED))
                uv_run(&f->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        return f->last.exit_code;
}

static inline char *fixture_log(struct fixture *f) {
        char *text = NULL;

        assert_int_equal(files_read(f->log, 16 * 1024 * 1024, &text, NULL, NULL), 0);
        return text;
}

/* Runs @script as container @id and returns its log; the exit code is checked. */
static inline char *fixture_run(struct fixture *f, const char *id, struct fixture_container *c, int code) {
        _cleanup_err_ struct err *err = NULL;

        if (fixture_start(f, id, c, &err) < 0)
                fail_msg("%s", err_text(err));
        if (fixture_wait(f, id) != code)
                fail_msg("exit code %d, not %d: %s", f->last.exit_code, code, fixture_log(f));
        return fixture_log(f);
}
