/* The stream side: from what a container prints to batches of entries.
 *
 * One look fills the arena's input, one pass copies lines behind their prefixes into its output, one write appends
 * that. The pass looks for newlines while it copies: at three million lines a second every second look at a byte,
 * and every call per line, shows.
 */
#include "logs/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/cleanup.h"
#include "logs/writer_file.h"

#define ENTRY_SIZE (LOG_PREFIX_SIZE + LOG_LINE_MAX + 1)
#define PIPE_QUIET 4096

static char *map(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return p == MAP_FAILED ? NULL : p;
}

bool log_arena_take(struct log_arena *arena) {
        if (!arena->memory) {
                arena->memory = map(LOG_ARENA_SIZE);
                arena->size = LOG_ARENA_SIZE;
        }
        return arena->memory;
}

void log_arena_release(struct log_arena *arena) {
        if (arena->memory)
                munmap(arena->memory, arena->size);
        arena->memory = NULL;
}

void log_stream_init(struct log_stream *s, int fd, enum log_stream_name name, struct log_writer *writer) {
        int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

        if (flags >= 0 && !(flags & O_NONBLOCK))
                fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        *s = (struct log_stream){ .fd = fd, .name = name, .writer = writer };
}

/* Copies from @from until a newline or @limit, and says which by returning how much; a few bytes more may be read and
 * written than that (SLACK). */
static size_t copy_line(char *to, const char *from, size_t limit) {
#ifdef __SSE2__
        const __m128i newlines = _mm_set1_epi8('\n');

        for (size_t i = 0; i < limit; i += 16) {
                __m128i block = _mm_loadu_si128((const __m128i *)(from + i));
                unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, newlines));

                _mm_storeu_si128((__m128i *)(to + i), block);
                if (found) {
                        size_t at = i + (size_t)__builtin_ctz(found);

                        return at < limit ? at : limit;
                }
        }
        return limit;
#else
        const char *newline = memchr(from, '\n', limit);
        size_t n = newline ? (size_t)(newline - from) : limit;

        memcpy(to, from, n);
        return n;
#endif
}

/* One batch on its way into the file. What a flush has written is taken off the pipe at once: after a kill, the text
 * that is both in the log and in the pipe is then never more than one flush, of one file, for log_stream_resume() to
 * find. */
struct batch {
        struct log_stream *stream;
        struct log_arena *arena;
        char *output;
        size_t used, room; /* room: what the file takes before it is rotated, or the output's size */
        size_t covered;    /* input whose entries are in the output */
        size_t carried;    /* of the input yet to be covered: what was taken off the pipe before */
        size_t discarded;  /* input taken off the pipe */
        char prefix[LOG_PREFIX_SIZE + 1];
};

static void batch_flush(struct batch *b) {
        struct log_stream *s = b->stream;

        if (b->used > 0) {
                size_t carried = b->covered < b->carried ? b->covered : b->carried;

                log_writer_append(s->writer, b->output, b->used);
                b->carried -= carried;
                if (!s->no_peek)
                        log_discard(s, b->arena, b->discarded, b->covered - carried);
                b->discarded += b->covered - carried;
        }
        b->used = b->covered = 0;
        b->room = log_writer_room(s->writer);
        if (b->room > LOG_OUTPUT_SIZE)
                b->room = LOG_OUTPUT_SIZE;
}

/* Where the next entry's text goes; its prefix is in front already. */
static char *batch_begin_entry(struct batch *b) {
        if (b->used + ENTRY_SIZE > LOG_OUTPUT_SIZE)
                batch_flush(b);
        memcpy(b->output + b->used, b->prefix, LOG_PREFIX_SIZE);
        return b->output + b->used + LOG_PREFIX_SIZE;
}

/* @taken: how much input the entry covers. */
static void batch_end_entry(struct batch *b, size_t text_size, size_t taken, bool partial) {
        char *entry = b->output + b->used;
        size_t size = LOG_PREFIX_SIZE + text_size + 1;

        if (b->used > 0 && b->used + size > b->room) {
                batch_flush(b);
                entry = memmove(b->output, entry, size);
        }
        if (partial)
                entry[LOG_PREFIX_SIZE - 2] = 'P';
        entry[size - 1] = '\n';
        b->used += size;
        b->covered += taken;
}

