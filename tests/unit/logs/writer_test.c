#include "logs/writer.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "scratch.h"

static struct scratch dir;
static struct logs_arena arena;

static int setup(void **state) {
        scratch_make(&dir);
        return 0;
}

static int teardown(void **state) {
        logs_arena_release(&arena);
        scratch_remove(&dir);
        return 0;
}

/* "2026-11-21T10:47:15.123456789Z " */
#define TIME_SIZE 31

/* The log with each line's time cut off, after a look at its form. */
static char *without_times(const char *log) {
        char *out = calloc(1, strlen(log) + 1), *p = out;

        while (*log) {
                const char *end = strchr(log, '\n');

                assert_non_null(end);
                assert_true(end - log > TIME_SIZE);
                assert_true(log[4] == '-' && log[10] == 'T' && log[19] == '.' && log[29] == 'Z' && log[30] == ' ');
                p = mempcpy(p, log + TIME_SIZE, (size_t)(end + 1 - (log + TIME_SIZE)));
                log = end + 1;
        }
        return out;
}

static void assert_log(const char *name, const char *expected) {
        _cleanup_free_ char *log = scratch_read(&dir, name, NULL);
        _cleanup_free_ char *plain = NULL;

        assert_non_null(log);
        plain = without_times(log);
        assert_string_equal(plain, expected);
}

/* What is printed, piece by piece with the shim reading after each, and what is logged after the end. */
static const struct {
        const char *pieces[4];
        const char *logged;
} lines[] = {
        { { "one\n" }, "stdout F one\n" },
        { { "one\ntwo\n\nthree\n" }, "stdout F one\nstdout F two\nstdout F \nstdout F three\n" },
        { { "o", "n", "e\ntw", "o\n" }, "stdout F one\nstdout F two\n" },
        { { "no end" }, "stdout P no end\n" },
        { { "one\nno", " end" }, "stdout F one\nstdout P no end\n" },
        { { "crlf\r\n" }, "stdout F crlf\r\n" },
        { { "\n", "\n" }, "stdout F \nstdout F \n" },
        { { "" }, "" },
        { { "fifteen letters\nsixteen letters!\nseventeen letters\n" },
          "stdout F fifteen letters\nstdout F sixteen letters!\nstdout F seventeen letters\n" },
};

static void test_lines(void **state) {
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                struct logs_writer w;
                struct logs_stream s;
                int p[2];

                unlinkat(dir.fd, "0.log", 0);
                assert_int_equal(pipe(p), 0);
                assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
                logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
                for (size_t j = 0; j < 4 && lines[i].pieces[j]; j++) {
                        size_t n = strlen(lines[i].pieces[j]);

                        assert_int_equal(write(p[1], lines[i].pieces[j], n), n);
                        assert_int_equal(logs_stream_read(&s, &arena), LOGS_IDLE);
                        logs_arena_release(&arena);
                }
                close(p[1]);
                assert_int_equal(logs_stream_read(&s, &arena), LOGS_ENDED);
                logs_stream_end(&s, &arena);
                close(p[0]);
                logs_writer_close(&w);
                assert_log("0.log", lines[i].logged);
        }
}

/* The limit of a line, and one past it. */
static const struct {
        size_t size;
        bool newline;
        size_t entries;
        size_t first;
        char first_tag, last_tag;
} lengths[] = {
        { LOGS_LINE_MAX, true, 1, LOGS_LINE_MAX, 'F', 'F' },
        { LOGS_LINE_MAX, false, 1, LOGS_LINE_MAX, 'P', 'P' },
        { LOGS_LINE_MAX + 1, true, 2, LOGS_LINE_MAX, 'P', 'F' },
        { LOGS_LINE_MAX + 1, false, 2, LOGS_LINE_MAX, 'P', 'P' },
        { 60000, true, 4, LOGS_LINE_MAX, 'P', 'F' },
};

