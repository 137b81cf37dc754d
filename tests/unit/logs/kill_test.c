/* A reader that is killed before and after each of its system calls, and at each of its stores to the journal: whatever
 * the cut, the next one ends with the log that an undisturbed reader writes. */
#include "logs/writer_journal.h"

#include <errno.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "scratch.h"

/* "2026-11-21T10:47:15.123456789Z " */
#define TIME_SIZE 31
#define PIECES_MAX 6
#define CUTS_MAX 2000 /* more system calls than any case has */
#define CUTS_AFTER 60 /* of the second reader: its start and what it makes up for */

struct piece {
        const char *text;
        size_t size;
        size_t times; /* printed so many times over */
};
#define PIECE(text, times)                                                                                             \
        { text, sizeof(text) - 1, times }

/* What a container prints; the reader comes to rest between the pieces. */
static const struct print {
        const char *name;
        struct logs_limits limits;
        enum { PIPE, PIPES, TERMINAL } from; /* PIPES: stdout and stderr take turns */
        struct piece pieces[PIECES_MAX];
} prints[] = {
        { "the same line", { 0 }, PIPE, { PIECE("tick\n", 3), PIECE("tick\n", 1), PIECE("tick\n", 2) } },
        { "lines in parts",
          { 0 },
          PIPE,
          { PIECE("a", 1), PIECE("a", 2), PIECE("a\na", 1), PIECE("\n", 1), PIECE("a", 1) } },
        { "binary", { 0 }, PIPE, { PIECE("\0\n\0", 2), PIECE("\xff\r\n\0\0", 2), PIECE("\0", 1) } },
        { "parts of more than a page", { 0 }, PIPE, { PIECE("long ", 1200), PIECE("long ", 1200), PIECE("\n", 2) } },
        { "more than an entry",
          { 0 },
          PIPE,
          { PIECE("x", 20000), PIECE("x", 20000), PIECE("x", LOGS_LINE_MAX), PIECE("x\nx", 1) } },
        { "just an entry", { 0 }, PIPE, { PIECE("x", LOGS_LINE_MAX), PIECE("\n", 1), PIECE("x", LOGS_LINE_MAX) } },
        { "more than a batch", { 0 }, PIPE, { PIECE("\n", 13000), PIECE("x", 1) } },
        { "rotated",
          { .size = 150, .files = 50 },
          PIPE,
          { PIECE("tick\n", 8), PIECE("ti", 1), PIECE("ck\n", 1), PIECE("tick\n", 3) } },
        { "two streams",
          { 0 },
          PIPES,
          { PIECE("tick\nti", 1), PIECE("tick\nti", 1), PIECE("ck\n", 1), PIECE("ck", 1) } },
        { "a terminal",
          { 0 },
          TERMINAL,
          { PIECE("tick\n", 3), PIECE("ti", 1), PIECE("ck\ntick\n", 1), PIECE("long ", 700), PIECE("tick", 1) } },
};

/* One container with its log; what stays while its readers come and go. */
struct run {
        const struct print *print;
        struct scratch dir;
        struct logs_journal *journal;
        int journal_fd;
        int pipes[2][2]; /* of a terminal, the first is its two sides and the second the relay */
        unsigned printed;
};

/* What is done to a run. */
struct harm {
        unsigned cut, cut_after; /* at which stop the first and the second reader are killed; 0: never */
        unsigned tear;           /* a batch that is written by then is cut down to so many quarters less one; 0: not */
        bool rename;             /* and then the caller of the CRI rotates */
        bool stepping;           /* stops are stores to the journal instead of system calls */
};

