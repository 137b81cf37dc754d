#include "runtime/seccomp/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "runtime/capability.h"

#define DEFAULT_PROFILE 0x00000000a80425fbull

/* Loads @filter in a child, makes the call there, and returns its errno, 0 when it worked; 255 when the child was
 * killed. */
static int errno_under(const struct seccomp_filter *filter, long (*call)(void)) {
        int status;
        pid_t child = fork();

        if (child == 0) {
                struct sock_fprog program = { .len = (unsigned short)(filter->size / sizeof(struct sock_filter)),
                                              .filter = (struct sock_filter *)filter->program };

                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                if (syscall(SYS_seccomp, 1, filter->flags, &program) < 0)
                        _exit(254);
                errno = 0;
                _exit(call() < 0 ? errno : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static long call_getpid(void) {
        return syscall(SYS_getpid);
}
static long call_unshare(void) {
        return unshare(CLONE_NEWUTS);
}
static long call_clone3(void) {
        return syscall(SYS_clone3, NULL, 0);
}
static long call_unknown(void) {
        return syscall(4000);
}
static long call_vsock(void) {
        return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long call_unix(void) {
        return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long call_personality(void) {
        return personality(ADDR_NO_RANDOMIZE);
}
static long call_mount(void) {
        return mount("none", "/nowhere", "tmpfs", 0, NULL);
}

static void test_runtime_default(void **state) {
        static const struct {
                uint64_t bounding;
                long (*call)(void);
                int error;
        } cases[] = {
                { DEFAULT_PROFILE, call_getpid, 0 },
                { DEFAULT_PROFILE, call_unshare, EPERM },
                { DEFAULT_PROFILE, call_clone3, ENOSYS },
                { DEFAULT_PROFILE, call_unknown, ENOSYS },
                { DEFAULT_PROFILE, call_vsock, EPERM },
                { DEFAULT_PROFILE, call_unix, 0 },
                { DEFAULT_PROFILE, call_personality, EPERM },
                { DEFAULT_PROFILE, call_mount, EPERM },
                { DEFAULT_PROFILE | 1ull << CAP_SYS_ADMIN, call_unshare, 0 },
                { DEFAULT_PROFILE | 1ull << CAP_SYS_ADMIN, call_mount, ENOENT },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const struct seccomp_filter *filter;

                assert_int_equal(seccomp_runtime_default(cases[i].bounding, &filter, NULL), 0);
                assert_int_equal(errno_under(filter, cases[i].call), cases[i].error);
        }
}

static void test_a_filter_is_compiled_once(void **state) {
        const struct seccomp_filter *a, *b, *c;

        assert_int_equal(seccomp_runtime_default(1, &a, NULL), 0);
        assert_int_equal(seccomp_runtime_default(1, &b, NULL), 0);
        assert_int_equal(seccomp_runtime_default(3, &c, NULL), 0);
        assert_ptr_equal(a, b);
        assert_ptr_not_equal(a, c);
}

static void test_profiles(void **state) {
        static const struct {
                const char *json;
                uint64_t bounding;
                long (*call)(void);
                int error;
        } cases[] = {
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"unshare\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\",\"errnoRet\":5}]}",
                  0, call_unshare, 5 },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"unshare\",\"action\":\"SCMP_ACT_"
                  "KILL_PROCESS\"}]}",
                  0, call_unshare, 255 },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"unshare\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\","
                  "\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}]}",
                  1ull << CAP_SYS_ADMIN, call_unshare, 0 },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"unshare\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\","
                  "\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}]}",
                  0, call_unshare, 0 },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\","
                  "\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
                  0, call_unix, EPERM },
                { "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpid\","
                  "\"no_such_call\"],"
                  "\"action\":\"SCMP_ACT_ERRNO\"}]}}}",
                  0, call_getpid, EPERM },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const struct seccomp_filter *filter;

                assert_int_equal(seccomp_profile_compile("p", cases[i].json, strlen(cases[i].json), cases[i].bounding,
                                                         &filter, NULL),
                                 0);
                assert_int_equal(errno_under(filter, cases[i].call), cases[i].error);
        }
}