static void test_lengths(void **state) {
        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_free_ char *text = malloc(lengths[i].size + 1), *log = NULL, *plain = NULL;
                size_t entries = 0, sum = 0;
                struct logs_writer w;
                struct logs_stream s;
                int p[2];

                memset(text, 'x', lengths[i].size);
                text[lengths[i].size] = '\n';
                unlinkat(dir.fd, "0.log", 0);
                assert_int_equal(pipe(p), 0);
                assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
                logs_stream_init(&s, p[0], LOGS_STDERR, &w);
                assert_int_equal(write(p[1], text, lengths[i].size + lengths[i].newline),
                                 lengths[i].size + lengths[i].newline);
                close(p[1]);
                logs_stream_end(&s, &arena);
                close(p[0]);
                logs_writer_close(&w);

                log = scratch_read(&dir, "0.log", NULL);
                plain = without_times(log);
                assert_int_equal(plain[7], lengths[i].first_tag);
                assert_int_equal(strchr(plain, '\n') - plain - 9, lengths[i].first);
                for (const char *line = plain, *end; *line; line = end + 1, entries++) {
                        end = strchr(line, '\n');
                        assert_memory_equal(line, "stderr ", 7);
                        if (!end[1])
                                assert_int_equal(line[7], lengths[i].last_tag);
                        sum += (size_t)(end - line) - 9;
                }
                assert_int_equal(entries, lengths[i].entries);
                assert_int_equal(sum, lengths[i].size);
        }
}

/* Prints numbered lines of 100 bytes as fast as it can. */
static pid_t print_lines(int fd, unsigned n) {
        pid_t pid = fork();

        if (pid == 0) {
                char *block = malloc(100 * 1000 + 1);

                for (unsigned i = 0; i < n; i += 1000) {
                        for (unsigned j = 0; j < 1000; j++)
                                snprintf(block + j * 100, 101, "%09u %089u\n", i + j, 0);
                        for (size_t done = 0; done < 100 * 1000;) {
                                ssize_t w = write(fd, block + done, 100 * 1000 - done);

                                if (w <= 0)
                                        _exit(1);
                                done += (size_t)w;
                        }
                }
                _exit(0);
        }
        return pid;
}

static void test_rotation_loses_nothing(void **state) {
        const unsigned n = 50000;
        unsigned next = 0;
        struct logs_writer w;
        struct logs_stream s;
        char *names[64];
        size_t n_names;
        int p[2], status;
        pid_t pid;

        assert_int_equal(pipe(p), 0);
        assert_int_equal(
                logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ .size = 500000, .files = 40 }, -EBADF), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        pid = print_lines(p[1], n);
        close(p[1]);
        while (logs_stream_read(&s, &arena) != LOGS_ENDED)
                ;
        logs_stream_end(&s, &arena);
        logs_writer_close(&w);
        close(p[0]);
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);

        n_names = scratch_list(&dir, names);
        assert_true(n_names >= 14 && n_names <= 16);
        /* "0.log" sorts first and is the youngest. */
        for (size_t i = 1; i <= n_names; i++) {
                size_t size;
                _cleanup_free_ char *text = scratch_read(&dir, names[i % n_names], &size);

                assert_true(size <= 500000);
                for (const char *line = text; *line; line = strchr(line, '\n') + 1)
                        assert_int_equal(strtoul(line + TIME_SIZE + 9, NULL, 10), next++);
        }
        assert_int_equal(next, n);
        for (size_t i = 0; i < n_names; i++)
                free(names[i]);
}

static void print(struct logs_stream *s, int fd, const char *text) {
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        logs_stream_read(s, &arena);
}