/* One that adds nothing to what is printed. */
static void run_terminal(struct run *run) {
        struct termios raw;
        char path[64];

        for (int i = 0; i < 2; i++)
                close(run->pipes[0][i]);
        assert_int_equal(openpty(&run->pipes[0][0], &run->pipes[0][1], NULL, NULL, NULL), 0);
        assert_int_equal(tcgetattr(run->pipes[0][1], &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(run->pipes[0][1], TCSANOW, &raw), 0);
        /* The relay is open both ways. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", run->pipes[1][1]);
        close(run->pipes[1][0]);
        run->pipes[1][0] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        assert_true(run->pipes[1][0] >= 0);
}

static void run_begin(struct run *run, const struct print *print) {
        *run = (struct run){ .print = print };
        scratch_make(&run->dir);
        run->journal_fd = memfd_create("journal", MFD_CLOEXEC);
        assert_int_equal(ftruncate(run->journal_fd, sizeof(*run->journal)), 0);
        run->journal = mmap(NULL, sizeof(*run->journal), PROT_READ, MAP_SHARED, run->journal_fd, 0);
        assert_ptr_not_equal(run->journal, MAP_FAILED);
        for (int i = 0; i < 2; i++)
                assert_int_equal(pipe2(run->pipes[i], O_CLOEXEC), 0);
        if (print->from == TERMINAL)
                run_terminal(run);
}

static void run_end(struct run *run) {
        for (int i = 0; i < 2; i++)
                close(run->pipes[i][0]);
        munmap(run->journal, sizeof(*run->journal));
        close(run->journal_fd);
        scratch_remove(&run->dir);
}

static size_t repeat(char *to, const struct piece *piece) {
        for (size_t i = 0; i < piece->times; i++)
                to = mempcpy(to, piece->text, piece->size);
        return piece->size * piece->times;
}

/* The next piece; after the last the container is gone. */
static void print_next(struct run *run) {
        const struct piece *piece = &run->print->pieces[run->printed];
        int fd = run->pipes[run->print->from == PIPES ? run->printed % 2 : 0][1];
        static char text[65536]; /* a pipe's size */
        size_t size;

        if (run->printed == PIECES_MAX || !piece->text) {
                for (int i = 0; i < 2; i++)
                        run->pipes[i][1] = close_fd(run->pipes[i][1]);
                return;
        }
        size = repeat(text, piece);
        assert_int_equal(write(fd, text, size), size);
        run->printed++;
}

/* As the shim does it; stops itself whenever there is nothing to read. */
static void read_all(const struct run *run) {
        static struct logs_writer w;
        static struct logs_stream streams[2];
        static struct logs_arena arena;
        bool terminal = run->print->from == TERMINAL, ended[2] = { false, terminal };

        if (logs_writer_open(&w, run->dir.fd, "0.log", &run->print->limits, run->journal_fd) < 0)
                _exit(1);
        for (int i = 0; i < 2; i++) {
                close_fd(run->pipes[i][1]);
                logs_stream_init(&streams[i], run->pipes[i][0], (enum logs_stream_name)i, &w);
        }
        if (terminal)
                streams[0].relay_fd = run->pipes[1][0];
        for (int i = 0; i < 2 - terminal; i++)
                logs_stream_resume(&streams[i], &arena);
        while (!ended[0] || !ended[1]) {
                for (int i = 0; i < 2; i++)
                        if (!ended[i] && logs_stream_read(&streams[i], &arena) == LOGS_ENDED) {
                                logs_stream_end(&streams[i], &arena);
                                ended[i] = true;
                        }
                logs_arena_release(&arena);
                if (!ended[0] && (!ended[1] || terminal))
                        raise(SIGSTOP);
        }
        logs_writer_close(&w);
        _exit(0);
}

static pid_t start_traced(const struct run *run) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                raise(SIGSTOP);
                read_all(run);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        return pid;
}

/* Steps only once something was printed: until then nothing is stored. */
static int next_stop(const struct run *run, unsigned cut, bool stepping) {
        if (cut == 0)
                return PTRACE_CONT;
        return stepping ? run->printed > 0 ? PTRACE_SINGLESTEP : PTRACE_CONT : PTRACE_SYSCALL;
}

/* Runs a reader to its end or up to stop number @cut, where it is killed. Returns whether it was. */
static bool drive(struct run *run, unsigned cut, bool stepping) {
        struct logs_intent before[2];
        pid_t pid = start_traced(run);
        int status;

        memcpy(before, run->journal->intents, sizeof(before));
        for (;;) {
                ptrace(next_stop(run, cut, stepping), pid, NULL, NULL);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status) || WIFSIGNALED(status)) {
                        assert_int_equal(status, 0);
                        return false;
                }
                if (WSTOPSIG(status) == SIGSTOP)
                        print_next(run);
                else if (!stepping && WSTOPSIG(status) != (SIGTRAP | 0x80))
                        fail_msg("signal %d", WSTOPSIG(status));
                else if (stepping && memcmp(before, run->journal->intents, sizeof(before)) == 0)
                        continue;
                else if (cut > 0 && --cut == 0) {
                        kill(pid, SIGKILL);
                        waitpid(pid, &status, 0);
                        return true;
                }
                if (stepping)
                        memcpy(before, run->journal->intents, sizeof(before));
        }
}

