#include "logs/reader.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "logs/entry.h"
#include "logs/writer.h"
#include "scratch.h"

static struct scratch dir;

static int setup(void **state) {
        scratch_make(&dir);
        return 0;
}

static int teardown(void **state) {
        scratch_remove(&dir);
        return 0;
}

static const struct {
        const char *line;
        int64_t time_ns; /* -1: not in the format */
        bool is_stderr, partial;
        const char *text;
} entries[] = {
        { "1970-01-01T00:00:01Z stdout F x", 1000000000, false, false, "x" },
        { "2026-11-21T10:47:15.123456789Z stderr P some text", 1795258035123456789, true, true, "some text" },
        { "2026-11-21T12:47:15.5+02:00 stdout F ", 1795258035500000000, false, false, "" },
        { "2024-02-29T23:59:59Z stdout F:tag:other  x", 1709251199000000000, false, false, " x" },
        { "1969-12-31T23:59:59Z stdout F x", -1000000000, false, false, "x" },
        { "", -1, false, false, NULL },
        { "2026-11-21T10:47:15Z stdout F", -1, false, false, NULL },
        { "2026-11-21T10:47:15Z stdout X text", -1, false, false, NULL },
        { "2026-11-21T10:47:15Z stdin F text", -1, false, false, NULL },
        { "2026-13-21T10:47:15Z stdout F text", -1, false, false, NULL },
        { "2026-11-21 10:47:15Z stdout F text", -1, false, false, NULL },
        { "2026-11-21T10:47:15.Z stdout F text", -1, false, false, NULL },
        { "2026-11-21T10:47:15.1234567890Z stdout F text", -1, false, false, NULL },
        { "2026-11-21T10:47:15 stdout F text", -1, false, false, NULL },
        { "9999-11-21T10:47:15Z stdout F text", -1, false, false, NULL },
};

static void test_entries(void **state) {
        for (size_t i = 0; i < ELEMENTS(entries); i++) {
                const char *line = entries[i].line;
                struct logs_line l;

                assert_int_equal(logs_line_parse(line, strlen(line), &l), entries[i].text != NULL);
                if (!entries[i].text)
                        continue;
                assert_int_equal(l.time_ns, entries[i].time_ns);
                assert_int_equal(l.is_stderr, entries[i].is_stderr);
                assert_int_equal(l.partial, entries[i].partial);
                assert_string_equal(line + l.text_at, entries[i].text);
        }
}

/* Everything the reader has to give now. */
static char *read_all(struct logs_reader *reader) {
        char *text = calloc(1, 1 << 20);
        struct logs_entry e;
        size_t used = 0;

        while (logs_reader_next(reader, &e, NULL) > 0) {
                memcpy(text + used, e.data, e.size);
                used += e.size;
        }
        return text;
}

static void follow_text(struct logs_reader *reader, const char *expected) {
        _cleanup_free_ char *text = read_all(reader);

        assert_string_equal(text, expected);
}