static void test_rotation_keeps_count(void **state) {
        struct logs_writer w;
        struct logs_stream s;
        char *names[64];
        size_t n;
        int p[2];

        scratch_write(&dir, "0.logs.20260101-000000", "another's");
        scratch_write(&dir, "0.log.20200101-000000.gz", "the oldest");
        assert_int_equal(pipe(p), 0);
        assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ .size = 60, .files = 3 }, -EBADF),
                         0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        for (unsigned i = 0; i < 9; i++)
                print(&s, p[1], "one line of text\n");
        close(p[1]);
        logs_stream_end(&s, &arena);
        logs_writer_close(&w);
        close(p[0]);
        n = scratch_list(&dir, names);
        assert_int_equal(n, 4); /* three of ours and another's */
        assert_string_equal(names[0], "0.log");
        for (size_t i = 0; i < n; i++)
                free(names[i]);
}

static void test_reopen(void **state) {
        struct logs_writer w;
        struct logs_stream s;
        int p[2];

        assert_int_equal(pipe(p), 0);
        assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        print(&s, p[1], "one\ntw");
        assert_int_equal(renameat(dir.fd, "0.log", dir.fd, "0.log.20260101-000000"), 0);
        print(&s, p[1], "o\n");
        assert_int_equal(logs_writer_reopen(&w), 0);
        print(&s, p[1], "three\n");
        close(p[1]);
        logs_stream_end(&s, &arena);
        logs_writer_close(&w);
        close(p[0]);
        assert_log("0.log.20260101-000000", "stdout F one\nstdout F two\n");
        assert_log("0.log", "stdout F three\n");
}

/* What a file holds when it is opened, and what is left of it. */
static const struct {
        const char *before, *after;
} torn[] = {
        { "", "" },
        { "2026-11-21T10:47:15.123456789Z stdout F whole\n", "2026-11-21T10:47:15.123456789Z stdout F whole\n" },
        { "2026-11-21T10:47:15.123456789Z stdout F whole\n2026-11-21T1",
          "2026-11-21T10:47:15.123456789Z stdout F whole\n" },
        { "2026-11-21T10:", "" },
};

static void test_torn(void **state) {
        for (size_t i = 0; i < ELEMENTS(torn); i++) {
                _cleanup_free_ char *log = NULL;
                struct logs_writer w;

                scratch_write(&dir, "0.log", torn[i].before);
                assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
                assert_int_equal(w.size, strlen(torn[i].after));
                logs_writer_close(&w);
                log = scratch_read(&dir, "0.log", NULL);
                assert_string_equal(log, torn[i].after);
        }
}

static void test_refusals(void **state) {
        static const struct {
                const char *name;
                int error;
        } names[] = { { "", EINVAL },    { "a/b", EINVAL }, { "..", EINVAL },
                      { "link", ELOOP }, { "fifo", ENXIO }, { "dir", EISDIR } };
        struct logs_writer w;

        assert_int_equal(symlinkat("/tmp/elsewhere", dir.fd, "link"), 0);
        assert_int_equal(mkfifoat(dir.fd, "fifo", 0600), 0);
        assert_int_equal(mkdirat(dir.fd, "dir", 0700), 0);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                assert_int_equal(logs_writer_open(&w, dir.fd, names[i].name, &(struct logs_limits){ 0 }, -EBADF),
                                 -names[i].error);
                assert_false(w.open);
        }
        unlinkat(dir.fd, "dir", AT_REMOVEDIR);
}

static size_t count(const char *text, const char *what) {
        size_t n = 0;

        for (const char *p = text; (p = strstr(p, what)); p++)
                n++;
        return n;
}

