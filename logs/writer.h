/* Container output to log files in the CRI format, inside the shim.
 *
 * One entry is `2026-11-21T10:47:15.123456789Z stdout F text\n` (KEP-2400 and kubelet's parser): the time in UTC, the
 * stream, F for the end of a line or P for a part of one. A line longer than LOGS_LINE_MAX is written in parts;
 * what stands without a newline when its stream ends is a part too, as containerd writes it. The lines of one batch
 * (what one read took) carry the same time, and times do not go back unless the clock is set back by more than
 * LOGS_CLOCK_STEP_SECONDS.
 *
 * A pipe's output is looked at with tee(2), logged, and only then taken off the pipe. How far that has come stands in
 * the writer's journal (logs/writer_journal.h), a file that outlives the shim: the next one calls logs_stream_resume(),
 * and no byte is lost or doubled. A terminal
 * cannot be looked at: what it has is moved to a FIFO of its own first (relay_fd).
 *
 * The pipe is always emptied: a beginning of a line that stayed in it would keep a writer that fills the pipe in one go
 * from waking anybody.
 *
 * Only libc and system calls, nothing allocated: logs/writer.c, writer_file.c and writer_journal.c are linked into the
 * static shim. The streams of a process share one struct logs_arena, whose memory is there while output flows and given
 * back when it pauses.
 *
 * Rotation, when logs_limits.size is set: NAME becomes NAME.20261121-104715.123456789 (kubelet's pattern with a
 * finer clock, so that names sort by age) and a new NAME takes its place, always between two entries. Without it the
 * caller of the CRI rotates by renaming and calls logs_writer_reopen().
 *
 * What is beyond logs_limits.files is removed, oldest first, unless a reader has not come past it (a shared flock(2) on
 * the file): then it stays until the reader has, for LOGS_BEHIND_SECONDS after it was written, which is as long as a
 * kubelet takes to look whether a log is to be rotated, and up to LOGS_BEHIND_BYTES in all.
 *
 * When the file system takes no more (ENOSPC, EDQUOT, EIO, …) the container goes on and its output is dropped by
 * whole lines; the first batch that can be written again begins with an entry that says how many lines were lost
 * and why. What was written stays whole: a half-written entry is cut off again.
 *
 * Reads never block. Writes to the log file may, as long as the file system takes.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most text in one entry; containerd's max_container_log_line_size. */
#define LOGS_LINE_MAX 16384

/* What one logs_stream_read() takes at most, so that a busy stream does not starve its neighbours. */
#define LOGS_TURN_MAX (1024 * 1024)

#define LOGS_CLOCK_STEP_SECONDS 60

/* The size a pipe grows to while its writer is faster than the shim's wake-ups; it shrinks again afterwards. */
#define LOGS_PIPE_MAX (1024 * 1024)

/* Rotated files a writer keeps at most, whatever logs_limits.files says. */
#define LOGS_FILES_MAX 1000

/* What is kept for readers beyond the limits. */
#define LOGS_BEHIND_SECONDS 10
#define LOGS_BEHIND_BYTES (256 * 1024 * 1024)

enum logs_stream_name { LOGS_STDOUT, LOGS_STDERR };

enum logs_state {
        LOGS_IDLE,  /* nothing more to read now: wait for the descriptor */
        LOGS_MORE,  /* the turn is over, there is more: call again after the other descriptors had theirs */
        LOGS_ENDED, /* end of file: call logs_stream_end() */
};

/* The buffers that all streams of one thread share. Zero it once; logs_arena_release() may be called at any time. */
struct logs_arena {
        char *memory; /* NULL while released */
        size_t size;
        struct logs_journal *journal; /* of the writer that was used last; NULL: none */
        struct logs_writer *journal_of;
        int peek[2]; /* the pipe that tee(2) copies to */
        bool has_peek;
};

struct logs_limits {
        uint64_t size;  /* bytes after which a file is rotated; 0: never */
        uint32_t files; /* files kept, the current one included; at least 1 */
};

