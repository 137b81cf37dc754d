/* What one shim takes at most: containers, execs, attached clients. One more is refused in words, the shim lives on,
 * and there is room again when one has gone. */
#include "tests/unit/runtime/fixture.h"

#include <signal.h>

/* As runtime/shim/shim.h has them. */
#define CONTAINERS_MAX 512
#define EXECS_MAX 1024
#define ATTACHED_MAX 64

static void sandbox(struct fixture *f) {
        struct sandbox_spec spec;

        sandbox_spec_init(&spec);
        spec.hostname = "pod";
        fixture_sandbox(f, &spec);
}

static int start(struct fixture *f, const char *id, const char *script, struct err **err) {
        struct container_state state;
        struct fixture_container c;

        fixture_container(f, script, &c);
        c.spec.root.upper = c.spec.root.work = NULL;
        c.spec.root.readonly = true;
        c.io.log_path = NULL;
        return container_start(&(struct container_at){ f->runtime, "pod", id }, &c.spec, &c.io, &state, err);
}

static void test_containers(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct fixture *f = *state;
        char id[16];

        sandbox(f);
        for (unsigned i = 0; i < CONTAINERS_MAX; i++) {
                snprintf(id, sizeof(id), "c%u", i);
                if (start(f, id, "exit 0", &err) < 0)
                        fail_msg("container %u: %s", i, err_text(err));
        }
        assert_int_equal(start(f, "more", "exit 0", &err), -ENOBUFS);
        assert_string_equal(err_text(err),
                            "the pod has 512 containers, counting those that have ended; no more are possible");
        while (container_delete(f->runtime, "pod", "c0", NULL) == -EBUSY)
                usleep(1000);
        assert_int_equal(start(f, "more", "exit 0", NULL), 0);
}

struct running {
        unsigned ended, refused, killed;
        char text[128];
};

static void ended(void *data, const struct exec_result *result) {
        struct running *running = data;

        running->ended++;
        running->killed += result->signal == SIGKILL;
        if (!result->err)
                return;
        running->refused += err_code(result->err) == ENOBUFS;
        snprintf(running->text, sizeof(running->text), "%s", err_text(result->err));
}

static void execute(struct fixture *f, const char *const *args, struct running *running) {
        uint64_t caps = capability_default();
        struct process_spec process = {
                .args = args, .env = fixture_env, .umask = 022, .capabilities = { caps, caps, caps, 0, 0 }
        };
        _cleanup_err_ struct err *err = NULL;
        struct exec_spec spec;
        struct exec *exec;

        exec_spec_init(&spec);
        spec.process = &process;
        if (fixture_exec(f, "c", &spec, ended, running, &exec, &err) < 0)
                fail_msg("%s", err_text(err));
}

static void wait_for(struct fixture *f, const unsigned *number, unsigned wanted) {
        uv_timer_t timer;

        uv_timer_init(&f->loop, &timer);
        uv_timer_start(&timer, fixture_timeout, 60 * 1000, 0);
        while (*number < wanted)
                uv_run(&f->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void test_execs(void **state) {
        static const char *const sleeps[] = { "sleep", "1000", NULL }, *const ends[] = { "true", NULL };
        struct running running = { 0 }, one = { 0 };
        struct fixture *f = *state;
        struct container_state found;

        sandbox(f);
        assert_int_equal(start(f, "c", "sleep 1000", NULL), 0);
        for (unsigned i = 0; i < EXECS_MAX + 10; i++)
                execute(f, sleeps, &running);
        wait_for(f, &running.refused, 10);
        assert_int_equal(running.ended, 10);
        assert_string_equal(running.text, "1024 processes are executed in this pod at once; no more are possible");
        /* Requests that are none have their places. */
        assert_int_equal(container_status(f->runtime, "pod", "c", &found, NULL), 0);
        assert_int_equal(found.phase, CONTAINER_RUNNING);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGKILL, NULL), 0);
        wait_for(f, &running.ended, EXECS_MAX + 10);
        assert_int_equal(running.killed, EXECS_MAX);
        assert_false(f->gone);
        while (container_delete(f->runtime, "pod", "c", NULL) == -EBUSY)
                usleep(1000);
        assert_int_equal(start(f, "c", "sleep 1000", NULL), 0);
        execute(f, ends, &one);
        wait_for(f, &one.ended, 1);
        assert_int_equal(one.refused, 0);
}

static int attach(struct fixture *f, int ret_read[2], struct err **err) {
        int out[2], errors[2], in, r;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
        r = container_attach(&(struct container_at){ f->runtime, "pod", "c" }, out[1], errors[1], &in, err);
        close(out[1]);
        close(errors[1]);
        ret_read[0] = out[0];
        ret_read[1] = errors[0];
        if (r == 0)
                close_fd(in);
        return r;
}

static void test_attached(void **state) {
        _cleanup_err_ struct err *err = NULL;
        int reads[ATTACHED_MAX + 1][2];
        struct fixture *f = *state;

        sandbox(f);
        assert_int_equal(start(f, "c", "sleep 1000", NULL), 0);
        for (unsigned i = 0; i < ATTACHED_MAX; i++)
                assert_int_equal(attach(f, reads[i], NULL), 0);
        assert_int_equal(attach(f, reads[ATTACHED_MAX], &err), -ENOBUFS);
        assert_non_null(strstr(err_text(err), "64 clients are attached to the container; no more are possible"));
        for (unsigned i = 0; i <= ATTACHED_MAX; i++)
                for (int j = 0; j < 2; j++)
                        close(reads[i][j]);
        assert_int_equal(attach(f, reads[0], NULL), 0);
        close(reads[0][0]);
        close(reads[0][1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_containers, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_execs, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(test_attached, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
