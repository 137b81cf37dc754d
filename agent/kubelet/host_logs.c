/* /logs/: the host's files below /var/log, as Go's http.FileServer serves them. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kubelet/host_file.h"
#include "agent/kubelet/internal.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define PIECE_SIZE ((size_t)256 << 10)
#define ENTRIES_MAX 10000 /* of a directory that are listed */

/* A file or directory on its way to the client. */
struct kubelet_file {
        struct pool_job job; /* first */
        struct kubelet_request *q;
        struct arena *arena;
        const char *path; /* beneath HOST_LOGS */
        int fd;
        int result; /* 0 or a negative errno */
        bool is_directory, began, working;
        int64_t left; /* bytes of the file: what comes behind its size at the beginning is not sent */
        struct bytes *piece;
};

static void file_free(struct kubelet_file *f) {
        struct kubelet_request *q = f->q;

        if (q->file == f)
                q->file = NULL;
        close_fd(f->fd);
        bytes_unref(f->piece);
        arena_free(f->arena);
        free(f);
        kubelet_drop(q);
}

void kubelet_file_closed(struct kubelet_request *q) {
        struct kubelet_file *f = q->file;

        q->file = NULL;
        if (f && !f->working)
                file_free(f);
}

/* -- on the pool ------------------------------------------------------------------------------------------- */