/* One container's log file. Zeroed is "none": output is read, handed to the tap and dropped. */
struct logs_writer {
        int dir_fd; /* ours */
        int fd;     /* the current file, ours */
        int journal_fd;
        uint64_t dev, ino; /* of the current file */
        struct logs_limits limits;
        uint64_t size;          /* of the current file */
        uint64_t rotate_at;     /* size at which rotation is tried; moves on after a failure */
        uint64_t dropped;       /* lines lost since the last entry that said so */
        int dropped_error;      /* why */
        uint64_t time_ns;       /* of the last entry */
        uint64_t rotated_ns;    /* in the name of the file rotated last */
        uint64_t dropped_total; /* lines lost since logs_writer_open() */
        uint32_t part_reserved[2];
        bool journal_ready;
        bool open;
        bool swept;          /* what a rotation left that was cut off is removed */
        bool behind;         /* there are files for a reader's sake only */
        uint64_t trimmed_ns; /* when that was last looked at */
        char name[NAME_MAX + 1];
};

/* Sees what a stream prints, before it is logged, as it was read (for attach). Must not block. */
typedef void (*logs_tap)(void *userdata, enum logs_stream_name name, const char *data, size_t size);

/* One pipe or terminal of a container. */
struct logs_stream {
        int fd;       /* the caller's, made non-blocking; -EBADF: none */
        int relay_fd; /* the caller's too: a FIFO, open both ways, that a terminal's output goes through; -EBADF: none
                       */
        enum logs_stream_name name;
        logs_tap tap; /* may be NULL; may change between calls */
        void *userdata;
        struct logs_writer *writer;
        bool grown;   /* the pipe has LOGS_PIPE_MAX */
        bool no_peek; /* a terminal or socket: read at once */
};

/* Opens (or continues) the log @name in @dir_fd, which is duplicated. @name is a plain file name; a symbolic link
 * there is refused with -ELOOP. A file that ends inside an entry (a power cut) is cut back to the last whole one.
 * Returns 0 or a negative errno; on failure the writer is "none".
 *
 * @journal_fd is duplicated: an empty file, in which the writer of the same container that comes next finds what this
 * one had under way. -EBADF: nobody comes after this one. */
int logs_writer_open(struct logs_writer *writer, int dir_fd, const char *name, const struct logs_limits *limits,
                     int journal_fd);

/* The file was renamed by someone else (CRI ReopenContainerLog): begins a new NAME. On failure the old file goes on
 * being used and the negative errno is returned. */
int logs_writer_reopen(struct logs_writer *writer);

void logs_writer_close(struct logs_writer *writer);

/* Prepares @stream to read @fd. @writer and the stream stay where they are until logs_stream_end(). The caller may set
 * relay_fd then: without it, what was read from a terminal and not yet logged is lost with this process. */
void logs_stream_init(struct logs_stream *stream, int fd, enum logs_stream_name name, struct logs_writer *writer);

/* After the process that had this stream and its journal before was killed: ends what that had begun. Call once, for
 * each stream of a writer before the first logs_stream_read() of any. */
void logs_stream_resume(struct logs_stream *stream, struct logs_arena *arena);

/* Call when stream->fd is readable or hung up, and again after LOGS_MORE. Takes at most LOGS_TURN_MAX. A terminal
 * without a slave (EIO) has ended. Never fails: output that cannot be logged is dropped and counted. */
enum logs_state logs_stream_read(struct logs_stream *stream, struct logs_arena *arena);

/* The container has exited: takes what is still in the pipe (at most LOGS_DRAIN_MAX, since a descendant may hold it and
 * go on), writes an unfinished line, and forgets fd, which the caller closes. */
void logs_stream_end(struct logs_stream *stream, struct logs_arena *arena);
#define LOGS_DRAIN_MAX (4 * LOGS_PIPE_MAX)

/* Gives the memory back. Call when the loop is about to wait; costs nothing when there is none. */
void logs_arena_release(struct logs_arena *arena);