/* Makes entries of @data; returns how much of it stands without its end yet: at most LOG_LINE_MAX. */
static size_t batch_lines(struct batch *b, const char *data, size_t size) {
        while (size > 0) {
                char *text = batch_begin_entry(b);
                size_t limit = size < LOG_LINE_MAX ? size : LOG_LINE_MAX;
                size_t n = copy_line(text, data, limit);

                if (n < size && data[n] == '\n') {
                        batch_end_entry(b, n, n + 1, false);
                        n++;
                } else if (size > LOG_LINE_MAX) {
                        batch_end_entry(b, n, n, true);
                } else {
                        return size;
                }
                data += n;
                size -= n;
        }
        return 0;
}

static void part_free(struct log_stream *s) {
        if (s->part)
                munmap(s->part, LOG_LINE_MAX);
        s->part = NULL;
        s->part_size = 0;
}

/* Keeps the beginning of a line for the next batch; without memory for it, it becomes an entry of its own. */
static void part_keep(struct log_stream *s, struct batch *b, const char *data, size_t size) {
        if (size == 0) {
                part_free(s);
                return;
        }
        if (!s->part)
                s->part = map(LOG_LINE_MAX);
        if (s->part) {
                memcpy(s->part, data, size);
                s->part_size = (uint32_t)size;
        } else {
                memcpy(batch_begin_entry(b), data, size);
                batch_end_entry(b, size, size, true);
        }
}

static void batch_init(struct batch *b, struct log_stream *s, struct log_arena *arena) {
        *b = (struct batch){ .stream = s, .arena = arena, .output = log_arena_output(arena), .carried = s->part_size };
        log_prefix(s->writer, s->name, b->prefix);
        batch_flush(b);
}

/* The beginning of a line stays in the pipe, where it outlives this process, unless it is so long that it stands in the
 * way of the rest, or there will be no rest. */
static bool leaves_in_pipe(const struct log_stream *s, size_t rest, size_t all) {
        return !s->no_peek && !s->ending && rest < LOG_REST_MAX && !(rest == all && s->part_size > 0);
}

/* Logs @size bytes that are in the arena's input, and takes off the pipe what is done with. Returns how many that is.
 */
static size_t take(struct log_stream *s, struct log_arena *arena, size_t size) {
        char *data = log_arena_input(arena) - s->part_size;
        size_t all = size + s->part_size, rest;
        struct batch b;

        batch_init(&b, s, arena);
        if (s->part_size > 0)
                memcpy(data, s->part, s->part_size);
        rest = batch_lines(&b, data, all);
        batch_flush(&b);
        if (leaves_in_pipe(s, rest, all)) {
                part_free(s);
                return b.discarded;
        }
        part_keep(s, &b, data + all - rest, rest);
        batch_flush(&b);
        if (!s->no_peek)
                log_discard(s, arena, b.discarded, size - b.discarded);
        return size;
}

/* A pipe has its large buffer only while it needs it: what all pipes of a user hold together is limited
 * (pipe-user-pages-soft), and beyond that other processes of the user get tiny ones. */
static void adapt_pipe(struct log_stream *s, struct log_arena *arena, size_t taken) {
        if (!s->grown && taken >= LOG_PIPE_DEFAULT / 2) {
                s->grown = fcntl(s->fd, F_SETPIPE_SZ, LOG_PIPE_MAX) > 0;
                if (s->grown && arena->has_peek)
                        fcntl(arena->peek[1], F_SETPIPE_SZ, LOG_INPUT_SIZE);
        } else if (s->grown && taken <= PIPE_QUIET && fcntl(s->fd, F_SETPIPE_SZ, LOG_PIPE_DEFAULT) > 0) {
                s->grown = false;
                if (arena->has_peek)
                        fcntl(arena->peek[1], F_SETPIPE_SZ, LOG_PIPE_DEFAULT);
        }
}

/* Without an arena what is printed is taken off the pipe all the same: the container must not stand still. */
static ssize_t read_and_drop(struct log_stream *s) {
        char buffer[4096];
        ssize_t n = read(s->fd, buffer, sizeof(buffer));

        if (n > 0 && s->writer && s->writer->open)
                log_writer_drop(s->writer, 1, ENOMEM);
        return n;
}

