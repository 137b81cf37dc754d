/* The first opening of a store, killed before each of its system calls: whatever the cut, the next one goes on. */
#include "store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define CUTS_MAX 2000 /* more system calls than an opening has */

static int open_in(const char *directory, struct store **ret_store, struct err **err) {
        return store_open(&store_sqlite, &(struct store_options){ .directory = directory }, ret_store, err);
}

static pid_t start_traced(const char *directory) {
        struct store *store;
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                raise(SIGSTOP);
                _exit(open_in(directory, &store, NULL) < 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        return pid;
}

/* Opens a store up to stop number @cut. Returns whether there is such a stop. */
static bool open_cut(const char *directory, unsigned cut) {
        pid_t pid = start_traced(directory);
        int status;

        for (;;) {
                ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status) || WIFSIGNALED(status)) {
                        assert_int_equal(status, 0);
                        return false;
                }
                assert_int_equal(WSTOPSIG(status), SIGTRAP | 0x80);
                if (--cut == 0) {
                        kill(pid, SIGKILL);
                        assert_int_equal(waitpid(pid, &status, 0), pid);
                        return true;
                }
        }
}

static void test_first_start(void **state) {
        unsigned cut = 1; /* of two stops, one is before a call and one after it: the same for the disk */

        (void)state;
        for (bool was = true; was; cut += 2) {
                char directory[] = "/tmp/nacelle-store-XXXXXX";
                struct store *store = NULL;
                _cleanup_err_ struct err *err = NULL;

                assert_true(cut < CUTS_MAX);
                assert_non_null(mkdtemp(directory));
                was = open_cut(directory, cut);
                if (open_in(directory, &store, &err) < 0)
                        fail_msg("cut at stop %u: %s", cut, err_text(err));
                store_close(store);
                assert_int_equal(files_remove_tree(directory, NULL), 0);
        }
        assert_true(cut > 50); /* it was cut in what it writes */
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_first_start) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
