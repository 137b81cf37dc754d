/* The device filter in C and the one that cgroups/bpf.c writes in instructions decide alike, whatever the rules; and
 * what is embedded loads, or says why not. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <mntent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "bpf/devices.h"
#include "bpf/embedded.h"
#include "cgroups/bpf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define ROUNDS 60
#define RULES_MAX 6

static char top[256];
static int cgroups[2] = { -EBADF, -EBADF }; /* filtered in instructions; in C */
static struct bpf_object *object;
static struct cg_bpf_cache cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool find_cgroup2(char *ret_path, size_t size) {
        FILE *mounts = setmntent("/proc/self/mounts", "r");
        struct mntent *mount;
        bool found = false;

        while (mounts && !found && (mount = getmntent(mounts)))
                if (strcmp(mount->mnt_type, "cgroup2") == 0) {
                        snprintf(ret_path, size, "%s", mount->mnt_dir);
                        found = true;
                }
        if (mounts)
                endmntent(mounts);
        return found;
}

static int set_up(void **state) {
        char mounted[128], path[300];

        if (geteuid() != 0 || !find_cgroup2(mounted, sizeof(mounted)) || !cg_bpf_usable(mounted))
                return 0;
        snprintf(top, sizeof(top), "%s/nacelle-bpf-test-%d", mounted, getpid());
        if (mkdir(top, 0755) < 0)
                return -1;
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%d", top, i);
                if (mkdir(path, 0755) < 0)
                        return -1;
                cgroups[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        return cgroups[1] < 0 ? -1 : 0;
}

static int tear_down(void **state) {
        char path[300];

        bpf_object__close(object);
        cg_bpf_cache_done(&cache);
        for (int i = 0; i < 2 && top[0]; i++) {
                close_fd(cgroups[i]);
                snprintf(path, sizeof(path), "%s/%d", top, i);
                rmdir(path);
        }
        return top[0] ? rmdir(top) : 0;
}

static void test_broken(void **state) {
        static const char text[64] = "no ELF";
        const struct bpf_embedded embedded = { "broken", text, sizeof(text) };
        _cleanup_err_ struct err *err = NULL;
        struct bpf_object *none = NULL;

        assert_true(bpf_embedded_load(&embedded, &none, &err) < 0);
        assert_null(none);
        assert_non_null(strstr(err_text(err), "eBPF object broken: "));
}

static void test_loads(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct bpf_program *program;

        if (!top[0])
                skip();
        if (bpf_embedded_load(&bpf_embedded_devices, &object, &err) < 0)
                fail_msg("%s", err_text(err));
        program = bpf_object__find_program_by_name(object, "nacelle_devices_c");
        assert_non_null(program);
        assert_int_equal(bpf_prog_attach(bpf_program__fd(program), cgroups[1], BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI),
                         0);
}

/* The largest numbers that a device can have. */
#define MAJOR_LAST 4095
#define MINOR_LAST 0xfffff

/* What a process in the cgroup may do, a bit for each try. Devices that are opened are null, and what has no driver. */
static uint64_t attempts(void) {
        static const unsigned majors[] = { 1, MAJOR_LAST }, minors[] = { 3, MINOR_LAST };
        static const mode_t types[] = { S_IFCHR, S_IFBLK };
        static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR };
        uint64_t allowed = 0;
        char name[64];
        int bit = 0;

        snprintf(name, sizeof(name), "/dev/nacelle-bpf-test-%d", getpid());
        for (int device = 0; device < 8; device++) {
                mode_t type = types[device & 1];
                dev_t number = makedev(majors[device >> 1 & 1], minors[device >> 2 & 1]);

                allowed |= (uint64_t)(mknod(name, type | 0600, number) == 0) << bit++;
                for (size_t i = 0; i < ELEMENTS(flags); i++) {
                        char other[80];
                        int fd;

                        snprintf(other, sizeof(other), "/dev/nacelle-bpf-%d-%d", getppid(), device);
                        fd = open(other, flags[i] | O_NONBLOCK);
                        allowed |= (uint64_t)(fd >= 0 || errno != EPERM) << bit++;
                        close_fd(fd);
                }
                unlink(name);
        }
        return allowed;
}