static void tap(const struct log_stream *s, const char *data, size_t size) {
        if (s->tap)
                s->tap(s->userdata, s->name, data, size);
}

/* What cannot be looked at, or is not logged, is read. */
static ssize_t read_plain(struct log_stream *s, struct log_arena *arena) {
        ssize_t n = read(s->fd, log_arena_input(arena), LOG_INPUT_SIZE);

        if (n > 0) {
                tap(s, log_arena_input(arena), (size_t)n);
                if (s->writer && s->writer->open)
                        take(s, arena, (size_t)n);
        }
        return n;
}

bool log_peek_ready(struct log_arena *arena) {
        if (!arena->has_peek)
                arena->has_peek = pipe2(arena->peek, O_CLOEXEC | O_NONBLOCK) == 0;
        return arena->has_peek;
}

ssize_t log_peek(struct log_stream *s, struct log_arena *arena) {
        size_t got = 0;
        ssize_t n;

        if (!log_peek_ready(arena)) {
                errno = EINVAL;
                return -1;
        }
        n = tee(s->fd, arena->peek[1], LOG_INPUT_SIZE, SPLICE_F_NONBLOCK);
        while (n > 0 && got < (size_t)n) {
                ssize_t more = read(arena->peek[0], log_arena_input(arena) + got, (size_t)n - got);

                if (more <= 0 && errno != EINTR)
                        break;
                got += more > 0 ? (size_t)more : 0;
        }
        return n > 0 ? (ssize_t)got : n;
}

void log_discard(struct log_stream *s, struct log_arena *arena, size_t at, size_t size) {
        while (size > 0) {
                ssize_t n = read(s->fd, log_arena_input(arena) + at, size);

                if (n <= 0 && errno != EINTR)
                        return;
                at += n > 0 ? (size_t)n : 0;
                size -= n > 0 ? (size_t)n : 0;
        }
}

/* Nobody holds the other end any more. */
static bool has_hung_up(const struct log_stream *s) {
        struct pollfd p = { .fd = s->fd };

        return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* One look at what there is, its entries, and its end in the pipe. Returns as read() does; EAGAIN also where nothing
 * but the beginning of a line is there. */
static ssize_t read_once(struct log_stream *s, struct log_arena *arena) {
        size_t taken;
        ssize_t n;

        if (!log_arena_take(arena))
                return read_and_drop(s);
        if (s->no_peek || !s->writer || !s->writer->open)
                return read_plain(s, arena);
        n = log_peek(s, arena);
        if (n < 0 && errno == EINVAL) {
                s->no_peek = true;
                return read_plain(s, arena);
        }
        if (n <= 0)
                return n;
        taken = take(s, arena, (size_t)n);
        if ((size_t)n > s->shown)
                tap(s, log_arena_input(arena) + s->shown, (size_t)n - s->shown);
        s->shown = (uint32_t)((size_t)n - taken);
        if (taken > 0)
                return n;
        s->ending = has_hung_up(s);
        if (s->ending)
                return n;
        errno = EAGAIN;
        return -1;
}

enum log_state log_stream_read(struct log_stream *s, struct log_arena *arena) {
        size_t taken = 0;

        if (s->fd < 0)
                return LOG_ENDED;
        while (taken < LOG_TURN_MAX) {
                ssize_t n = read_once(s, arena);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return LOG_IDLE;
                if (n <= 0)
                        return LOG_ENDED;
                adapt_pipe(s, arena, (size_t)n);
                taken += (size_t)n;
        }
        return LOG_MORE;
}

void log_stream_end(struct log_stream *s, struct log_arena *arena) {
        size_t taken = 0;

        s->ending = true;
        while (s->fd >= 0 && taken < LOG_DRAIN_MAX) {
                ssize_t n = read_once(s, arena);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                taken += (size_t)n;
        }
        if (s->part_size > 0) {
                if (log_arena_take(arena)) {
                        struct batch b;

                        batch_init(&b, s, arena);
                        memcpy(batch_begin_entry(&b), s->part, s->part_size);
                        batch_end_entry(&b, s->part_size, s->part_size, true);
                        batch_flush(&b);
                } else {
                        log_writer_drop(s->writer, 1, ENOMEM);
                }
        }
        part_free(s);
        s->fd = -EBADF;
}
