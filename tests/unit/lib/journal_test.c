#include "lib/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/journal-test-XXXXXX";
static char path[64];
static int server = -EBADF;

static int setup(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/socket", dir);
        strcpy(address.sun_path, path);
        server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
        return 0;
}

static int teardown(void **state) {
        close(server);
        unlink(path);
        rmdir(dir);
        return 0;
}

/* The datagram's fields as NAME=VALUE lines: as journald reads them. */
static void receive(char *ret, size_t size) {
        char data[8192];
        ssize_t n = recv(server, data, sizeof(data), MSG_DONTWAIT);
        size_t used = 0;

        assert_true(n > 0);
        for (char *p = data, *end = data + n; p < end;) {
                char *line = memchr(p, '\n', (size_t)(end - p));
                uint64_t length;

                assert_non_null(line);
                if (memchr(p, '=', (size_t)(line - p))) {
                        used += (size_t)snprintf(ret + used, size - used, "%.*s\n", (int)(line - p), p);
                        p = line + 1;
                        continue;
                }
                memcpy(&length, line + 1, sizeof(length));
                assert_true(line + 9 + length < end && line[9 + length] == '\n');
                used += (size_t)snprintf(ret + used, size - used, "%.*s=%.*s\n", (int)(line - p), p, (int)length,
                                         line + 9);
                p = line + 9 + length + 1;
        }
}

static void test_fields(void **state) {
        static const struct {
                const char *text, *fields;
        } cases[] = {
                { "plain", "" },
                { "pod default/web: gone", "POD_NAMESPACE=default\nPOD_NAME=web\n" },
                { "pod default/web: container main: Started",
                  "POD_NAMESPACE=default\nPOD_NAME=web\nCONTAINER_NAME=main\n" },
                { "container " ID ": no room", "CONTAINER_ID=" ID "\n" },
                { "sandbox " ID ": no room", "POD_SANDBOX_ID=" ID "\n" },
                { "sandbox " ID " has no record", "" },
                { "pod default/web is odd", "" },
                { "pod a\nPRIORITY=0\n/b: x", "" },
                { "two\nlines", "" },
        };
        int fd = journal_open(path);

        assert_true(fd >= 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char got[8192], want[8192];

                assert_int_equal(journal_send(fd, "agent", 4, cases[i].text), 0);
                receive(got, sizeof(got));
                snprintf(want, sizeof(want), "PRIORITY=4\nSYSLOG_IDENTIFIER=agent\nMESSAGE=%s\n%s", cases[i].text,
                         cases[i].fields);
                assert_string_equal(got, want);
        }
        close(fd);
}

static void test_longest_field(void **state) {
        char text[2 * JOURNAL_FIELD_MAX + 32], got[8192];
        int fd = journal_open(path);

        for (size_t length = JOURNAL_FIELD_MAX; length <= JOURNAL_FIELD_MAX + 1; length++) {
                snprintf(text, sizeof(text), "pod a/%0*d: x", (int)length, 0);
                assert_int_equal(journal_send(fd, "agent", 6, text), 0);
                receive(got, sizeof(got));
                assert_int_equal(strstr(got, "POD_NAME=") != NULL, length == JOURNAL_FIELD_MAX);
        }
        close(fd);
}

static void test_refusals(void **state) {
        char longest[200] = "";

        memset(longest, 'x', sizeof(longest) - 1);
        assert_int_equal(journal_open("/nowhere/socket"), -ENOENT);
        assert_int_equal(journal_open(longest), -ENAMETOOLONG);
}

static void test_stderr_is_told_apart(void **state) {
        struct stat st;
        char text[64];

        unsetenv("JOURNAL_STREAM");
        assert_false(journal_is_stderr());
        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        setenv("JOURNAL_STREAM", text, 1);
        assert_true(journal_is_stderr());
        setenv("JOURNAL_STREAM", "8:1", 1);
        assert_false(journal_is_stderr());
        setenv("JOURNAL_STREAM", "x", 1);
        assert_false(journal_is_stderr());
}

/* As the agent does it: lines of the log go there whole, with their level. */
static void test_log(void **state) {
        char got[8192];

        log_init("agent", LOG_LEVEL_INFO);
        assert_int_equal(log_to_journal(path), 0);
        log_warning("pod %s/%s: late", "default", "web");
        receive(got, sizeof(got));
        assert_string_equal(got, "PRIORITY=4\nSYSLOG_IDENTIFIER=agent\nMESSAGE=pod default/web: "
                                 "late\nPOD_NAMESPACE=default\nPOD_NAME=web\n");
        log_debug("not wanted");
        assert_true(recv(server, got, sizeof(got), MSG_DONTWAIT) < 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fields),   cmocka_unit_test(test_longest_field),
                cmocka_unit_test(test_refusals), cmocka_unit_test(test_stderr_is_told_apart),
                cmocka_unit_test(test_log),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
