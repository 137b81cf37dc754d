#include "lib/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What log_write() has written of @text, from the level on. */
static const char *logged(const char *text) {
        static char got[2 * LOG_LINE_MAX];
        int pipes[2], before = dup(STDERR_FILENO);
        ssize_t n;

        assert_int_equal(pipe(pipes), 0);
        dup2(pipes[1], STDERR_FILENO);
        log_error("%s", text);
        dup2(before, STDERR_FILENO);
        close(before);
        close(pipes[1]);
        n = read(pipes[0], got, sizeof(got) - 1);
        close(pipes[0]);
        assert_true(n > 0);
        got[n] = '\0';
        return strstr(got, "error ");
}

static void test_a_message_is_a_line(void **state) {
        assert_string_equal(logged("plain \xc3\xa4"), "error test: plain \xc3\xa4\n");
        assert_string_equal(logged("x\n2026-01-01T00:00:00.000Z info agent: forged"),
                            "error test: x 2026-01-01T00:00:00.000Z info agent: forged\n");
        assert_string_equal(logged("\r\033[2Ja\tb\x7f"), "error test: ??[2Ja b?\n");
}

static void test_long_messages_are_cut(void **state) {
        char text[2 * LOG_LINE_MAX];
        const char *got;

        memset(text, '\n', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        got = logged(text);
        assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

static void test_it_knows_that_nobody_reads(void **state) {
        int pipes[2], before = dup(STDERR_FILENO);
        bool blocked, at_first;

        assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
        dup2(pipes[1], STDERR_FILENO);
        at_first = log_is_blocked();
        while (write(pipes[1], "0123456789abcdef", 16) > 0)
                ;
        blocked = log_is_blocked();
        dup2(before, STDERR_FILENO);
        close(before);
        close(pipes[0]);
        close(pipes[1]);
        assert_false(at_first);
        assert_true(blocked);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_message_is_a_line),
                cmocka_unit_test(test_long_messages_are_cut),
                cmocka_unit_test(test_it_knows_that_nobody_reads),
        };

        unsetenv("JOURNAL_STREAM");
        log_init("test", LOG_LEVEL_INFO);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
