/* Execs, attach, terminals, and pods whose shim is killed. */
#include "tests/unit/runtime/fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

struct ran {
        bool ended;
        int code, signal;
        char error[256];
};

static void ended(void *data, const struct exec_result *result) {
        struct ran *ran = data;

        *ran = (struct ran){ .ended = true, .code = result->exit_code, .signal = result->signal };
        if (result->err)
                snprintf(ran->error, sizeof(ran->error), "%s", err_text(result->err));
}

static void wait_ended(struct fixture *f, struct ran *ran) {
        uv_timer_t timer;

        uv_timer_init(&f->loop, &timer);
        uv_timer_start(&timer, fixture_timeout, FIXTURE_SECONDS * 1000, 0);
        while (!ran->ended)
                uv_run(&f->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static struct process_spec process(const char *const *args) {
        uint64_t caps = capability_default();

        return (struct process_spec){
                .args = args, .env = fixture_env, .umask = 022, .capabilities = { caps, caps, caps, 0, 0 }
        };
}

/* Runs @script by exec and returns what it wrote, allocated. */
static char *run_exec(struct fixture *f, const char *container, const char *script, struct ran *ran) {
        const char *args[] = { "sh", "-c", script, NULL };
        struct process_spec p = process(args);
        struct exec_spec spec;
        struct exec *exec;
        char *text = calloc(1, 65536);
        int pipes[2];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        exec_spec_init(&spec);
        spec.process = &p;
        spec.stdout_fd = spec.stderr_fd = pipes[1];
        *ran = (struct ran){ 0 };
        assert_int_equal(fixture_exec(f, container, &spec, ended, ran, &exec, NULL), 0);
        close(pipes[1]);
        wait_ended(f, ran);
        assert_true(read(pipes[0], text, 65535) >= 0);
        close(pipes[0]);
        return text;
}

/* A container's first process never sees a signal that it has no handler for yet, so the trap has to stand. */
static void await_trap(pid_t pid) {
        char path[64], line[256];
        unsigned long long caught = 0;

        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        for (int i = 0; i < 2000 && !(caught & (1ULL << (SIGTERM - 1))); i++) {
                _cleanup_fclose_ FILE *file = fopen(path, "re");

                assert_non_null(file);
                while (fgets(line, sizeof(line), file))
                        sscanf(line, "SigCgt: %llx", &caught);
                usleep(5000);
        }
        assert_true(caught & (1ULL << (SIGTERM - 1)));
}

static void start_sleeper(struct fixture *f, struct fixture_container *c) {
        struct container_state seen;
        struct sandbox_spec spec;
        _cleanup_err_ struct err *err = NULL;

        sandbox_spec_init(&spec);
        spec.hostname = "pod-0";
        fixture_sandbox(f, &spec);
        fixture_container(f, "trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done", c);
        if (fixture_start(f, "c", c, &err) < 0)
                fail_msg("%s", err_text(err));
        assert_int_equal(container_status(f->runtime, "pod", "c", &seen, NULL), 0);
        await_trap(seen.pid);
}

static void test_exec(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct ran ran;
        _cleanup_free_ char *text = NULL, *none = NULL, *gone = NULL;

        start_sleeper(f, &c);
        text = run_exec(f, "c",
                        "hostname; pwd; [ $$ -gt 1 ] && ps | grep -c trap; ls /proc/self/fd | wc -l; grep CapEff "
                        "/proc/self/status; exit 7",
                        &ran);
        assert_int_equal(ran.code, 7);
        assert_has(text, "pod-0\n/\n");
        assert_has(text, "00000000a80425fb");
        assert_has(text, "\n4\n");
        none = run_exec(f, "c", "kill -9 $$", &ran);
        assert_int_equal(ran.code, 137);
        assert_int_equal(ran.signal, 9);
        gone = run_exec(f, "nothere", "true", &ran);
        assert_int_equal(ran.code, -1);
        assert_has(ran.error, "No such file");
}

static void test_exec_failure(void **state) {
        struct fixture *f = *state;
        static const char *const args[] = { "nothere", NULL };
        struct process_spec p = process(args);
        struct fixture_container c;
        struct exec_spec spec;
        struct exec *exec;
        struct ran ran = { 0 };

        start_sleeper(f, &c);
        exec_spec_init(&spec);
        spec.process = &p;
        assert_int_equal(fixture_exec(f, "c", &spec, ended, &ran, &exec, NULL), 0);
        wait_ended(f, &ran);
        assert_int_equal(ran.code, -1);
        assert_has(ran.error, "exec \"nothere\": executable file not found in $PATH");
}

/* All of its session goes: jobs of an interactive shell have process groups of their own. */
static void test_exec_kill(void **state) {
        struct fixture *f = *state;
        static const char *const args[] = { "sh", "-mc", "sleep 4321 & sleep 4321 & wait", NULL };
        struct process_spec p = process(args);
        struct fixture_container c;
        struct exec_spec spec;
        struct exec *exec;
        struct ran ran = { 0 };

        start_sleeper(f, &c);
        exec_spec_init(&spec);
        spec.process = &p;
        assert_int_equal(fixture_exec(f, "c", &spec, ended, &ran, &exec, NULL), 0);
        for (int i = 0; i < 100; i++) {
                struct ran other;
                _cleanup_free_ char *text = run_exec(f, "c", "ps | grep -v grep | grep -c 'sleep 4321'", &other);

                if (atoi(text) >= 2)
                        break;
        }
        exec_kill(exec);
        wait_ended(f, &ran);
        assert_int_equal(ran.code, 137);
        for (int i = 0;; i++) {
                struct ran other;
                _cleanup_free_ char *text = run_exec(f, "c", "ps | grep -v grep | grep 'sleep 4321'", &other);

                if (text[0] == '\0')
                        break;
                assert_true(i < 20);
        }
}

static void read_until(int fd, const char *what) {
        char text[65536] = "";
        size_t used = 0;
        struct pollfd p = { .fd = fd, .events = POLLIN };

        while (!strstr(text, what) && poll(&p, 1, FIXTURE_SECONDS * 1000) > 0) {
                ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

                if (n <= 0)
                        break;
                used += (size_t)n;
                text[used] = '\0';
        }
        assert_has(text, what);
}

static void test_terminal(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *log = NULL;
        int pipes[2], in;

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
        fixture_container(f, "tty; stty size; read x; echo got $x; read y; stty size; ls -l /dev/console; exit 4", &c);
        c.spec.process.terminal = true;
        c.spec.process.rows = 11;
        c.spec.process.columns = 22;
        if (fixture_start(f, "c", &c, &err) < 0)
                fail_msg("%s", err_text(err));
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(
                container_attach(&(struct container_at){ f->runtime, "pod", "c" }, pipes[1], -EBADF, &in, NULL), 0);
        close(pipes[1]);
        assert_true(in >= 0);
        assert_int_equal(write(in, "hello\n", 6), 6);
        read_until(pipes[0], "got hello");
        assert_int_equal(container_resize(f->runtime, "pod", "c", 33, 44, NULL), 0);
        assert_int_equal(write(in, "\n", 1), 1);
        assert_int_equal(fixture_wait(f, "c"), 4);
        close(in);
        close(pipes[0]);
        log = fixture_log(f);
        assert_has(log, "/dev/pts/0");
        assert_has(log, "got hello");
        assert_has(log, "11 22");
        assert_has(log, "33 44");
        assert_has(log, "/dev/console");
}

static void test_stdin(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        _cleanup_free_ char *log = NULL;
        int in, pipes[2];

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
        fixture_container(f, "cat; echo end", &c);
        c.io.stdin_open = c.io.stdin_once = true;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(
                container_attach(&(struct container_at){ f->runtime, "pod", "c" }, pipes[1], -EBADF, &in, NULL), 0);
        close(pipes[1]);
        assert_int_equal(write(in, "line\n", 5), 5);
        read_until(pipes[0], "line");
        close(in);
        assert_int_equal(container_close_stdin(f->runtime, "pod", "c", NULL), 0);
        assert_int_equal(fixture_wait(f, "c"), 0);
        close(pipes[0]);
        log = fixture_log(f);
        assert_has(log, " F line\n");
        assert_has(log, " F end\n");
}

static void test_slow_reader(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        struct stat st;
        int in, pipes[2];

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
        fixture_container(f, "read x; head -c 20000000 /dev/zero | tr '\\0' '\\n'; exit 2", &c);
        c.io.stdin_open = true;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(
                container_attach(&(struct container_at){ f->runtime, "pod", "c" }, pipes[1], -EBADF, &in, NULL), 0);
        close(pipes[1]);
        assert_int_equal(write(in, "\n", 1), 1);
        close(in);
        assert_int_equal(fixture_wait(f, "c"), 2);
        close(pipes[0]);
        assert_int_equal(stat(f->log, &st), 0);
        assert_int_equal(st.st_size, 20000000L * (long)strlen("2026-11-21T11:39:23.279975955Z stdout F \n"));
}

/* ---- a killed shim ---- */

static struct sandbox_info kill_shim(struct fixture *f, const struct sandbox_spec *spec) {
        const struct shim_watch_callbacks callbacks = { fixture_changed, fixture_gone, f };
        struct sandbox_info info, recovered;
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(sandbox_probe(f->runtime, "pod", &info, NULL), 0);
        assert_int_equal(kill(info.shim_pid, SIGKILL), 0);
        while (!f->gone)
                uv_run(&f->loop, UV_RUN_ONCE);
        f->gone = false;
        f->watch = shim_watch_free(f->watch);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        memset(&f->last, 0, sizeof(f->last));
        if (sandbox_recover(f->runtime, "pod", spec, &recovered, &err) < 0)
                fail_msg("%s", err_text(err));
        assert_int_not_equal(recovered.shim_pid, info.shim_pid);
        assert_int_equal(shim_watch_new(&f->loop, f->runtime, "pod", &callbacks, &f->watch, NULL), 0);
        return recovered;
}

static void test_recover(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        struct container_state before, after;
        struct ran ran;
        _cleanup_free_ char *log = NULL, *text = NULL;

        sandbox_spec_init(&spec);
        spec.hostname = "pod-0";
        start_sleeper(f, &c);
        free(run_exec(f, "c", "echo before > /dev/shm/x; echo to the log > /proc/1/fd/1", &ran));
        assert_int_equal(container_status(f->runtime, "pod", "c", &before, NULL), 0);
        kill_shim(f, &spec);
        assert_int_equal(container_status(f->runtime, "pod", "c", &after, NULL), 0);
        assert_int_equal(after.pid, before.pid);
        assert_int_equal(after.started_at, before.started_at);
        text = run_exec(f, "c", "cat /dev/shm/x; hostname; echo more > /proc/1/fd/1", &ran);
        assert_int_equal(ran.code, 0);
        assert_has(text, "before\npod-0\n");

        /* A new container is in the same namespaces, and sees the same memory. */
        fixture_container(f, "cat /dev/shm/x; hostname; readlink /proc/self/ns/ipc", &c);
        c.spec.root.upper = NULL;
        c.spec.root.readonly = true;
        c.io.log_path = NULL;
        assert_int_equal(fixture_start(f, "d", &c, NULL), 0);
        assert_int_equal(fixture_wait(f, "d"), 0);

        kill_shim(f, &spec);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGTERM, NULL), 0);
        assert_int_equal(fixture_wait(f, "c"), 5);
        log = fixture_log(f);
        assert_has(log, " F to the log\n");
        assert_has(log, " F more\n");
        assert_has(log, " F bye\n");
}

