/* Containers as a pod's user sees them: what the process finds, and what comes back. */
#include "tests/unit/runtime/fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "runtime/seccomp/seccomp.h"

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
        if (strstr(text, part))
                fail_msg("\"%s\" is in: %s", part, text);
}

static void sandbox(struct fixture *f) {
        struct sandbox_spec spec;

        sandbox_spec_init(&spec);
        spec.hostname = "web-0";
        fixture_sandbox(f, &spec);
}

static void test_run(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(
                f,
                "echo out; echo err >&2; hostname; id; echo pid $$; grep -E '^(CapBnd|CapEff)' /proc/self/status; "
                "echo again > /dev/stdout; echo $NAME; ls /proc/self/fd | wc -l; exit 3",
                &c);
        log = fixture_run(f, "c", &c, 3);
        assert_has(log, " stdout F out\n");
        assert_has(log, " stderr F err\n");
        assert_has(log, " F web-0\n");
        assert_has(log, "uid=0");
        assert_has(log, " F pid 1\n");
        assert_has(log, "CapBnd:\t00000000a80425fb");
        assert_has(log, "CapEff:\t00000000a80425fb");
        assert_has(log, " stdout F again\n");
        assert_has(log, " F value\n");
        assert_has(log, " F 4\n"); /* 0, 1, 2 and ls' own */
        assert_int_equal(f->last.signal, 0);
        assert_int_equal(container_delete(f->runtime, "pod", "c", NULL), 0);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGTERM, NULL), -ENOENT);
}

static void test_protected(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(
                f,
                "ls -A /proc/acpi /sys/firmware; head -c1 /proc/keys | wc -c; echo 1 > /proc/sys/kernel/panic; "
                "touch /sys/x; echo 1 > /sys/kernel/mm/ksm/run; touch /file && echo writable; mount -t tmpfs x /tmp; "
                "exit 0",
                &c);
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, "/proc/sys/kernel/panic: Read-only file system");
        assert_has(log, "/sys/x: Read-only file system");
        assert_has(log, " F writable\n");
        assert_has(log, "permission denied");
        assert_has(log, " F 0\n");
}

static void test_identity(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        static const gid_t groups[] = { 7, 8 };
        static const struct rlimit_spec limits[] = { { RLIMIT_NOFILE, 100, 200 } };
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(f,
                          "id; pwd; umask; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; grep -E "
                          "'CapEff|CapPrm|CapAmb|NoNew' /proc/self/status;"
                          "echo x > /dev/stderr; touch /y",
                          &c);
        c.spec.process.uid = 1000;
        c.spec.process.gid = 2000;
        c.spec.process.groups = groups;
        c.spec.process.n_groups = 2;
        c.spec.process.cwd = "/made/for/it";
        c.spec.process.rlimits = limits;
        c.spec.process.n_rlimits = 1;
        c.spec.process.oom_score_adj = 500;
        c.spec.process.set_oom_score_adj = true;
        c.spec.process.no_new_privileges = true;
        c.spec.process.capabilities.effective = c.spec.process.capabilities.permitted = 1 << 10;
        c.spec.process.capabilities.inheritable = c.spec.process.capabilities.ambient = 1 << 10;
        c.spec.root.readonly = true;
        log = fixture_run(f, "c", &c, 1);
        assert_has(log, "uid=1000 gid=2000 groups=7,8");
        assert_has(log, " F /made/for/it\n");
        assert_has(log, " F 0022\n");
        assert_has(log, " F 100\n");
        assert_has(log, " F 200\n");
        assert_has(log, " F 500\n");
        assert_has(log, "CapEff:\t0000000000000400");
        assert_has(log, "CapAmb:\t0000000000000400");
        assert_has(log, "NoNewPrivs:\t1");
        assert_has(log, " stderr F x\n");
        assert_has(log, "/y: Read-only file system");
}

static void test_seccomp(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(f, "grep Seccomp: /proc/self/status; sync; mount -t tmpfs x /tmp", &c);
        assert_int_equal(seccomp_runtime_default(capability_default(), &c.spec.process.seccomp, NULL), 0);
        log = fixture_run(f, "c", &c, 1);
        assert_has(log, "Seccomp:\t2");
}

