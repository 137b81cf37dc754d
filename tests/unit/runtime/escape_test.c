/* Ways out of a container that runtimes had, tried against this one. Each test is named by the CVE it re-enacts. */
#include "tests/unit/runtime/fixture.h"

#include <signal.h>

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void sandbox(struct fixture *f) {
        struct sandbox_spec spec;

        sandbox_spec_init(&spec);
        fixture_sandbox(f, &spec);
}

static void link_in_image(struct fixture *f, const char *name, const char *target) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", f->image, name);
        rmdir(path);
        assert_int_equal(symlink(target, path), 0);
}

/* The container must not start, for a reason with @says in it. */
static void refused(struct fixture *f, struct fixture_container *c, int code, const char *says) {
        _cleanup_err_ struct err *err = NULL;
        int r = fixture_start(f, "c", c, &err);

        if (r != -code || !strstr(err_text(err), says))
                fail_msg("%d %s", r, err ? err_text(err) : "started");
}

static struct mount_spec *more_mounts(struct fixture_container *c, struct mount_spec mounts[16], const char *source,
                                      const char *destination) {
        memcpy(mounts, defaults_mounts, defaults_mounts_n * sizeof(*mounts));
        c->spec.mounts = mounts;
        mounts[c->spec.n_mounts] =
                (struct mount_spec){ .source = source, .source_fd = -EBADF, .destination = destination };
        return &mounts[c->spec.n_mounts++];
}

static char *read_shim(void) {
        const char *path = getenv("NACELLE_SHIM") ? getenv("NACELLE_SHIM") : NACELLE_TEST_SHIM;
        char *text = NULL;

        assert_int_equal(files_read(path, 64 * 1024 * 1024, &text, NULL, NULL), 0);
        return text;
}

static void count_ended(void *data, const struct exec_result *result) {
        ++*(int *)data;
}