static void test_refusals(void **state) {
        static const struct {
                const char *json, *says;
        } cases[] = {
                { "{", "p:" },
                { "[]", "not a map" },
                { "{}", "defaultAction is missing" },
                { "{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "\"SCMP_ACT_MAYBE\" is not supported" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}", "listenerPath: not supported" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":\"x\"}", "syscalls: expected a list of maps" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":\"read\"}]}",
                  "syscalls[0].names: expected" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":4096}", "from 0 to 4095, found 4096" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", "flag \"X\"" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\","
                  "\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
                  "0 to 5" },
                { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_"
                  "ERRNO\","
                  "\"args\":[{\"index\":0,\"value\":1,\"op\":\"==\"}]}]}",
                  "operator \"==\"" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const struct seccomp_filter *filter = (void *)42;
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(seccomp_profile_compile("p", cases[i].json, strlen(cases[i].json), 0, &filter, &err),
                                 strstr(cases[i].says, ": not supported") ? -ENOTSUP : -EINVAL);
                assert_non_null(strstr(err_text(err), cases[i].says));
                assert_ptr_equal(filter, (void *)42);
        }
}

static void test_capabilities(void **state) {
        _cleanup_err_ struct err *err = NULL;
        uint64_t mask;

        assert_int_equal(capability_default(), DEFAULT_PROFILE);
        assert_int_equal(capability_parse("net_admin", &mask, NULL), 0);
        assert_int_equal(mask, 1u << CAP_NET_ADMIN);
        assert_int_equal(capability_parse("CAP_CHOWN", &mask, NULL), 0);
        assert_int_equal(mask, 1);
        assert_int_equal(capability_parse("all", &mask, NULL), 0);
        assert_int_equal(mask, capability_all());
        assert_int_equal(capability_parse("CAP_FLY", &mask, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "CAP_FLY"));
        assert_string_equal(capability_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
        assert_null(capability_name(64));
}

/* Written for another runtime and read again, a profile gives the very same program. */
static void test_oci_round_trip(void **state) {
        static const char profile[] =
                "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
                "\"syscalls\":["
                "{\"names\":[\"read\",\"nosuchcall\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":2114060288,"
                "\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
                "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},{\"names\":[\"bpf\"],\"action\":\"SCMP_"
                "ACT_TRAP\"}]}";
        char path[] = "/tmp/seccomp-oci-XXXXXX";
        int fd = mkstemp(path);

        (void)state;
        assert_int_equal(write(fd, profile, sizeof(profile) - 1), sizeof(profile) - 1);
        close(fd);
        for (int i = 0; i < 3; i++) {
                const uint64_t bounding = i == 1 ? capability_all() : DEFAULT_PROFILE;
                const struct seccomp_filter *direct, *again;
                struct err *err = NULL;
                char *json;

                assert_int_equal(i == 2 ? seccomp_profile_load(path, bounding, &direct, &err) :
                                          seccomp_runtime_default(bounding, &direct, &err),
                                 0);
                assert_int_equal(seccomp_oci(i == 2 ? path : NULL, bounding, &json, &err), 0);
                assert_int_equal(seccomp_profile_compile("again", json, strlen(json), bounding, &again, &err), 0);
                assert_int_equal(direct->size, again->size);
                assert_memory_equal(direct->program, again->program, direct->size);
                assert_int_equal(direct->flags, again->flags);
                assert_null(strstr(json, "nosuchcall"));
                free(json);
        }
        unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_runtime_default), cmocka_unit_test(test_a_filter_is_compiled_once),
                cmocka_unit_test(test_profiles),        cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_capabilities),    cmocka_unit_test(test_oci_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