static void append_text(const char *name, const char *text) {
        int fd = openat(dir.fd, name, O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

#define T(second) "2026-11-21T10:47:1" #second ".000000000Z"
#define NS(second) (1795258030000000000 + (second)*INT64_C(1000000000))

static void write_three_files(void) {
        scratch_write(&dir, "0.log.20261121-104700", T(0) " stdout F zero\n" T(1) " stderr F one\n");
        scratch_write(&dir, "0.log.20261121-104710.000000001",
                      T(2) " stdout P tw\n" T(2) " stdout F o\n" T(3) " stdout P th\n");
        scratch_write(&dir, "0.log",
                      T(3) " stdout F ree\nnot an entry\n" T(4) " stderr F four\n" T(5) " stdout P five");
        scratch_write(&dir, "0.log.20261121-104600.gz", "compressed");
        scratch_write(&dir, "0.log.20261121-104720.tmp", "on its way");
        scratch_write(&dir, "1.log", T(9) " stdout F another attempt\n");
}

static const struct {
        struct logs_options options;
        const char *text;
} choices[] = {
        { { .tail_lines = -1, .limit_bytes = -1 }, "zero\none\ntwo\nthree\nfour\n" },
        { { .tail_lines = 0, .limit_bytes = -1 }, "" },
        { { .tail_lines = 1, .limit_bytes = -1 }, "four\n" },
        { { .tail_lines = 2, .limit_bytes = -1 }, "three\nfour\n" },
        { { .tail_lines = 3, .limit_bytes = -1 }, "two\nthree\nfour\n" },
        { { .tail_lines = 4, .limit_bytes = -1 }, "one\ntwo\nthree\nfour\n" },
        { { .tail_lines = 9, .limit_bytes = -1 }, "zero\none\ntwo\nthree\nfour\n" },
        { { .tail_lines = 2, .limit_bytes = -1, .no_stdout = true }, "one\nfour\n" },
        { { .tail_lines = -1, .limit_bytes = -1, .no_stderr = true }, "zero\ntwo\nthree\n" },
        { { .tail_lines = -1, .limit_bytes = 7 }, "zero\non" },
        { { .tail_lines = -1, .limit_bytes = 0 }, "" },
        { { .tail_lines = -1, .limit_bytes = -1, .since_ns = NS(3) }, "three\nfour\n" },
        { { .tail_lines = 1, .limit_bytes = -1, .since_ns = NS(2) }, "four\n" },
        { { .tail_lines = 3, .limit_bytes = -1, .timestamps = true }, T(2) " two\n" T(3) " three\n" T(4) " four\n" },
};

static void test_choices(void **state) {
        write_three_files();
        for (size_t i = 0; i < ELEMENTS(choices); i++) {
                _cleanup_log_reader_ struct logs_reader *reader = NULL;
                _cleanup_free_ char *text = NULL;

                assert_int_equal(logs_reader_open(dir.fd, "0.log", &choices[i].options, &reader, NULL), 0);
                text = read_all(reader);
                assert_string_equal(text, choices[i].text);
        }
}

static void test_refusals(void **state) {
        static const struct {
                const char *name;
                int error;
                const char *says;
        } refusals[] = {
                { "none.log", ENOENT, "log none.log: No such file" },
                { "link.log", ELOOP, "log link.log" },
                { "a/b", EINVAL, "not a file name" },
                { "fifo.log", EINVAL, "log fifo.log" },
        };

        assert_int_equal(symlinkat("/etc/passwd", dir.fd, "link.log"), 0);
        assert_int_equal(mkfifoat(dir.fd, "fifo.log", 0600), 0);
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct logs_reader *reader = NULL;

                assert_int_equal(logs_reader_open(dir.fd, refusals[i].name, &LOGS_OPTIONS_ALL, &reader, &err),
                                 -refusals[i].error);
                assert_non_null(strstr(err_text(err), refusals[i].says));
                assert_null(reader);
        }
}

static void test_skipped(void **state) {
        _cleanup_log_reader_ struct logs_reader *reader = NULL;

        write_three_files();
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &LOGS_OPTIONS_ALL, &reader, NULL), 0);
        free(read_all(reader));
        assert_int_equal(logs_reader_skipped(reader), 1);
}

/* A rotation that was cut off between its two steps. */
static void test_two_names(void **state) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        _cleanup_free_ char *text = NULL;

        write_three_files();
        assert_int_equal(linkat(dir.fd, "0.log", dir.fd, "0.log.20261121-104730.000000001", 0), 0);
        options.tail_lines = 4;
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        text = read_all(reader);
        assert_string_equal(text, "one\ntwo\nthree\nfour\n");
}

static bool readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

