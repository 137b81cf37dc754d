#include "lib/mapping_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Two pages of a file, the second of which is cut off. */
static const volatile char *map_cut(int *ret_fd) {
        long page = sysconf(_SC_PAGESIZE);
        const volatile char *map;

        *ret_fd = memfd_create("cut", MFD_CLOEXEC);
        assert_int_equal(ftruncate(*ret_fd, 2 * page), 0);
        assert_int_equal(pwrite(*ret_fd, "first", 5, 0), 5);
        map = mmap(NULL, (size_t)(2 * page), PROT_READ, MAP_SHARED, *ret_fd, 0);
        assert_ptr_not_equal(map, MAP_FAILED);
        assert_int_equal(ftruncate(*ret_fd, page), 0);
        return map;
}

static void test_what_was_cut_is_zeros(void **state) {
        long page = sysconf(_SC_PAGESIZE);
        struct mapping_guard guard, inner;
        sigset_t all, now;
        int fd;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL); /* as threads of pools have it */
        for (int i = 0; i < 2; i++) {
                const volatile char *map = map_cut(&fd);

                mapping_guard_enter(&guard);
                mapping_guard_enter(&inner);
                mapping_guard_leave(&inner);
                assert_int_equal(map[0], 'f');
                assert_int_equal(map[page], 0);
                assert_int_equal(map[2 * page - 1], 0);
                mapping_guard_leave(&guard);
                munmap((void *)(uintptr_t)map, (size_t)(2 * page));
                close(fd);
        }
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        assert_true(sigismember(&now, SIGBUS));
        sigemptyset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* Nobody else's fault is hidden. */
static void test_others_end_as_before(void **state) {
        struct rlimit none = { 0 };
        struct mapping_guard guard;
        pid_t pid = fork();
        int fd, status;

        if (pid == 0) {
                const volatile char *map = map_cut(&fd);

                setrlimit(RLIMIT_CORE, &none);
                signal(SIGBUS, SIG_DFL);
                mapping_guard_enter(&guard);
                mapping_guard_leave(&guard);
                _exit(map[sysconf(_SC_PAGESIZE)]);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_others_end_as_before),
                cmocka_unit_test(test_what_was_cut_is_zeros),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