static bool is_writing(const struct run *run) {
        for (int i = 0; i < 2; i++)
                if (run->journal->intents[i].phase == LOGS_PHASE_WRITING)
                        return true;
        return false;
}

/* As if the kill had come within write(). */
static void tear(struct run *run, unsigned quarters) {
        int fd = openat(run->dir.fd, "0.log", O_WRONLY | O_CLOEXEC);

        for (int i = 0; i < 2; i++) {
                const struct logs_intent *in = &run->journal->intents[i];

                if (in->phase == LOGS_PHASE_WRITING && lseek(fd, 0, SEEK_END) == (off_t)in->after)
                        assert_int_equal(
                                ftruncate(fd, (off_t)(in->before + (in->after - in->before) * (quarters - 1) / 4)), 0);
        }
        close(fd);
}

/* All files of the log without the times, oldest first, as one text; allocated. */
static char *read_log(const struct run *run, size_t *ret_size) {
        char *names[64], *all = NULL, *p;
        size_t n = scratch_list(&run->dir, names), size = 0;

        for (size_t i = 1; i <= n; i++) { /* "0.log" sorts first and is the youngest */
                size_t more = 0;
                _cleanup_free_ char *text = scratch_read(&run->dir, names[i % n], &more);

                all = realloc(all, size + more + 1);
                p = all + size;
                for (const char *line = text, *end; line < text + more; line = end + 1) {
                        end = memchr(line, '\n', (size_t)(text + more - line));
                        assert_non_null(end);
                        assert_true(end - line > TIME_SIZE && line[TIME_SIZE - 1] == ' ');
                        p = mempcpy(p, line + TIME_SIZE, (size_t)(end + 1 - line - TIME_SIZE));
                }
                size = (size_t)(p - all);
        }
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        *ret_size = size;
        return all;
}

struct outcome {
        char *log;
        size_t size;
        bool cut;     /* the first reader was killed at all ... */
        bool writing; /* ... while it wrote to the log */
};

static struct outcome suffer(const struct print *print, const struct harm *harm) {
        struct outcome outcome = { 0 };
        struct run run;

        run_begin(&run, print);
        outcome.cut = drive(&run, harm->cut, harm->stepping);
        if (outcome.cut) {
                outcome.writing = is_writing(&run);
                if (harm->tear > 0)
                        tear(&run, harm->tear);
                if (harm->rename)
                        renameat(run.dir.fd, "0.log", run.dir.fd, "0.log.20260101-000000");
                if (drive(&run, harm->cut_after, false))
                        drive(&run, 0, false);
        }
        outcome.log = read_log(&run, &outcome.size);
        run_end(&run);
        return outcome;
}

/* Each stream's entries say what was printed to it. */
static void assert_printed(const struct print *print, const struct outcome *outcome) {
        for (int stream = 0; stream < 1 + (print->from == PIPES); stream++) {
                const char *end = outcome->log + outcome->size, *newline;
                _cleanup_free_ char *text = calloc(1, 1 << 20), *logged = calloc(1, 1 << 20);
                char *to = logged;
                size_t size = 0;

                for (int i = stream; i < PIECES_MAX && print->pieces[i].text; i += 1 + (print->from == PIPES))
                        size += repeat(text + size, &print->pieces[i]);
                for (const char *line = outcome->log; line < end; line = newline + 1) {
                        newline = memchr(line, '\n', (size_t)(end - line));
                        if (memcmp(line, stream == 0 ? "stdout " : "stderr ", 7) != 0)
                                continue;
                        to = mempcpy(to, line + 9, (size_t)(newline - line - 9));
                        if (line[7] == 'F')
                                *to++ = '\n';
                }
                assert_int_equal(to - logged, size);
                assert_memory_equal(logged, text, size);
        }
}

