#include "logs/writer_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "logs/writer_file.h"

#define PAGE 4096

/* What is written to must have its page: a full tmpfs would be told by SIGBUS. */
static bool prepare(int fd) {
        return ftruncate(fd, sizeof(struct logs_journal)) == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0;
}

/* The file, or one of our own where that is of no use: output goes on, only a kill would show. */
static int journal_file(struct logs_writer *w) {
        if (w->journal_ready)
                return w->journal_fd;
        if (w->journal_fd < 0 || !prepare(w->journal_fd)) {
                close_fd(w->journal_fd);
                w->journal_fd = memfd_create("journal", MFD_CLOEXEC);
                if (w->journal_fd < 0 || !prepare(w->journal_fd))
                        w->journal_fd = close_fd(w->journal_fd);
        }
        w->journal_ready = w->journal_fd >= 0;
        return w->journal_fd;
}

static bool is_sound(const struct logs_intent *in) {
        if (in->phase == LOGS_PHASE_IDLE) /* the rest may be half written */
                return in->part_size <= LOGS_LINE_MAX;
        return in->phase <= LOGS_PHASE_TAKING && in->part_size <= LOGS_LINE_MAX && in->taken <= LOGS_INPUT_SIZE &&
               in->rest <= in->taken && in->rest <= LOGS_LINE_MAX && in->part_at <= LOGS_LINE_MAX - in->rest;
}

struct logs_journal *logs_journal_take(struct logs_arena *arena, struct logs_writer *w) {
        struct logs_journal *j;

        if (arena->journal && arena->journal_of == w)
                return arena->journal;
        logs_journal_release(arena);
        j = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE, MAP_SHARED, journal_file(w), 0);
        if (j == MAP_FAILED)
                return NULL;
        if (j->magic != LOGS_JOURNAL_MAGIC || !is_sound(&j->intents[0]) || !is_sound(&j->intents[1])) {
                j->intents[0] = j->intents[1] = (struct logs_intent){ 0 };
                atomic_signal_fence(memory_order_seq_cst);
                j->magic = LOGS_JOURNAL_MAGIC;
        }
        arena->journal = j;
        arena->journal_of = w;
        return j;
}

/* A part's pages are given back with the line's end. */
static void drop_empty_parts(struct logs_writer *w, const struct logs_journal *j) {
        for (int i = 0; i < 2; i++)
                if (w->part_reserved[i] > 0 && j->intents[i].phase == LOGS_PHASE_IDLE && j->intents[i].part_size == 0) {
                        fallocate(w->journal_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  (off_t)offsetof(struct logs_journal, parts) + i * LOGS_LINE_MAX, LOGS_LINE_MAX);
                        w->part_reserved[i] = 0;
                }
}

void logs_journal_release(struct logs_arena *arena) {
        if (!arena->journal)
                return;
        drop_empty_parts(arena->journal_of, arena->journal);
        munmap(arena->journal, sizeof(*arena->journal));
        arena->journal = NULL;
        arena->journal_of = NULL;
}

bool logs_journal_reserve(struct logs_writer *w, enum logs_stream_name name, size_t size) {
        off_t at = (off_t)offsetof(struct logs_journal, parts) + (off_t)name * LOGS_LINE_MAX;

        if (size <= w->part_reserved[name])
                return true;
        size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
        if (fallocate(w->journal_fd, FALLOC_FL_KEEP_SIZE, at, (off_t)size) < 0)
                return false;
        w->part_reserved[name] = (uint32_t)size;
        return true;
}

void logs_intent_enter(struct logs_intent *in, enum logs_phase phase) {
        atomic_signal_fence(memory_order_seq_cst);
        *(volatile uint32_t *)&in->phase = phase;
        atomic_signal_fence(memory_order_seq_cst);
}

/* A page that is missing while the kernel copies to it would let a kill cut the read in two. */
static void touch(char *data, size_t size) {
        for (size_t i = 0; i < size; i += PAGE)
                *(volatile char *)(data + i) = *(volatile char *)(data + i);
        if (size > 0)
                *(volatile char *)(data + size - 1) = *(volatile char *)(data + size - 1);
}

/* One read: into nothing what is logged, then the part, then the last byte for itself. The kernel holds the pipe while
 * it copies and looks for no signal, so all of it is done or none. Less is there only when the container has read its
 * own pipe. */
static void read_off(const struct logs_stream *s, const struct logs_arena *arena, struct logs_intent *in, char *part) {
        struct iovec v[LOGS_INPUT_SIZE / LOGS_TRASH_SIZE + 3];
        char *trash = logs_arena_trash(arena);
        size_t logged = in->taken - in->rest - (in->rest == 0);
        int n = 0;

        touch(trash, LOGS_TRASH_SIZE);
        touch(part, in->rest);
        for (; logged > 0; n++) {
                v[n] = (struct iovec){ trash, logged < LOGS_TRASH_SIZE ? logged : LOGS_TRASH_SIZE };
                logged -= v[n].iov_len;
        }
        if (in->rest > 1)
                v[n++] = (struct iovec){ part, in->rest - 1 };
        v[n++] = (struct iovec){ &in->marker, 1 };
        while (readv(logs_stream_pipe(s), v, n) < 0 && errno == EINTR)
                ;
}

void logs_intent_take_off(struct logs_stream *s, struct logs_arena *arena) {
        struct logs_intent *in = &arena->journal->intents[s->name];
        char *part = arena->journal->parts[s->name] + in->part_at;

        if (in->taken > 0 && in->marker != in->last)
                read_off(s, arena, in, part);
        if (in->rest > 0)
                part[in->rest - 1] = (char)in->last;
        *(volatile uint32_t *)&in->part_size = in->part_at + in->rest;
        logs_intent_enter(in, LOGS_PHASE_IDLE);
}

/* ---- after a kill ---- */

/* Whether the batch stands in the log whole; else nothing of it stays. */
static bool is_written(struct logs_writer *w, const struct logs_intent *in) {
        _cleanup_close_ int fd = logs_writer_find(w, in->dev, in->ino);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if ((uint64_t)st.st_size >= in->after)
                return true;
        return (uint64_t)st.st_size > in->before && ftruncate(fd, (off_t)in->before) < 0;
}

void logs_stream_resume(struct logs_stream *s, struct logs_arena *arena) {
        struct logs_journal *j;
        struct logs_intent *in;

        if (s->fd < 0 || !s->writer || !s->writer->open || !logs_arena_take(arena))
                return;
        j = logs_journal_take(arena, s->writer);
        if (!j)
                return;
        in = &j->intents[s->name];
        if (in->phase == LOGS_PHASE_WRITING)
                logs_intent_enter(in, is_written(s->writer, in) ? LOGS_PHASE_TAKING : LOGS_PHASE_IDLE);
        if (in->phase == LOGS_PHASE_TAKING) /* the part's memory was reserved before */
                logs_intent_take_off(s, arena);
}
