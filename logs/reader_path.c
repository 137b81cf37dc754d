/* The reader's conveniences: by path, many entries at a time, and the end of a log as text. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "logs/reader.h"

/* Opens the directory of @path; @ret_name points into @path. */
static int open_parent(const char *path, const char **ret_name, struct err **err) {
        const char *slash = strrchr(path, '/');
        char dir[PATH_MAX];
        int fd;

        if (slash && (size_t)(slash - path) >= sizeof(dir) - 1)
                return err_errno(err, ENAMETOOLONG, "log %s", path);
        if (slash)
                snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
        else
                strcpy(dir, ".");
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "log %s", path);
        *ret_name = slash ? slash + 1 : path;
        return fd;
}

int logs_reader_open_path(const char *path, const struct logs_options *options, struct logs_reader **ret_reader,
                          struct err **err) {
        const char *name;
        _cleanup_close_ int fd = open_parent(path, &name, err);

        return fd < 0 ? fd : logs_reader_open(fd, name, options, ret_reader, err);
}

int logs_reader_fill(struct logs_reader *reader, char *to, size_t size, size_t *ret_size, struct err **err) {
        struct logs_entry entry;
        size_t n = 0;
        int r = 1;

        while (size - n >= LOGS_FILL_MIN && (r = logs_reader_next(reader, &entry, err)) > 0) {
                memcpy(to + n, entry.data, entry.size);
                n += entry.size;
        }
        *ret_size = n;
        return r;
}

/* Appends to @text, which holds *@used of at most @limit bytes, letting go of its beginning where there is no room. */
static void append_last(char *text, size_t *used, size_t limit, const char *data, size_t size) {
        size_t drop;

        if (size > limit) {
                data += size - limit;
                size = limit;
        }
        drop = *used + size > limit ? *used + size - limit : 0;
        memmove(text, text + drop, *used - drop);
        memcpy(text + *used - drop, data, size);
        *used += size - drop;
}

int logs_tail(int dir_fd, const char *name, int64_t lines, size_t bytes, char **ret_text, struct err **err) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        _cleanup_log_reader_ struct logs_reader *reader = NULL;
        _cleanup_err_ struct err *missing = NULL;
        _cleanup_free_ char *text = calloc(1, bytes + 1);
        struct logs_entry entry;
        size_t used = 0;
        int r;

        if (!text)
                return err_errno(err, ENOMEM, "log %s", name);
        options.tail_lines = lines;
        r = logs_reader_open(dir_fd, name, &options, &reader, &missing);
        if (r < 0 && r != -ENOENT)
                return err_move(err, TAKE_PTR(missing));
        while (reader && (r = logs_reader_next(reader, &entry, err)) > 0)
                append_last(text, &used, bytes, entry.data, entry.size);
        if (reader && r < 0)
                return r;
        text[used] = '\0';
        *ret_text = TAKE_PTR(text);
        return 0;
}

int logs_tail_path(const char *path, int64_t lines, size_t bytes, char **ret_text, struct err **err) {
        const char *name;
        _cleanup_close_ int fd = open_parent(path, &name, err);

        return fd < 0 ? fd : logs_tail(fd, name, lines, bytes, ret_text, err);
}