static int take(struct kubelet_file *f) {
        struct stat st;

        if ((f->fd = kubelet_open_host_file(f->path, false)) < 0)
                return f->fd;
        if (fstat(f->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                return -EACCES;
        f->is_directory = S_ISDIR(st.st_mode);
        f->left = st.st_size;
        return 0;
}

struct entry {
        char *name;
        bool is_directory;
};

static int compare(const void *a, const void *b) {
        return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static size_t read_entries(struct kubelet_file *f, struct entry *entries) {
        _cleanup_closedir_ DIR *dir = open_dir(TAKE_FD(f->fd));
        struct dirent *d;
        size_t n = 0;

        while (dir && n < ENTRIES_MAX && (d = readdir(dir))) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                entries[n].is_directory = d->d_type == DT_DIR;
                if ((entries[n].name = arena_strdup(f->arena, d->d_name)))
                        n++;
        }
        qsort(entries, n, sizeof(*entries), compare);
        return n;
}

/* As HTML text, or as a part of a path. */
static void write_escaped(FILE *out, const char *text, bool html) {
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (html && strchr("<>&\"'", c))
                        fprintf(out, "&#%d;", c);
                else if (!html && (c <= ' ' || c >= 0x7f || strchr("\"'<>?#%&", c)))
                        fprintf(out, "%%%02X", c);
                else
                        fputc(c, out);
        }
}

static int list(struct kubelet_file *f) {
        struct entry *entries = arena_alloc_array(f->arena, ENTRIES_MAX, sizeof(*entries));
        size_t n = entries ? read_entries(f, entries) : 0, size;
        _cleanup_free_ char *text = NULL;
        FILE *out = entries ? open_memstream(&text, &size) : NULL;

        if (!out)
                return -ENOMEM;
        fputs("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n", out);
        for (size_t i = 0; i < n; i++) {
                const char *slash = entries[i].is_directory ? "/" : "";

                fputs("<a href=\"", out);
                write_escaped(out, entries[i].name, false);
                fprintf(out, "%s\">", slash);
                write_escaped(out, entries[i].name, true);
                fprintf(out, "%s</a>\n", slash);
        }
        fputs("</pre>\n", out);
        if (fclose(out) != 0 || !(f->piece = bytes_copy(text, size)))
                return -ENOMEM;
        return 0;
}

static int read_piece(struct kubelet_file *f) {
        size_t want = f->left < (int64_t)PIECE_SIZE ? (size_t)f->left : PIECE_SIZE, got = 0;
        ssize_t n = 1;

        if (!(f->piece = bytes_new(want)))
                return -ENOMEM;
        while (got < want && n > 0)
                if ((n = read(f->fd, f->piece->data + got, want - got)) > 0)
                        got += (size_t)n;
        if (n < 0)
                return -errno;
        f->left -= (int64_t)want;
        return got < want ? -EIO : 0; /* it was cut */
}

static void work(struct pool_job *job) {
        struct kubelet_file *f = (struct kubelet_file *)job;

        if (!f->began && (f->result = take(f)) < 0)
                return;
        f->result = f->is_directory ? list(f) : f->began && f->left > 0 ? read_piece(f) : 0;
}

/* -- on the loop ------------------------------------------------------------------------------------------- */

static void refuse(struct kubelet_file *f) {
        struct kubelet_request *q = f->q;
        int error = f->result;

        file_free(f);
        if (error == -EACCES || error == -EPERM || error == -EXDEV || error == -ELOOP)
                kubelet_text(q, 403, "403 Forbidden\n");
        else if (error == -ENOENT || error == -ENOTDIR || error == -ENAMETOOLONG)
                kubelet_text(q, 404, "404 page not found\n");
        else
                kubelet_text(q, 500, "500 Internal Server Error\n");
}

static void read_on(struct kubelet_file *f);

static int begin(struct kubelet_file *f) {
        const struct http_field type = { "content-type",
                                         f->is_directory ? "text/html; charset=utf-8" : "text/plain; charset=utf-8" };
        int r;

        f->began = true;
        if (!f->is_directory)
                return http_respond(f->q->x, 200, &type, 1, f->left);
        r = http_respond_whole(f->q->x, 200, &type, 1, f->piece);
        file_free(f);
        return r;
}

static int send_piece(struct kubelet_file *f) {
        struct bytes *piece = TAKE_PTR(f->piece);
        int r = piece ? http_send_bytes(f->q->x, piece) : 0;

        bytes_unref(piece);
        return r;
}

static int go_on(struct kubelet_file *f) {
        bool whole = f->is_directory;
        int r;

        if (!f->began && ((r = begin(f)) < 0 || whole))
                return r;
        if ((r = send_piece(f)) < 0)
                return r;
        if (f->left == 0) {
                r = http_end(f->q->x, NULL, 0);
                file_free(f);
                return r;
        }
        if (http_pending(f->q->x) <= PIECE_SIZE)
                read_on(f);
        return 0;
}

static void done(struct pool_job *job) {
        struct kubelet_file *f = (struct kubelet_file *)job;
        struct http_exchange *x = f->q->x;
        int r;

        f->working = false;
        if (f->q->file != f)
                return file_free(f);
        if (f->result < 0 && !f->began)
                return refuse(f);
        r = f->result < 0 ? f->result : go_on(f);
        if (r < 0)
                http_reset(x, r);
}

static void read_on(struct kubelet_file *f) {
        f->working = true;
        f->job = (struct pool_job){ .work = work, .done = done };
        pool_submit(f->q->kubelet->world.pool, &f->job);
}

void kubelet_file_drained(struct kubelet_request *q) {
        if (q->file && !q->file->working && q->file->began)
                read_on(q->file);
}

static struct kubelet_file *file_new(struct kubelet_request *q, const char *path) {
        struct kubelet_file *f = calloc(1, sizeof(*f));

        if (!f || !(f->arena = arena_new()) || !(f->path = arena_strdup(f->arena, path))) {
                if (f)
                        arena_free(f->arena);
                free(f);
                return NULL;
        }
        f->q = q;
        f->fd = -EBADF;
        kubelet_hold(q);
        q->file = f;
        return f;
}

void kubelet_serve_host_file(struct kubelet_request *q, const char *path) {
        struct kubelet_file *f = file_new(q, path);

        if (!f)
                return http_reset(q->x, -ENOMEM);
        read_on(f);
}

void kubelet_serve_host_logs(struct kubelet_request *q) {
        const struct options_server *server = &q->kubelet->world.options->server;
        const char *path = http_param(q->x, "path") ?: "";

        if (!server->logs)
                return kubelet_text(q, 405, "logs endpoint is disabled.\n");
        path = http_decode(http_arena(q->x), path, strlen(path), false);
        if (!path)
                return kubelet_text(q, 400, "400 Bad Request\n");
        if (server->log_query)
                return kubelet_serve_log_query(q, path);
        kubelet_serve_host_file(q, path);
}