/* Returns what became of it, without the log. */
static struct outcome same_after(const struct print *print, const struct outcome *whole, const struct harm *harm) {
        struct outcome found = suffer(print, harm);

        if (found.size != whole->size || memcmp(found.log, whole->log, whole->size) != 0)
                fail_msg("%s: cut %u and %u, tear %u, rename %d, stepping %d: %zu bytes instead of %zu", print->name,
                         harm->cut, harm->cut_after, harm->tear, harm->rename, harm->stepping, found.size, whole->size);
        free(found.log);
        return found;
}

static void undisturbed(const struct print *print, struct outcome *ret_whole) {
        *ret_whole = suffer(print, &(struct harm){ 0 });
        assert_printed(print, ret_whole);
}

static void test_at_each_system_call(void **state) {
        for (size_t i = 0; i < ELEMENTS(prints); i++) {
                struct outcome whole, found;
                unsigned cuts = 0, writing = 0;

                undisturbed(&prints[i], &whole);
                do {
                        found = same_after(&prints[i], &whole, &(struct harm){ .cut = ++cuts });
                        writing += found.writing;
                        for (unsigned quarters = 1; found.writing && quarters <= 4; quarters++)
                                same_after(&prints[i], &whole, &(struct harm){ .cut = cuts, .tear = quarters });
                } while (found.cut && cuts < CUTS_MAX);
                assert_true(cuts > 20 && cuts < CUTS_MAX && writing >= 2);
                free(whole.log);
        }
}

/* The second reader is killed too, in the midst of making up for the first. */
static void test_twice(void **state) {
        const struct print *print = &prints[1];
        struct outcome whole, found = { .cut = true };

        undisturbed(print, &whole);
        for (unsigned cut = 1; found.cut; cut++) {
                found = same_after(print, &whole, &(struct harm){ .cut = cut });
                for (unsigned after = 1; found.writing && after <= CUTS_AFTER; after++)
                        same_after(print, &whole, &(struct harm){ .cut = cut, .cut_after = after });
        }
        free(whole.log);
}

/* Rotated by somebody else, who then finds nobody to reopen the log. */
static void test_renamed(void **state) {
        for (size_t i = 0; i < 2; i++) {
                struct outcome whole, found = { .cut = true };

                undisturbed(&prints[i], &whole);
                for (unsigned cut = 1; found.cut; cut++) {
                        found = same_after(&prints[i], &whole, &(struct harm){ .cut = cut, .rename = true });
                        if (found.writing)
                                same_after(&prints[i], &whole, &(struct harm){ .cut = cut, .rename = true, .tear = 2 });
                }
                free(whole.log);
        }
}

/* Every instruction at which the journal changes. */
static void test_at_each_store(void **state) {
        static const struct print print = { "stores", { 0 }, PIPE, { PIECE("a\na", 1), PIECE("a\n", 1) } };
        struct outcome whole, found = { .cut = true };
        unsigned cuts = 0;

        undisturbed(&print, &whole);
        while (found.cut && cuts < CUTS_MAX)
                found = same_after(&print, &whole, &(struct harm){ .cut = ++cuts, .stepping = true });
        assert_true(cuts > 20 && cuts < CUTS_MAX);
        free(whole.log);
}

/* Two that wait for each other at every step are quicker on one CPU. What libc reads once is not read by each child. */
static int make_haste(void **state) {
        cpu_set_t set;

        tzset();

        CPU_ZERO(&set);
        CPU_SET(sched_getcpu(), &set);
        sched_setaffinity(0, sizeof(set), &set);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_at_each_system_call),
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_renamed),
                cmocka_unit_test(test_at_each_store),
        };
        return cmocka_run_group_tests(tests, make_haste, NULL);
}
