#include "lib/environment.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"

#define WORDS_MAX 8
#define MANY 200000

static void test_merge(void **state) {
        static const struct {
                const char *list[WORDS_MAX], *merged[WORDS_MAX];
        } rows[] = {
                { { NULL }, { NULL } },
                { { "A=1" }, { "A=1" } },
                { { "A=1", "A=2" }, { "A=2" } },
                { { "A=1", "B=1", "A=2", "C=", "B=3", "A=3" }, { "A=3", "B=3", "C=" } },
                { { "AB=1", "A=1", "ABC=1", "A=2" }, { "AB=1", "A=2", "ABC=1" } },
                { { "A", "A=1", "B=1", "B" }, { "A=1", "B" } },
                { { "=1", "", "=2" }, { "=2" } },
                { { "A=x=y", "A==" }, { "A==" } },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const char *list[WORDS_MAX];
                size_t n = 0, left = 0;

                for (; n < WORDS_MAX && rows[i].list[n]; n++)
                        list[n] = rows[i].list[n];
                while (left < WORDS_MAX && rows[i].merged[left])
                        left++;
                assert_int_equal(environment_merge(list, n), left);
                for (size_t j = 0; j < left; j++)
                        assert_string_equal(list[j], rows[i].merged[j]);
        }
}

/* Every name twice: what takes as many comparisons as there are pairs takes minutes. */
static void test_many(void **state) {
        char(*texts)[48] = malloc(MANY * sizeof(*texts));
        const char **list = malloc(MANY * sizeof(*list));
        struct timespec begin, end;

        (void)state;
        assert_true(texts && list);
        for (size_t i = 0; i < MANY; i++) {
                snprintf(texts[i], sizeof(texts[i]), "V%zu=%zu", i % (MANY / 2), i);
                list[i] = texts[i];
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        assert_int_equal(environment_merge(list, MANY), MANY / 2);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        assert_true(end.tv_sec - begin.tv_sec < 5);
        for (size_t i = 0; i < MANY / 2; i++)
                assert_ptr_equal(list[i], texts[i + MANY / 2]);
        free(texts);
        free(list);
}

/* What a program is given by the kernel, at the maximum and one past it. */
static int run_with(size_t size) {
        static char *arguments[] = { (char *)(uintptr_t) "/bin/true", NULL };
        char **environment = calloc(size / 1000 + 3, sizeof(*environment));
        size_t n = 0, used = environment_exec_size((const char *const *)arguments, 1) + sizeof("/bin/true");
        int status;
        pid_t pid;

        for (assert_non_null(environment); used < size; n++) {
                size_t length = size - used > 100000 ? 50000 : size - used > 65536 ? 40000 : size - used;

                if (length < 10)
                        break;
                environment[n] = calloc(1, length - sizeof(char *));
                assert_non_null(environment[n]);
                memset(environment[n], 'x', length - sizeof(char *) - 1);
                used += length;
        }
        pid = fork();
        if (pid == 0) {
                execve(arguments[0], arguments, environment);
                _exit(errno == E2BIG ? 7 : 8);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        for (size_t i = 0; i < n; i++)
                free(environment[i]);
        free(environment);
        return WEXITSTATUS(status);
}

static void test_maximum(void **state) {
        static const rlim_t stacks[] = { 256 << 10, 1 << 20, 8 << 20, 16 << 20, 64 << 20 };
        struct rlimit before, limit;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_STACK, &before), 0);
        for (size_t i = 0; i < ELEMENTS(stacks); i++) {
                limit = (struct rlimit){ stacks[i], before.rlim_max };
                if (setrlimit(RLIMIT_STACK, &limit) < 0)
                        continue;
                assert_int_equal(run_with(environment_exec_max() - 256), 0);
                assert_int_equal(run_with(environment_exec_max() + 4096), 7);
        }
        assert_int_equal(setrlimit(RLIMIT_STACK, &before), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_merge),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_maximum),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