/* The exec of a killed shim tells so, and does not stay behind. */
static void test_recover_exec(void **state) {
        struct fixture *f = *state;
        static const char *const args[] = { "sleep", "4322", NULL };
        struct process_spec p = process(args);
        struct fixture_container c;
        struct sandbox_spec sandbox;
        struct exec_spec spec;
        struct exec *exec;
        struct ran ran = { 0 }, other;
        _cleanup_free_ char *text = NULL, *before = NULL;

        sandbox_spec_init(&sandbox);
        start_sleeper(f, &c);
        exec_spec_init(&spec);
        spec.process = &p;
        assert_int_equal(fixture_exec(f, "c", &spec, ended, &ran, &exec, NULL), 0);
        do {
                free(before);
                before = run_exec(f, "c", "ps | grep -v grep | grep 'sleep 4322'", &other);
        } while (!before[0]);
        kill_shim(f, &sandbox);
        wait_ended(f, &ran);
        assert_int_equal(ran.code, -1);
        assert_has(ran.error, "the shim died");
        text = run_exec(f, "c", "ps | grep -v grep | grep 'sleep 4322'", &other);
        assert_string_equal(text, "");
}

/* It ends while nobody is there: its parent, the agent, still learns how. */
static void test_recover_exited(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        struct container_state seen;
        struct sandbox_info info;

        sandbox_spec_init(&spec);
        start_sleeper(f, &c);
        assert_int_equal(container_status(f->runtime, "pod", "c", &seen, NULL), 0);
        assert_int_equal(sandbox_probe(f->runtime, "pod", &info, NULL), 0);
        kill(info.shim_pid, SIGSTOP);
        kill(info.shim_pid, SIGKILL);
        kill(seen.pid, SIGTERM);
        while (!f->gone)
                uv_run(&f->loop, UV_RUN_ONCE);
        usleep(200000);
        f->gone = false;
        f->watch = shim_watch_free(f->watch);
        memset(&f->last, 0, sizeof(f->last));
        assert_int_equal(sandbox_recover(f->runtime, "pod", &spec, &info, NULL), 0);
        const struct shim_watch_callbacks callbacks = { fixture_changed, fixture_gone, f };
        assert_int_equal(shim_watch_new(&f->loop, f->runtime, "pod", &callbacks, &f->watch, NULL), 0);
        assert_int_equal(fixture_wait(f, "c"), 5);
        free(fixture_log(f));
}