/* The image's program is the runtime itself, and a process of the container writes to whatever runs next to it. */
static void test_2019_5736(void **state) {
        struct fixture *f = *state;
        static const char *const self[] = { "/proc/self/exe", NULL };
        struct process_spec process = { .args = self,
                                        .env = fixture_env,
                                        .capabilities = { ~0ULL, ~0ULL, ~0ULL, 0, 0 } };
        struct fixture_container c;
        struct stat before, after;
        const char *path = getenv("NACELLE_SHIM") ? getenv("NACELLE_SHIM") : NACELLE_TEST_SHIM;
        _cleanup_free_ char *shim = read_shim(), *now = NULL;
        int done = 0;

        assert_int_equal(stat(path, &before), 0);
        sandbox(f);
        fixture_container(f,
                          "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || echo x 2>/dev/null >> $p/exe; "
                          "done; done 2>&1 | "
                          "grep -v nonexistent | head -c 1000000 | grep -c . ",
                          &c);
        c.spec.process.capabilities = process.capabilities;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        for (int i = 0; i < 20; i++) {
                struct exec_spec spec;
                struct exec *exec;

                exec_spec_init(&spec);
                spec.process = &process;
                assert_int_equal(fixture_exec(f, "c", &spec, count_ended, &done, &exec, NULL), 0);
        }
        while (done < 20)
                uv_run(&f->loop, UV_RUN_ONCE);
        container_kill(f->runtime, "pod", "c", SIGKILL, NULL);
        fixture_wait(f, "c");
        now = read_shim();
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
        assert_memory_equal(shim, now, (size_t)before.st_size);
        assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

static void test_2019_16884(void **state) {
        struct fixture *f = *state;
        struct mount_spec mounts[16];
        struct fixture_container c;

        sandbox(f);
        fixture_container(f, "true", &c);
        c.spec.root.is_volatile = false;
        more_mounts(&c, mounts, f->image, "/proc");
        refused(f, &c, EPERM, "inside /proc");
        mounts[c.spec.n_mounts - 1].destination = "/proc/self/attr";
        refused(f, &c, EPERM, "inside /proc");
        mounts[c.spec.n_mounts - 1].destination = "/tmp/../proc/sys";
        refused(f, &c, EPERM, "inside /proc");
}

/* A link where /proc is expected (CVE-2019-19921 too). */
static void test_linked_proc(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;

        link_in_image(f, "proc", "/tmp");
        sandbox(f);
        fixture_container(f, "true", &c);
        refused(f, &c, ELOOP, "/proc");
}

/* Links of a volume that lead out of the root, above and through it; what is made on the way is made inside. */
static void test_2021_30465_and_2024_45310(void **state) {
        struct fixture *f = *state;
        static const char *const links[] = { "../../../../../../..", "/", "/proc/self/root", "/proc/1/root", "/../.." };
        char volume[128], outside[160], link[160], inside[256], target[512];
        struct mount_spec mounts[16];
        struct fixture_container c;

        fixture_path(f, "volume", volume);
        fixture_path(f, "outside", outside);
        assert_int_equal(mkdir(volume, 0755), 0);
        assert_int_equal(mkdir(outside, 0755), 0);
        sandbox(f);
        for (size_t i = 0; i < ELEMENTS(links); i++) {
                _cleanup_err_ struct err *err = NULL;
                char id[8];

                snprintf(id, sizeof(id), "c%zu", i);
                snprintf(link, sizeof(link), "%s/link", volume);
                snprintf(target, sizeof(target), "/vol/link%s/deep/er", outside);
                unlink(link);
                assert_int_equal(symlink(links[i], link), 0);
                fixture_container(f, "true", &c);
                c.spec.root.is_volatile = false;
                more_mounts(&c, mounts, volume, "/vol");
                mounts[c.spec.n_mounts++] =
                        (struct mount_spec){ .source = volume, .source_fd = -EBADF, .destination = target };
                if (fixture_start(f, id, &c, &err) == 0)
                        fixture_wait(f, id);
                snprintf(inside, sizeof(inside), "%s/deep", outside);
                assert_int_equal(access(inside, F_OK), -1);
        }
}

static void test_2022_0811(void **state) {
        struct fixture *f = *state;
        static const struct {
                struct key_value sysctl;
                bool host_network, host_ipc;
                int code;
        } rows[] = {
                { { "kernel.shm_rmid_forced", "1+kernel.core_pattern=|/evil" }, false, false, EINVAL },
                { { "net/../kernel/core_pattern", "|/evil" }, false, false, EINVAL },
                { { "net.ipv4.../../kernel/core_pattern", "|/evil" }, false, false, EINVAL },
                { { "/proc/sys/kernel/core_pattern", "|/evil" }, false, false, EPERM },
                { { "", "1" }, false, false, EINVAL },
                { { "kernel.core_pattern", "|/evil" }, false, false, EPERM },
                { { "kernel/core_pattern", "|/evil" }, false, false, EPERM },
                { { "vm.overcommit_memory", "1" }, false, false, EPERM },
                { { "kernel.shm_rmid_forced2", "1" }, false, false, EPERM },
                { { "kernel.hostname", "evil" }, false, false, EPERM },
                /* Of a namespace, but that is the host's. */
                { { "net.ipv4.ip_unprivileged_port_start", "0" }, true, false, EPERM },
                { { "kernel.shm_rmid_forced", "1" }, false, true, EPERM },
                { { "fs.mqueue.msg_max", "20" }, false, true, EPERM },
                { { "fs.mqueue.msg_max", "20" }, false, false, 0 },
                { { "kernel.msgmax", "8193" }, true, false, 0 },
                { { "net/ipv4/ip_unprivileged_port_start", "0" }, false, true, 0 },
        };
        _cleanup_free_ char *before = NULL, *after = NULL;

        assert_int_equal(files_read("/proc/sys/kernel/core_pattern", 4096, &before, NULL, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct sandbox_spec spec;
                struct sandbox_info info;

                sandbox_spec_init(&spec);
                spec.sysctls = &rows[i].sysctl;
                spec.n_sysctls = 1;
                spec.host_network = rows[i].host_network;
                spec.host_ipc = rows[i].host_ipc;
                assert_int_equal(sandbox_create(f->runtime, "pod", &spec, &info, NULL), -rows[i].code);
                if (rows[i].code == 0)
                        assert_int_equal(sandbox_delete(f->runtime, "pod", NULL), 0);
        }
        assert_int_equal(files_read("/proc/sys/kernel/core_pattern", 4096, &after, NULL, NULL), 0);
        assert_string_equal(before, after);
}

static void exec_failed(void *data, const struct exec_result *result) {
        snprintf(data, 256, "%s", result->err ? err_text(result->err) : "it ran");
}

/* A working directory through a leaked descriptor, at the start and in an exec, by path and by an image's link. */
static void test_2024_21626(void **state) {
        struct fixture *f = *state;
        static const char *const args[] = { "true", NULL };
        struct process_spec process = { .args = args, .env = fixture_env };
        struct fixture_container c;
        char cwd[64];

        link_in_image(f, "leak", "/proc/self/fd/5");
        sandbox(f);
        for (int fd = 3; fd < 30; fd++) {
                _cleanup_err_ struct err *err = NULL;

                fixture_container(f, "readlink /proc/1/cwd; ls", &c);
                c.spec.root.is_volatile = false;
                snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
                c.spec.process.cwd = cwd;
                if (fixture_start(f, "c", &c, &err) == 0) {
                        fixture_wait(f, "c");
                        fail_msg("%s %s", cwd, fixture_log(f));
                }
        }
        c.spec.process.cwd = "/leak";
        assert_true(fixture_start(f, "c", &c, NULL) < 0);

        fixture_container(f, "sleep 1000", &c);
        c.spec.root.is_volatile = false;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        for (int fd = 3; fd < 30; fd++) {
                char text[256] = "";
                struct exec_spec spec;
                struct exec *exec;

                snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
                process.cwd = cwd;
                exec_spec_init(&spec);
                spec.process = &process;
                assert_int_equal(fixture_exec(f, "c", &spec, exec_failed, text, &exec, NULL), 0);
                while (!text[0])
                        uv_run(&f->loop, UV_RUN_ONCE);
                assert_has(text, "working directory");
        }
}

/* The image's /dev/null is a link: what masks with it would uncover, what makes it would follow. */
static void test_2025_31133(void **state) {
        struct fixture *f = *state;
        static const char *const masked[] = { "/proc/kmsg", "/proc/timer_list", "/proc/keys", NULL };
        struct mount_spec mounts[1] = { defaults_mounts[0] };
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        link_in_image(f, "dev/null", "/proc/sys/kernel/core_pattern");
        sandbox(f);
        fixture_container(f, "cat /proc/timer_list /proc/keys | wc -c; ls -l /proc/keys", &c);
        c.spec.root.is_volatile = false;
        c.spec.mounts = mounts;
        c.spec.n_mounts = 1;
        c.spec.masked_paths = masked;
        c.spec.readonly_paths = NULL;
        refused(f, &c, EEXIST, "device null");
        c.spec.default_devices = false;
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, " F 0\n");
        assert_has(log, "1,   3");
}

static void test_2025_52565(void **state) {
        struct fixture *f = *state;
        struct mount_spec mounts[2] = { defaults_mounts[0], defaults_mounts[2] };
        struct fixture_container c;

        link_in_image(f, "dev/console", "/proc/sysrq-trigger");
        sandbox(f);
        fixture_container(f, "true", &c);
        c.spec.root.is_volatile = false;
        c.spec.mounts = mounts;
        c.spec.n_mounts = 2;
        c.spec.default_devices = false;
        c.spec.process.terminal = true;
        refused(f, &c, ELOOP, "/dev/console");

        /* No devpts of ours: the image's ptmx is not asked. */
        c.spec.n_mounts = 1;
        refused(f, &c, ENXIO, "devpts");
}

/* Settings go through the host's /proc, not the container's: a container that has something else there changes nothing.
 */
static void test_2025_52881(void **state) {
        struct fixture *f = *state;
        static const struct key_value sysctls[] = { { "net.ipv4.ip_unprivileged_port_start", "99" } };
        struct mount_spec mounts[1] = {
                { .type = "tmpfs", .source = "tmpfs", .source_fd = -EBADF, .destination = "/proc" }
        };
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(f,
                          "ls -A /proc; mkdir -p /tmp/p; mount -t proc p /tmp/p && cat "
                          "/tmp/p/sys/net/ipv4/ip_unprivileged_port_start /tmp/p/self/oom_score_adj",
                          &c);
        c.spec.process.capabilities.bounding = c.spec.process.capabilities.effective =
                c.spec.process.capabilities.permitted = capability_all();
        c.spec.mounts = mounts;
        c.spec.n_mounts = 1;
        c.spec.sysctls = sysctls;
        c.spec.n_sysctls = 1;
        c.spec.process.oom_score_adj = 321;
        c.spec.process.set_oom_score_adj = true;
        c.spec.masked_paths = c.spec.readonly_paths = NULL;
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, " F 99\n");
        assert_has(log, " F 321\n");
}

