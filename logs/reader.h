/* Reading log files in the CRI format: the last lines, since a time, following, across rotated files.
 *
 * A reader walks the entries of NAME and, before them, of its rotated files NAME.TIMESTAMP in their order (compressed
 * ones, NAME.TIMESTAMP.gz as kubelet leaves them, are passed over). It needs at most LOG_READER_BUFFER of memory
 * however long the log is. Which attempt's log is read (`--previous`) is the caller's choice of NAME.
 *
 * Blocking functions; a reader belongs to one thread at a time. Entries that do not parse are passed over and counted.
 * The directory's content may change at any moment by a rotation: no line is lost or doubled by that. The file that is
 * read is held by a shared flock(2), for which the writer keeps it and the younger ones (logs/writer.h says how long);
 * log_reader_missed() tells when files went all the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct log_reader;

#define LOG_READER_BUFFER (256 * 1024)

/* Entries longer than this (no writer of the format makes them) are read in parts. */
#define LOG_ENTRY_MAX (64 * 1024)

struct log_options {
        int64_t tail_lines;  /* only the last so many lines; negative: all */
        int64_t since_ns;    /* only entries from this time on, in ns since 1970; 0: all */
        int64_t limit_bytes; /* of output in all; negative: no limit */
        bool follow;         /* have a descriptor to wait on at the end */
        bool timestamps;     /* log_entry.data begins with the entry's time where a line begins */
        bool no_stdout;
        bool no_stderr;
};

/* What `kubectl logs` without options shows. */
#define LOG_OPTIONS_ALL ((struct log_options){ .tail_lines = -1, .limit_bytes = -1 })

struct log_entry {
        bool is_stderr;
        bool partial; /* the line goes on in this stream's next entry */
        int64_t time_ns;
        const char *data; /* text to print: with the newline when not partial; valid until the next call */
        size_t size;
};

/* Opens the log @name in @dir_fd (duplicated). Symbolic links are not followed. Returns 0; -ENOENT when there is
 * neither NAME nor a rotated file and nothing is to be followed; or another negative errno with *@err set. */
int log_reader_open(int dir_fd, const char *name, const struct log_options *options, struct log_reader **ret_reader,
                    struct err **err);

/* As log_reader_open() for a path as CRI reports it (log_path of ContainerStatus). */
int log_reader_open_path(const char *path, const struct log_options *options, struct log_reader **ret_reader,
                         struct err **err);

/* The next entry. Returns 1; 0 at the end: for good, or until log_reader_fd() is readable when following; -ENODATA
 * when limit_bytes is used up (the last entry was cut to fit); or another negative errno with *@err set. */
int log_reader_next(struct log_reader *reader, struct log_entry *ret_entry, struct err **err);

/* The descriptor (inotify) that becomes readable when there may be more; -EBADF when not following. The reader empties
 * it by itself in log_reader_next(). */
int log_reader_fd(const struct log_reader *reader);

/* Whether files were removed before they were read since this was asked last, so that lines may be missing before the
 * entry given last. */
bool log_reader_missed(struct log_reader *reader);

/* Lines that were not in the format and left out. */
uint64_t log_reader_skipped(const struct log_reader *reader);

void log_reader_free(struct log_reader *reader);
void log_reader_freep(struct log_reader **reader);
#define _cleanup_log_reader_ __attribute__((cleanup(log_reader_freep)))

/* The end of a log as text: the last @lines lines of both streams, and of those the last @bytes bytes; for
 * terminationMessagePolicy FallbackToLogsOnError with the two figures below, as kubelet has them. *@ret_text is
 * allocated and NUL-terminated (empty for a log that is missing or empty). */
int log_tail(int dir_fd, const char *name, int64_t lines, size_t bytes, char **ret_text, struct err **err);
int log_tail_path(const char *path, int64_t lines, size_t bytes, char **ret_text, struct err **err);
#define LOG_TERMINATION_LINES 80
#define LOG_TERMINATION_BYTES 2048