/* Follows through rotations, among them several between two looks. */
static void test_follow(void **state) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        struct logs_arena arena = { 0 };
        struct logs_writer w;
        struct logs_stream s;
        unsigned next = 0;
        int p[2];

        options.follow = true;
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        assert_int_equal(pipe(p), 0);
        assert_int_equal(
                logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ .size = 200, .files = 100 }, -EBADF), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        for (unsigned i = 0; i < 200; i++) {
                struct logs_entry e;

                dprintf(p[1], "line %u\n", i);
                logs_stream_read(&s, &arena);
                if (i % 17 != 0)
                        continue;
                assert_true(readable(logs_reader_fd(reader)));
                while (logs_reader_next(reader, &e, NULL) > 0) {
                        char expected[32];

                        snprintf(expected, sizeof(expected), "line %u\n", next++);
                        assert_int_equal(e.size, strlen(expected));
                        assert_memory_equal(e.data, expected, e.size);
                }
                assert_int_equal(next, i + 1);
                assert_false(readable(logs_reader_fd(reader)));
        }
        close(p[1]);
        logs_stream_end(&s, &arena);
        close(p[0]);
        logs_writer_close(&w);
        logs_arena_release(&arena);
}

/* A writer that rotates at 100 KiB and keeps two files prints @n numbered lines as fast as it goes, and one more, @n,
 * once it was told to. */
static pid_t write_numbers(unsigned n, int go) {
        const struct logs_limits limits = { .size = 100 * 1024, .files = 2 };
        struct logs_arena arena = { 0 };
        struct logs_writer w;
        struct logs_stream s;
        pid_t pid = fork();
        int p[2];
        char c;

        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pipe(p) < 0 || logs_writer_open(&w, dir.fd, "0.log", &limits, -EBADF) < 0)
                _exit(1);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        for (unsigned i = 0; i < n; i++) {
                dprintf(p[1], "%u\n", i);
                if (i % 500 == 499)
                        logs_stream_read(&s, &arena);
        }
        logs_stream_read(&s, &arena);
        if (read(go, &c, 1) != 1)
                _exit(1);
        dprintf(p[1], "%u\n", n);
        logs_stream_read(&s, &arena);
        _exit(0);
}

static void follow_numbers(struct logs_reader *reader, unsigned from, unsigned to) {
        struct logs_entry e;

        while (from < to) {
                struct pollfd p = { .fd = logs_reader_fd(reader), .events = POLLIN };
                int r = logs_reader_next(reader, &e, NULL);

                assert_true(r >= 0);
                if (r == 0)
                        assert_int_equal(poll(&p, 1, 10000), 1);
                else
                        assert_int_equal(strtoul(e.data, NULL, 10), from++);
                if (from % 50000 == 1)
                        usleep(20000);
        }
        assert_false(logs_reader_missed(reader));
}

static size_t count_files(void) {
        char *names[64];
        size_t n = scratch_list(&dir, names);

        for (size_t i = 0; i < n; i++)
                free(names[i]);
        return n;
}

/* The directory is listed, a file found in the list and opened while the writer is several rotations further on: no
 * file is passed over, none is read twice, and a reader that is slower is waited for. What was kept for it goes with
 * the next output a second later. */
