/* The stream side: from what a container prints to batches of entries.
 *
 * One look fills the arena's input, one pass copies lines behind their prefixes into its output, one write appends
 * that. The pass looks for newlines while it copies: at three million lines a second every second look at a byte,
 * and every call per line, shows.
 */
#include "logs/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/cleanup.h"
#include "logs/writer_file.h"

#define ENTRY_SIZE (LOGS_PREFIX_SIZE + LOGS_LINE_MAX + 1)
#define PIPE_QUIET 4096

bool logs_arena_take(struct logs_arena *arena) {
        if (!arena->memory) {
                void *p = mmap(NULL, LOGS_ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (p == MAP_FAILED)
                        return false;
                arena->memory = p;
                arena->size = LOGS_ARENA_SIZE;
        }
        return true;
}

void logs_arena_release(struct logs_arena *arena) {
        logs_journal_release(arena);
        if (arena->memory)
                munmap(arena->memory, arena->size);
        arena->memory = NULL;
}

void logs_stream_init(struct logs_stream *s, int fd, enum logs_stream_name name, struct logs_writer *writer) {
        int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

        if (flags >= 0 && !(flags & O_NONBLOCK))
                fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        *s = (struct logs_stream){ .fd = fd, .relay_fd = -EBADF, .name = name, .writer = writer };
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

/* One batch on its way into the file. */
struct batch {
        struct logs_stream *stream;
        struct logs_arena *arena;
        struct logs_intent *intent;
        char *output;
        size_t used, room; /* room: what the file takes before it is rotated, or the output's size */
        size_t covered;    /* input whose entries are in the output */
        size_t carried;    /* of the input yet to be covered: what is in the part */
        size_t taken;      /* input taken off the pipe */
        char prefix[LOGS_PREFIX_SIZE + 1];
};

static void batch_reset(struct batch *b) {
        b->used = b->covered = 0;
        b->room = logs_writer_room(b->stream->writer);
        if (b->room > LOGS_OUTPUT_SIZE)
                b->room = LOGS_OUTPUT_SIZE;
}

/* Appends the output, to one file, and takes off the pipe what that covers. The @rest bytes behind go to the part,
 * behind @part_at bytes that it keeps; the others in it are covered, since no entry ends within the part. */
static void batch_commit(struct batch *b, size_t part_at, size_t rest) {
        struct logs_stream *s = b->stream;
        struct logs_intent *in = b->intent;
        size_t carried = b->covered < b->carried ? b->covered : b->carried;
        size_t taken = b->covered - carried + rest;

        in->taken = s->no_peek ? 0 : (uint32_t)taken;
        in->rest = s->no_peek ? 0 : (uint32_t)rest;
        in->part_at = (uint32_t)part_at;
        if (in->taken > 0) {
                in->last = (uint8_t)logs_arena_input(b->arena)[b->taken + taken - 1];
                in->marker = (uint8_t)~in->last;
        }
        if (b->used > 0)
                logs_writer_append(s->writer, in, b->output, b->used);
        logs_intent_enter(in, LOGS_PHASE_TAKING);
        logs_intent_take_off(s, b->arena);
        b->carried -= carried;
        b->taken += taken;
        batch_reset(b);
}

/* Where the next entry's text goes; its prefix is in front already. */
static char *batch_begin_entry(struct batch *b) {
        if (b->used + ENTRY_SIZE > LOGS_OUTPUT_SIZE)
                batch_commit(b, 0, 0);
        memcpy(b->output + b->used, b->prefix, LOGS_PREFIX_SIZE);
        return b->output + b->used + LOGS_PREFIX_SIZE;
}

/* @taken: how much input the entry covers. */
static void batch_end_entry(struct batch *b, size_t text_size, size_t taken, bool partial) {
        char *entry = b->output + b->used;
        size_t size = LOGS_PREFIX_SIZE + text_size + 1;

        if (b->used > 0 && b->used + size > b->room) {
                batch_commit(b, 0, 0);
                entry = memmove(b->output, entry, size);
        }
        if (partial)
                entry[LOGS_PREFIX_SIZE - 2] = 'P';
        entry[size - 1] = '\n';
        b->used += size;
        b->covered += taken;
}

/* Makes entries of @data; returns how much of it stands without its end yet: at most LOGS_LINE_MAX. */
static size_t batch_lines(struct batch *b, const char *data, size_t size) {
        while (size > 0) {
                char *text = batch_begin_entry(b);
                size_t limit = size < LOGS_LINE_MAX ? size : LOGS_LINE_MAX;
                size_t n = copy_line(text, data, limit);

                if (n < size && data[n] == '\n') {
                        batch_end_entry(b, n, n + 1, false);
                        n++;
                } else if (size > LOGS_LINE_MAX) {
                        batch_end_entry(b, n, n, true);
                } else {
                        return size;
                }
                data += n;
                size -= n;
        }
        return 0;
}

static void batch_init(struct batch *b, struct logs_stream *s, struct logs_arena *arena) {
        struct logs_intent *in = &arena->journal->intents[s->name];

        *b = (struct batch){
                .stream = s, .arena = arena, .intent = in, .output = logs_arena_output(arena), .carried = in->part_size
        };
        logs_prefix(s->writer, s->name, b->prefix);
        batch_reset(b);
}

/* Keeps the beginning of a line, the last @rest bytes of @size in the input, of which the part has the first already
 * when all of it is one. */
static void keep_rest(struct batch *b, size_t size, size_t rest) {
        struct logs_stream *s = b->stream;
        const char *end = logs_arena_input(b->arena) + size;
        size_t part_at = rest > size ? rest - size : 0;

        if (rest > 0 && !logs_journal_reserve(s->writer, s->name, rest)) { /* an entry of its own instead */
                memcpy(batch_begin_entry(b), end - rest, rest);
                batch_end_entry(b, rest, rest, true);
                part_at = rest = 0;
        }
        rest -= part_at;
        batch_commit(b, part_at, rest);
        if (s->no_peek && rest > 0) {
                memcpy(b->arena->journal->parts[s->name] + part_at, end - rest, rest);
                b->intent->part_size = (uint32_t)(part_at + rest);
        }
}

/* Logs @size bytes that are in the arena's input, and takes them off the pipe. */
static void take(struct logs_stream *s, struct logs_arena *arena, size_t size) {
        struct batch b;
        char *data;

        batch_init(&b, s, arena);
        data = logs_arena_input(arena) - b.carried;
        memcpy(data, arena->journal->parts[s->name], b.carried);
        keep_rest(&b, size, batch_lines(&b, data, size + b.carried));
}

/* A pipe has its large buffer only while it needs it: what all pipes of a user hold together is limited
 * (pipe-user-pages-soft), and beyond that other processes of the user get tiny ones. */
static void adapt_pipe(struct logs_stream *s, struct logs_arena *arena, size_t taken) {
        if (!s->grown && taken >= LOGS_PIPE_DEFAULT / 2) {
                s->grown = fcntl(logs_stream_pipe(s), F_SETPIPE_SZ, LOGS_PIPE_MAX) > 0;
                if (s->grown && arena->has_peek)
                        fcntl(arena->peek[1], F_SETPIPE_SZ, LOGS_INPUT_SIZE);
        } else if (s->grown && taken <= PIPE_QUIET && fcntl(logs_stream_pipe(s), F_SETPIPE_SZ, LOGS_PIPE_DEFAULT) > 0) {
                s->grown = false;
                if (arena->has_peek)
                        fcntl(arena->peek[1], F_SETPIPE_SZ, LOGS_PIPE_DEFAULT);
        }
}

/* Without an arena what is printed is taken off the pipe all the same: the container must not stand still. */
static ssize_t read_and_drop(struct logs_stream *s) {
        char buffer[4096];
        ssize_t n = read(s->fd, buffer, sizeof(buffer));

        if (n > 0 && s->writer && s->writer->open)
                logs_writer_drop(s->writer, 1, ENOMEM);
        return n;
}

static void tap(const struct logs_stream *s, const char *data, size_t size) {
        if (s->tap)
                s->tap(s->userdata, s->name, data, size);
}

/* What cannot be looked at, or is not logged, is read. */
static ssize_t read_plain(struct logs_stream *s, struct logs_arena *arena) {
        ssize_t n = read(s->fd, logs_arena_input(arena), LOGS_INPUT_SIZE);

        if (n > 0) {
                tap(s, logs_arena_input(arena), (size_t)n);
                if (s->writer && s->writer->open)
                        take(s, arena, (size_t)n);
        }
        return n;
}

/* Copies what is in the pipe, at most LOGS_INPUT_SIZE, to the arena's input, where it stays in the pipe as well.
 * Returns as read() does; EINVAL: not a pipe. */
static ssize_t peek(struct logs_stream *s, struct logs_arena *arena) {
        size_t got = 0;
        ssize_t n;

        if (!arena->has_peek)
                arena->has_peek = pipe2(arena->peek, O_CLOEXEC | O_NONBLOCK) == 0;
        if (!arena->has_peek) {
                errno = EINVAL;
                return -1;
        }
        n = tee(logs_stream_pipe(s), arena->peek[1], LOGS_INPUT_SIZE, SPLICE_F_NONBLOCK);
        while (n > 0 && got < (size_t)n) {
                ssize_t more = read(arena->peek[0], logs_arena_input(arena) + got, (size_t)n - got);

                if (more <= 0 && errno != EINTR)
                        break;
                got += more > 0 ? (size_t)more : 0;
        }
        return n > 0 ? (ssize_t)got : n;
}

/* As peek(), of what the terminal has when nothing is in its relay any more. */
static ssize_t look(struct logs_stream *s, struct logs_arena *arena) {
        ssize_t n = peek(s, arena);

        if (s->relay_fd < 0 || n >= 0 || errno != EAGAIN)
                return n;
        n = splice(s->fd, NULL, s->relay_fd, NULL, LOGS_PIPE_DEFAULT, SPLICE_F_NONBLOCK);
        return n > 0 ? peek(s, arena) : n;
}

/* One look at what there is, and its entries. Returns as read() does. */
static ssize_t read_once(struct logs_stream *s, struct logs_arena *arena) {
        bool logs = s->writer && s->writer->open;
        ssize_t n;

        if (!logs_arena_take(arena) || (logs && !logs_journal_take(arena, s->writer)))
                return read_and_drop(s);
        if (s->no_peek || !logs)
                return read_plain(s, arena);
        n = look(s, arena);
        if (n < 0 && errno == EINVAL) {
                s->no_peek = true;
                s->relay_fd = -EBADF;
                return read_plain(s, arena);
        }
        if (n > 0) {
                tap(s, logs_arena_input(arena), (size_t)n);
                take(s, arena, (size_t)n);
        }
        return n;
}

enum logs_state logs_stream_read(struct logs_stream *s, struct logs_arena *arena) {
        size_t taken = 0;

        if (s->fd < 0)
                return LOGS_ENDED;
        while (taken < LOGS_TURN_MAX) {
                ssize_t n = read_once(s, arena);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return LOGS_IDLE;
                if (n <= 0)
                        return LOGS_ENDED;
                adapt_pipe(s, arena, (size_t)n);
                taken += (size_t)n;
        }
        return LOGS_MORE;
}

/* What stands without its newline at the end. */
static void end_part(struct logs_stream *s, struct logs_arena *arena) {
        struct batch b;

        if (!logs_arena_take(arena) || !logs_journal_take(arena, s->writer))
                return;
        batch_init(&b, s, arena);
        if (b.carried > 0) {
                memcpy(batch_begin_entry(&b), arena->journal->parts[s->name], b.carried);
                batch_end_entry(&b, b.carried, b.carried, true);
                batch_commit(&b, 0, 0);
        }
        logs_journal_release(arena);
}

void logs_stream_end(struct logs_stream *s, struct logs_arena *arena) {
        size_t taken = 0;

        while (s->fd >= 0 && taken < LOGS_DRAIN_MAX) {
                ssize_t n = read_once(s, arena);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                taken += (size_t)n;
        }
        if (s->writer && s->writer->open)
                end_part(s, arena);
        s->fd = -EBADF;
}