static const struct {
        const char *what;
        const char *args[3];
        const char *cwd;
        const char *destination; /* of a bind mount of /etc/hostname */
        int code;
        const char *says;
} failures[] = {
        { "no program", { "nothere" }, NULL, NULL, ENOENT, "exec \"nothere\": executable file not found in $PATH" },
        { "no path", { "/nothere" }, NULL, NULL, ENOENT, "exec \"/nothere\": No such file" },
        { "a directory", { "/etc" }, NULL, NULL, EACCES, "exec \"/etc\": Permission denied" },
        { "cwd is a file", { "true" }, "/bin/busybox", NULL, ENOTDIR, "working directory /bin/busybox" },
        { "mount into proc", { "true" }, NULL, "/proc/sys/kernel/panic", EPERM, "lies inside /proc" },
        { "mount onto root", { "true" }, NULL, "//", EINVAL, "destination" },
        { "no command", { "" }, NULL, NULL, EINVAL, "no command" },
};

static void test_failures(void **state) {
        struct fixture *f = *state;

        sandbox(f);
        for (size_t i = 0; i < ELEMENTS(failures); i++) {
                struct mount_spec mounts[16];
                struct fixture_container c;
                _cleanup_err_ struct err *err = NULL;

                fixture_container(f, "", &c);
                c.spec.root.is_volatile = false;
                c.spec.process.args = failures[i].args;
                c.spec.process.cwd = failures[i].cwd;
                memcpy(mounts, defaults_mounts, defaults_mounts_n * sizeof(*mounts));
                if (failures[i].destination) {
                        mounts[c.spec.n_mounts++] = (struct mount_spec){ .source = "/etc/hostname",
                                                                         .source_fd = -EBADF,
                                                                         .destination = failures[i].destination };
                        c.spec.mounts = mounts;
                }
                if (fixture_start(f, "c", &c, &err) != -failures[i].code || !strstr(err_text(err), failures[i].says))
                        fail_msg("%s: %d %s", failures[i].what, err_code(err), err_text(err));
        }
}

static void test_mounts(void **state) {
        struct fixture *f = *state;
        struct mount_spec mounts[16];
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;
        char shared[128], file[160], link[160];

        fixture_path(f, "shared", shared);
        assert_int_equal(mkdir(shared, 0755), 0);
        snprintf(file, sizeof(file), "%s/file", shared);
        assert_int_equal(files_replace(file, "text\n", 5, 0644, NULL), 0);
        snprintf(link, sizeof(link), "%s/etc/resolv.conf", f->image);
        assert_int_equal(symlink("../run/stub/resolv.conf", link), 0);
        sandbox(f);
        fixture_container(f,
                          "cat /data/deep/file; touch /data/deep/x; cat /etc/resolv.conf; ls /run/stub; touch /rw/new; "
                          "grep ' /tmp/t ' /proc/mounts",
                          &c);
        memcpy(mounts, defaults_mounts, defaults_mounts_n * sizeof(*mounts));
        c.spec.mounts = mounts;
        mounts[c.spec.n_mounts++] = (struct mount_spec){ .source = shared,
                                                         .source_fd = -EBADF,
                                                         .destination = "/data/deep",
                                                         .attributes = MOUNT_ATTR_RDONLY,
                                                         .recursive = true,
                                                         .recursive_attributes = true };
        mounts[c.spec.n_mounts++] =
                (struct mount_spec){ .source = file, .source_fd = -EBADF, .destination = "/etc/resolv.conf" };
        mounts[c.spec.n_mounts++] = (struct mount_spec){ .source = shared, .source_fd = -EBADF, .destination = "/rw" };
        mounts[c.spec.n_mounts++] = (struct mount_spec){ .type = "tmpfs",
                                                         .source = "tmpfs",
                                                         .source_fd = -EBADF,
                                                         .destination = "/tmp/t",
                                                         .options = "size=1m,mode=700" };
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, " F text\n");
        assert_has(log, "/data/deep/x: Read-only file system");
        assert_has(log, " F resolv.conf\n");
        assert_has(log, "size=1024k,mode=700");
        snprintf(file, sizeof(file), "%s/new", shared);
        assert_int_equal(access(file, F_OK), 0);
}

/* ---- signals and states ---- */