/* A file system of 64 KiB: lines that do not fit are counted, whole ones stay, and the log says so afterwards. */
static void full_disk(void) {
        struct scratch full = { .fd = -EBADF };
        _cleanup_free_ char *log = NULL, *after = NULL;
        struct logs_writer w;
        struct logs_stream s;
        char line[1001];
        uint64_t lost;
        int p[2], filler;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", dir.path, "tmpfs", 0, "size=64k") < 0)
                return;
        full.fd = open(dir.path, O_RDONLY | O_DIRECTORY);
        memset(line, 'x', 999);
        strcpy(line + 999, "\n");
        assert_int_equal(pipe(p), 0);
        assert_int_equal(logs_writer_open(&w, full.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        filler = openat(full.fd, "filler", O_WRONLY | O_CREAT, 0600);
        assert_int_equal(posix_fallocate(filler, 0, 32768), 0);
        for (unsigned i = 0; i < 60; i++)
                print(&s, p[1], line);
        assert_true(w.dropped_total > 20 && w.dropped_total < 40);
        lost = w.dropped;
        log = scratch_read(&full, "0.log", NULL);
        free(without_times(log)); /* only whole entries */
        assert_int_equal(ftruncate(filler, 0), 0);
        print(&s, p[1], "there is space again\n");
        assert_int_equal(w.dropped, 0);
        after = scratch_read(&full, "0.log", NULL);
        assert_int_equal(w.dropped_total + count(after, "stdout F xxx"), 60);
        snprintf(line, sizeof(line), " stderr F nacelle: %u lines of output lost here: No space left on device\n",
                 (unsigned)lost);
        assert_non_null(strstr(after, line));
        assert_non_null(strstr(after, "stdout F there is space again\n"));
        umount2(dir.path, MNT_DETACH);
}

static void test_full_disk(void **state) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                full_disk();
                _exit(0);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
}

static size_t tapped;

static void count_tapped(void *userdata, enum logs_stream_name name, const char *data, size_t size) {
        tapped += size;
}

static void test_without_log(void **state) {
        struct logs_stream s;
        int p[2];

        assert_int_equal(pipe(p), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, NULL);
        s.tap = count_tapped;
        print(&s, p[1], "seen by those who attach\n");
        assert_int_equal(tapped, 25);
        close(p[1]);
        logs_stream_end(&s, &arena);
        close(p[0]);
}

/* The large pipe is for those who need it. */
static void test_pipe_size(void **state) {
        struct logs_stream s;
        char *block = calloc(1, 65536);
        int p[2];

        assert_int_equal(pipe(p), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, NULL);
        print(&s, p[1], "quiet\n");
        assert_int_equal(fcntl(p[0], F_GETPIPE_SZ), 65536);
        assert_int_equal(write(p[1], block, 65536), 65536);
        logs_stream_read(&s, &arena);
        assert_int_equal(fcntl(p[0], F_GETPIPE_SZ), LOGS_PIPE_MAX);
        print(&s, p[1], "quiet\n");
        assert_int_equal(fcntl(p[0], F_GETPIPE_SZ), 65536);
        close(p[0]);
        close(p[1]);
        free(block);
}

/* More than the pipe takes, in one go behind the beginning of a line: its writer sleeps until somebody reads, and wakes
 * that one only where the pipe was empty before. */
static void test_full_pipe_behind_a_part(void **state) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET };
        _cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        const size_t size = 200000;
        struct logs_writer w;
        struct logs_stream s;
        int p[2], status;
        pid_t pid;

        assert_int_equal(pipe(p), 0);
        assert_int_equal(logs_writer_open(&w, dir.fd, "0.log", &(struct logs_limits){ 0 }, -EBADF), 0);
        logs_stream_init(&s, p[0], LOGS_STDOUT, &w);
        assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p[0], &event), 0);
        print(&s, p[1], "the beginning of a line");
        epoll_wait(epoll_fd, &event, 1, 0);
        pid = fork();
        if (pid == 0)
                _exit(write(p[1], calloc(1, size), size) != (ssize_t)size);
        close(p[1]);
        do
                assert_int_equal(epoll_wait(epoll_fd, &event, 1, 60000), 1);
        while (logs_stream_read(&s, &arena) != LOGS_ENDED);
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
        logs_stream_end(&s, &arena);
        close(p[0]);
        logs_writer_close(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotation_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotation_keeps_count, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_log, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pipe_size, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_pipe_behind_a_part, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