/* After a restart the agent is not the parent either: the kernel still knows (6.15), or nobody does. */
static void test_recover_foreign(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        int code;

        sandbox_spec_init(&spec);
        start_sleeper(f, &c);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
        kill_shim(f, &spec);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGTERM, NULL), 0);
        code = fixture_wait(f, "c");
        if (code != 5 && code != -1)
                fail_msg("exit code %d", code);
}

/* No line is lost or doubled, however often the shim dies while the container writes. */
static void test_recover_log(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        _cleanup_free_ char *log = NULL;
        char *line, *save = NULL;
        long expected = 0;

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
        fixture_container(f, "i=0; trap 'exit 6' TERM; while [ $i -lt 200000 ]; do echo line $i; i=$((i+1)); done", &c);
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        for (int i = 0; i < 25; i++) {
                usleep(3000);
                kill_shim(f, &spec);
        }
        container_kill(f->runtime, "pod", "c", SIGTERM, NULL);
        fixture_wait(f, "c");
        log = fixture_log(f);
        for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                const char *text = strstr(line, " F line ");

                if (!text || atol(text + strlen(" F line ")) != expected)
                        fail_msg("instead of line %ld: %s", expected, line);
                expected++;
        }
        assert_true(expected > 100);
}

static void test_recover_terminal(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        _cleanup_free_ char *log = NULL;
        int in, pipes[2];

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
        fixture_container(f, "read x; echo got $x; read y; echo end $y", &c);
        c.spec.process.terminal = true;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        kill_shim(f, &spec);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(
                container_attach(&(struct container_at){ f->runtime, "pod", "c" }, pipes[1], -EBADF, &in, NULL), 0);
        close(pipes[1]);
        assert_int_equal(write(in, "one\n", 4), 4);
        read_until(pipes[0], "got one");
        kill_shim(f, &spec);
        assert_int_equal(write(in, "two\n", 4), 4);
        assert_int_equal(fixture_wait(f, "c"), 0);
        close(in);
        close(pipes[0]);
        log = fixture_log(f);
        assert_has(log, "end two");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_exec),           TEST(test_exec_failure),
                TEST(test_exec_kill),      TEST(test_terminal),
                TEST(test_stdin),          TEST(test_slow_reader),
                TEST(test_recover),        TEST(test_recover_exec),
                TEST(test_recover_exited), TEST(test_recover_foreign),
                TEST(test_recover_log),    TEST(test_recover_terminal),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