static void test_kill(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_err_ struct err *err = NULL;
        struct container_state seen;
        struct container_state *all;
        size_t n;

        sandbox(f);
        fixture_container(f, "sleep 1000 & sleep 1000", &c);
        c.spec.root.is_volatile = false;
        assert_int_equal(fixture_start(f, "c", &c, NULL), 0);
        assert_int_equal(fixture_start(f, "c", &c, &err), -EEXIST);
        assert_int_equal(container_status(f->runtime, "pod", "c", &seen, NULL), 0);
        assert_int_equal(seen.phase, CONTAINER_RUNNING);
        assert_true(seen.pid > 1 && seen.started_at > 0);
        assert_int_equal(container_delete(f->runtime, "pod", "c", NULL), -EBUSY);
        assert_int_equal(container_resize(f->runtime, "pod", "c", 1, 1, NULL), -ENOTTY);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGKILL, NULL), 0);
        assert_int_equal(fixture_wait(f, "c"), 137);
        assert_int_equal(f->last.signal, SIGKILL);
        assert_true(f->last.exited_at >= f->last.started_at);
        assert_int_equal(container_kill(f->runtime, "pod", "c", SIGKILL, NULL), -ESRCH);
        assert_int_equal(container_list(f->runtime, "pod", &all, &n, NULL), 0);
        assert_int_equal(n, 1);
        assert_int_equal(all[0].exit_code, 137);
        free(all);
}

static void test_shared_pid(void **state) {
        struct fixture *f = *state;
        struct fixture_container a, b;
        struct sandbox_spec spec;
        _cleanup_free_ char *log = NULL;

        sandbox_spec_init(&spec);
        spec.shared_pid = true;
        fixture_sandbox(f, &spec);
        fixture_container(f, "exec sleep 1000", &a);
        a.spec.namespaces[NAMESPACE_PID].mode = NAMESPACE_POD;
        a.spec.root.upper = NULL;
        a.spec.root.readonly = true;
        assert_int_equal(fixture_start(f, "a", &a, NULL), 0);
        fixture_container(f, "ps; [ $$ != 1 ]", &b);
        b.spec.namespaces[NAMESPACE_PID].mode = NAMESPACE_POD;
        log = fixture_run(f, "b", &b, 0);
        assert_has(log, "sleep 1000");
        assert_has(log, "nacelle-pause");
}

static void test_shared_memory(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox(f);
        fixture_container(f, "echo from a > /dev/shm/x", &c);
        c.spec.root.upper = NULL;
        c.spec.root.readonly = true;
        free(fixture_run(f, "a", &c, 0));
        c.args[2] = "cat /dev/shm/x";
        log = fixture_run(f, "b", &c, 0);
        assert_has(log, " F from a\n");
}

static void test_user_namespace(void **state) {
        struct fixture *f = *state;
        const struct id_mapping map = { .container = 0, .host = 200000, .size = 65536 };
        const struct id_mappings mappings = { &map, 1, &map, 1 };
        struct mount_spec mounts[16];
        struct fixture_container c;
        struct sandbox_spec spec;
        struct stat st;
        char shared[128], file[160];
        _cleanup_free_ char *log = NULL;

        fixture_path(f, "shared", shared);
        assert_int_equal(mkdir(shared, 0755), 0);
        assert_int_equal(chown(f->upper, 200000, 200000), 0);
        sandbox_spec_init(&spec);
        spec.mappings = mappings;
        spec.hostname = "inside";
        fixture_sandbox(f, &spec);
        fixture_container(f,
                          "id; cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /mine /vol/made; stat -c %u "
                          "/vol/made; hostname other && hostname;"
                          "mount -o remount,rw,bind /proc/sys || echo locked; echo shm > /dev/shm/x; ls -lan /dev/null",
                          &c);
        memcpy(mounts, defaults_mounts, defaults_mounts_n * sizeof(*mounts));
        c.spec.mounts = mounts;
        mounts[c.spec.n_mounts++] =
                (struct mount_spec){ .source = shared, .source_fd = -EBADF, .destination = "/vol", .idmap = true };
        c.spec.mappings = mappings;
        c.spec.process.capabilities.bounding = c.spec.process.capabilities.effective =
                c.spec.process.capabilities.permitted = capability_all();
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, "uid=0 gid=0");
        assert_has(log, "200000      65536");
        assert_has(log, " F 0\n");
        assert_has(log, " F other\n");
        assert_has(log, " F locked\n");
        assert_has_not(log, "65534");
        snprintf(file, sizeof(file), "%s/made", shared);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_uid, 0);
        snprintf(file, sizeof(file), "%s/mine", f->upper);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_uid, 200000);
}

