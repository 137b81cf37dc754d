/* Reading log files in the CRI format: the last lines, since a time, following, across rotated files.
 *
 * A reader walks the entries of NAME and, before them, of its rotated files NAME.TIMESTAMP in their order (compressed
 * ones, NAME.TIMESTAMP.gz as kubelet leaves them, are passed over). It needs at most LOGS_READER_BUFFER of memory
 * however long the log is. Which attempt's log is read (`--previous`) is the caller's choice of NAME.
 *
 * Blocking functions; a reader belongs to one thread at a time. Entries that do not parse are passed over and counted.
 * The directory's content may change at any moment by a rotation: no line is lost or doubled by that. The file that is
 * read is held by a shared flock(2), for which the writer keeps it and the younger ones (logs/writer.h says how long);
 * logs_reader_missed() tells when files went all the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct logs_reader;

#define LOGS_READER_BUFFER (256 * 1024)

/* Entries longer than this (no writer of the format makes them) are read in parts. */
#define LOGS_ENTRY_MAX (64 * 1024)

struct logs_options {
        int64_t tail_lines;  /* only the last so many lines; negative: all */
        int64_t since_ns;    /* only entries from this time on, in ns since 1970; 0: all */
        int64_t limit_bytes; /* of output in all; negative: no limit */
        bool follow;         /* have a descriptor to wait on at the end */
        bool watched;        /* the caller watches the directory, since before the opening: no descriptor is needed */
        bool timestamps;     /* logs_entry.data begins with the entry's time where a line begins */
        bool no_stdout;
        bool no_stderr;
};

/* What `kubectl logs` without options shows. */
#define LOGS_OPTIONS_ALL ((struct logs_options){ .tail_lines = -1, .limit_bytes = -1 })

struct logs_entry {
        bool is_stderr;
        bool partial; /* the line goes on in this stream's next entry */
        int64_t time_ns;
        const char *data; /* text to print: with the newline when not partial; valid until the next call */
        size_t size;
};

/* Opens the log @name in @dir_fd (duplicated). Symbolic links are not followed. Returns 0; -ENOENT when there is
 * neither NAME nor a rotated file and nothing is to be followed; or another negative errno with *@err set. */
int logs_reader_open(int dir_fd, const char *name, const struct logs_options *options, struct logs_reader **ret_reader,
                     struct err **err);

/* As logs_reader_open() for a path as CRI reports it (log_path of ContainerStatus). */
int logs_reader_open_path(const char *path, const struct logs_options *options, struct logs_reader **ret_reader,
                          struct err **err);

/* The next entry. Returns 1; 0 at the end: for good, or until logs_reader_fd() is readable when following; -ENODATA
 * when limit_bytes is used up (the last entry was cut to fit); or another negative errno with *@err set. */
int logs_reader_next(struct logs_reader *reader, struct logs_entry *ret_entry, struct err **err);

/* The next entries, one behind the other, to @to, which has room for @size bytes (LOGS_FILL_MIN at least). Returns 1
 * when it is full; else as logs_reader_next(). *@ret_size: how many bytes there are, whatever it returns. */
int logs_reader_fill(struct logs_reader *reader, char *to, size_t size, size_t *ret_size, struct err **err);
#define LOGS_FILL_MIN ((size_t)LOGS_ENTRY_MAX + 128) /* an entry with its time */

/* The descriptor (inotify) that becomes readable when there may be more; -EBADF when not following, or @watched. The
 * reader empties it by itself in logs_reader_next(). */
int logs_reader_fd(const struct logs_reader *reader);

/* Whether files were removed before they were read since this was asked last, so that lines may be missing before the
 * entry given last. */
bool logs_reader_missed(struct logs_reader *reader);

/* Lines that were not in the format and left out. */
uint64_t logs_reader_skipped(const struct logs_reader *reader);

void logs_reader_free(struct logs_reader *reader);
void logs_reader_freep(struct logs_reader **reader);
#define _cleanup_log_reader_ __attribute__((cleanup(logs_reader_freep)))

/* The end of a log as text: the last @lines lines of both streams, and of those the last @bytes bytes; for
 * terminationMessagePolicy FallbackToLogsOnError with the two figures below, as kubelet has them. *@ret_text is
 * allocated and NUL-terminated (empty for a log that is missing or empty). */
int logs_tail(int dir_fd, const char *name, int64_t lines, size_t bytes, char **ret_text, struct err **err);
int logs_tail_path(const char *path, int64_t lines, size_t bytes, char **ret_text, struct err **err);
#define LOGS_TERMINATION_LINES 80
#define LOGS_TERMINATION_BYTES 2048