static void test_log_link(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        char victim[128];
        _cleanup_free_ char *text = NULL;

        fixture_path(f, "victim", victim);
        assert_int_equal(files_replace(victim, "precious", 8, 0644, NULL), 0);
        assert_int_equal(symlink(victim, f->log), 0);
        sandbox(f);
        fixture_container(f, "echo overwritten", &c);
        refused(f, &c, ELOOP, "");
        assert_int_equal(files_read(victim, 64, &text, NULL, NULL), 0);
        assert_string_equal(text, "precious");
}

/* Nothing of the runtime is left open in the container's process. */
static void test_descriptors(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(
                f, "for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do readlink /proc/$$/fd/$i; done",
                &c);
        log = fixture_run(f, "c", &c, 1);
        assert_has(log, "/dev/null");
        assert_null(strstr(log, "shim.sock"));
        assert_null(strstr(log, "socket:"));
        assert_null(strstr(log, "/proc"));
        assert_null(strstr(log, "anon_inode"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_2019_5736),   TEST(test_2019_16884),
                TEST(test_linked_proc), TEST(test_2021_30465_and_2024_45310),
                TEST(test_2022_0811),   TEST(test_2024_21626),
                TEST(test_2025_31133),  TEST(test_2025_52565),
                TEST(test_2025_52881),  TEST(test_log_link),
                TEST(test_descriptors),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