static void test_host_namespaces(void **state) {
        struct fixture *f = *state;
        struct fixture_container c;
        struct sandbox_spec spec;
        char path[SANDBOX_PATH_MAX], host[64] = "", name[128];
        _cleanup_free_ char *log = NULL;

        sandbox_spec_init(&spec);
        spec.host_network = spec.host_ipc = true;
        fixture_sandbox(f, &spec);
        assert_int_equal(access(sandbox_netns_path(f->runtime, "pod", path), F_OK), -1);
        fixture_container(
                f, "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; readlink /proc/self/ns/pid; hostname", &c);
        c.spec.namespaces[NAMESPACE_PID].mode = NAMESPACE_INHERIT;
        c.spec.n_mounts = 3; /* no pod's shm: it is the host's */
        log = fixture_run(f, "c", &c, 0);
        for (int i = 0; i < 3; i++) {
                static const char *const kinds[] = { "net", "ipc", "pid" };

                snprintf(name, sizeof(name), "/proc/self/ns/%s", kinds[i]);
                memset(host, 0, sizeof(host));
                assert_true(readlink(name, host, sizeof(host) - 1) > 0);
                assert_has(log, host);
        }
        gethostname(host, sizeof(host));
        assert_has(log, host);
}

static void test_sysctls(void **state) {
        struct fixture *f = *state;
        static const struct key_value sysctls[] = { { "net.ipv4.ip_unprivileged_port_start", "42" },
                                                    { "kernel.shm_rmid_forced", "1" } };
        struct fixture_container c;
        struct sandbox_spec spec;
        _cleanup_free_ char *log = NULL, *host = NULL;

        sandbox_spec_init(&spec);
        spec.sysctls = sysctls;
        spec.n_sysctls = 2;
        fixture_sandbox(f, &spec);
        fixture_container(f, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced", &c);
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, " F 42\n");
        assert_has(log, " F 1\n");
        assert_int_equal(files_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 64, &host, NULL, NULL), 0);
        assert_string_not_equal(host, "42\n");
}

static void test_bad_sysctl(void **state) {
        struct fixture *f = *state;
        static const struct key_value sysctls[] = { { "net.ipv4.nothere", "42" } };
        _cleanup_err_ struct err *err = NULL;
        struct sandbox_info info;
        struct sandbox_spec spec;
        char path[SANDBOX_PATH_MAX];

        sandbox_spec_init(&spec);
        spec.sysctls = sysctls;
        spec.n_sysctls = 1;
        assert_int_equal(sandbox_create(f->runtime, "pod", &spec, &info, &err), -ENOENT);
        assert_has(err_text(err), "net/ipv4/nothere");
        assert_int_equal(access(sandbox_netns_path(f->runtime, "pod", path), F_OK), -1);
        assert_int_equal(sandbox_probe(f->runtime, "pod", &info, NULL), -ENOENT);
}

static void test_big_plan(void **state) {
        struct fixture *f = *state;
        struct mount_spec mounts[600];
        char names[590][32];
        char *big = malloc(100001);
        const char *env[] = { "PATH=/bin", big, NULL };
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        memset(big, 'x', 100000);
        big[100000] = '\0';
        memcpy(big, "BIG=", 4);
        sandbox(f);
        fixture_container(f, "echo ${#BIG}; cat /m/0 /m/589 | wc -l", &c);
        memcpy(mounts, defaults_mounts, defaults_mounts_n * sizeof(*mounts));
        for (int i = 0; i < 590; i++) {
                snprintf(names[i], sizeof(names[i]), "/m/%d", i);
                mounts[c.spec.n_mounts++] =
                        (struct mount_spec){ .source = "/etc/passwd", .source_fd = -EBADF, .destination = names[i] };
        }
        c.spec.mounts = mounts;
        c.spec.process.env = env;
        log = fixture_run(f, "c", &c, 0);
        assert_has(log, " F 99996\n");
        free(big);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_run),
                TEST(test_protected),
                TEST(test_identity),
                TEST(test_seccomp),
                TEST(test_failures),
                TEST(test_mounts),
                TEST(test_kill),
                TEST(test_shared_pid),
                TEST(test_shared_memory),
                TEST(test_user_namespace),
                TEST(test_host_namespaces),
                TEST(test_sysctls),
                TEST(test_bad_sysctl),
                TEST(test_big_plan),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