static void each_device(bool make) {
        for (int device = 0; device < 8; device++) {
                char name[80];

                snprintf(name, sizeof(name), "/dev/nacelle-bpf-%d-%d", getpid(), device);
                if (make)
                        assert_int_equal(
                                mknod(name, (device & 1 ? S_IFBLK : S_IFCHR) | 0600,
                                      makedev(device >> 1 & 1 ? MAJOR_LAST : 1, device >> 2 & 1 ? MINOR_LAST : 3)),
                                0);
                else
                        unlink(name);
        }
}

static uint64_t ask(int cgroup) {
        uint64_t allowed = 0;
        int ends[2], status;
        pid_t pid;

        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
                int fd = openat(cgroup, "cgroup.procs", O_WRONLY);

                if (fd < 0 || write(fd, "0", 1) != 1)
                        _exit(1);
                allowed = attempts();
                _exit(write(ends[1], &allowed, sizeof(allowed)) == sizeof(allowed) ? 0 : 2);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &allowed, sizeof(allowed)), sizeof(allowed));
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        return allowed;
}

static struct cgroup_device any_rule(void) {
        static const int64_t majors[] = { -1, 1, MAJOR_LAST, 7 }, minors[] = { -1, 3, MINOR_LAST, 9 };
        int access = rand() % 2 ? 7 : 1 + rand() % 7; /* mostly all of it, as in real ones */

        return (struct cgroup_device){ .allow = rand() % 3 > 0,
                                       .type = "abc"[rand() % 3],
                                       .major = majors[rand() % 4],
                                       .minor = minors[rand() % 4],
                                       .read = access & 1,
                                       .write = access & 2,
                                       .mknod = access & 4 };
}

/* The rules, as the C filter has them, stored for its cgroup. */
static void store(const struct cgroup_device *rules, uint32_t n) {
        struct bpf_cgroup_storage_key key = { .attach_type = BPF_CGROUP_DEVICE };
        static struct bpf_device_rules stored;
        struct stat st;

        for (uint32_t i = 0; i < n; i++)
                stored.rules[i] = (struct bpf_device_rule){
                        .type = rules[i].type == 'a' ? 0 :
                                rules[i].type == 'b' ? BPF_DEVCG_DEV_BLOCK :
                                                       BPF_DEVCG_DEV_CHAR,
                        .major = (uint32_t)rules[i].major,
                        .minor = (uint32_t)rules[i].minor,
                        .access = (uint16_t)((rules[i].mknod ? BPF_DEVCG_ACC_MKNOD : 0) |
                                             (rules[i].read ? BPF_DEVCG_ACC_READ : 0) |
                                             (rules[i].write ? BPF_DEVCG_ACC_WRITE : 0)),
                        .allow = rules[i].allow,
                };
        stored.n = n;
        assert_int_equal(fstat(cgroups[1], &st), 0);
        key.cgroup_inode_id = st.st_ino;
        assert_int_equal(
                bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "device_rules"), &key, &stored, BPF_EXIST),
                0);
}

static void test_alike(void **state) {
        struct cgroup_device rules[RULES_MAX];
        uint64_t seen = 0;

        if (!object)
                skip();
        each_device(true);
        srand(7);
        assert_int_equal(ask(cgroups[1]), 0); /* without rules */
        for (int round = 0; round < ROUNDS; round++) {
                uint32_t n = (uint32_t)(rand() % (RULES_MAX + 1));
                uint64_t in_c, in_instructions;

                for (uint32_t i = 0; i < n; i++)
                        rules[i] = any_rule();
                assert_int_equal(cg_bpf_attach(&cache, cgroups[0], rules, n, NULL), 0);
                store(rules, n);
                in_instructions = ask(cgroups[0]);
                in_c = ask(cgroups[1]);
                if (in_c != in_instructions)
                        fail_msg("round %d: %#llx in C, %#llx in instructions", round, (unsigned long long)in_c,
                                 (unsigned long long)in_instructions);
                seen |= in_c;
        }
        each_device(false);
        assert_int_equal(seen, 0xffffffff); /* each was allowed by some of the rules */
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_broken), cmocka_unit_test(test_loads),
                                            cmocka_unit_test(test_alike) };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