static void test_follow_keeps_up(void **state) {
        const unsigned n = 300000;
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        int go[2], status;
        pid_t pid;

        options.follow = true;
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        assert_int_equal(pipe(go), 0);
        pid = write_numbers(n, go[0]);
        follow_numbers(reader, 0, n);
        sleep(1);
        assert_int_equal(write(go[1], "", 1), 1);
        follow_numbers(reader, n, n + 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(count_files(), 2);
        close(go[0]);
        close(go[1]);
}

/* A log that is not read on is not kept for longer than LOGS_BEHIND_SECONDS, and the reader is told. */
static void test_held_for_a_while(void **state) {
        const struct timespec times[2] = { { .tv_sec = time(NULL) - LOGS_BEHIND_SECONDS - 1 },
                                           { .tv_sec = time(NULL) - LOGS_BEHIND_SECONDS - 1 } };
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        struct logs_arena arena = { 0 };
        struct logs_writer w;
        struct logs_stream s;
        struct logs_entry e;
        char *names[64];
        int p[2];

        assert_int_equal(pipe(p), 0);
        assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ .size = 60, .files = 2 }, -EBADF),
                         0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        options.follow = true;
        for (unsigned i = 0; i < 10; i++) {
                dprintf(p[1], "line %u\n", i);
                logs_stream_read(&s, &arena);
                if (i == 0)
                        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        }
        assert_int_equal(count_files(), 10);
        assert_int_equal(scratch_list(&dir, names), 10);
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(utimensat(dir.fd, names[i], times, 0), 0);
                free(names[i]);
        }
        dprintf(p[1], "line 10\n");
        logs_stream_read(&s, &arena);
        assert_int_equal(count_files(), 2);
        assert_int_equal(logs_reader_next(reader, &e, NULL), 1);
        assert_memory_equal(e.data, "line 0\n", e.size);
        assert_false(logs_reader_missed(reader));
        assert_int_equal(logs_reader_next(reader, &e, NULL), 1);
        assert_true(logs_reader_missed(reader));
        assert_memory_equal(e.data, "line 9\n", e.size);
        assert_int_equal(logs_reader_next(reader, &e, NULL), 1);
        assert_memory_equal(e.data, "line 10\n", e.size);
        assert_false(logs_reader_missed(reader));
        logs_writer_close(&w);
        logs_arena_release(&arena);
        close(p[0]);
        close(p[1]);
}

/* A caller of the CRI renames the log, which is written to until it is opened anew. */
static void test_rename_and_reopen(void **state) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;

        scratch_write(&dir, "0.log", T(1) " stdout F one\n");
        options.follow = true;
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        follow_text(reader, "one\n");
        assert_int_equal(renameat(dir.fd, "0.log", dir.fd, "0.log.20261121-104711"), 0);
        follow_text(reader, "");
        append_text("0.log.20261121-104711", T(2) " stdout F two\n");
        scratch_write(&dir, "0.log", T(3) " stdout F three\n");
        follow_text(reader, "two\nthree\n");
}

/* A line longer than any buffer comes in pieces, and a tail ends before it. */
static void test_long_line(void **state) {
        const size_t n = 700000;
        _cleanup_free_ char *line = malloc(n + 100), *text = NULL;
        struct logs_options options = LOGS_OPTIONS_ALL;
        struct logs_reader *reader = NULL;
        char *p = stpcpy(line, T(1) " stdout F ");

        memset(p, 'x', n);
        strcpy(p + n, "\n" T(2) " stdout F short\n");
        scratch_write(&dir, "0.log", line);
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        text = read_all(reader);
        assert_int_equal(strlen(text), n + 1 + 6);
        assert_string_equal(text + n, "\nshort\n");
        logs_reader_free(reader);

        options.tail_lines = 1;
        free(text);
        assert_int_equal(logs_reader_open(dir.fd, "0.log", &options, &reader, NULL), 0);
        text = read_all(reader);
        assert_string_equal(text, "short\n");
        logs_reader_free(reader);
}

static void test_tail_text(void **state) {
        static const struct {
                int64_t lines;
                size_t bytes;
                const char *text;
        } tails[] = {
                { 80, 2048, "zero\none\ntwo\nthree\nfour\n" },
                { 2, 2048, "three\nfour\n" },
                { 80, 7, "e\nfour\n" },
                { 80, 5, "four\n" },
                { 80, 3, "ur\n" },
        };
        _cleanup_free_ char *none = NULL;

        write_three_files();
        for (size_t i = 0; i < ELEMENTS(tails); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(logs_tail(dir.fd, "0.log", tails[i].lines, tails[i].bytes, &text, NULL), 0);
                assert_string_equal(text, tails[i].text);
        }
        assert_int_equal(logs_tail(dir.fd, "7.log", 80, 2048, &none, NULL), 0);
        assert_string_equal(none, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_entries),
                cmocka_unit_test_setup_teardown(test_choices, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_skipped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_follow_keeps_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_held_for_a_while, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rename_and_reopen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tail_text, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
