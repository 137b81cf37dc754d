/* /logs/: the host's files below /var/log, as Go's http.FileServer serves them. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kubelet/host_file.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/pieces.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define ENTRIES_MAX 10000 /* of a directory that are listed */

/* A file or directory on its way to the client. */
struct host_file {
        struct kubelet_pieces pieces; /* first */
        const char *path;             /* beneath HOST_LOGS */
        int fd;
        bool is_directory;
        int64_t left; /* bytes of the file: what comes behind its size at the beginning is not sent */
};

static void clear(struct kubelet_pieces *p) {
        close_fd(((struct host_file *)p)->fd);
}

/* -- on the pool ------------------------------------------------------------------------------------------- */

static int take(struct host_file *f) {
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

static size_t read_entries(struct host_file *f, struct entry *entries) {
        _cleanup_closedir_ DIR *dir = open_dir(TAKE_FD(f->fd));
        struct dirent *d;
        size_t n = 0;

        while (dir && n < ENTRIES_MAX && (d = readdir(dir))) {
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                entries[n].is_directory = d->d_type == DT_DIR;
                if ((entries[n].name = arena_strdup(f->pieces.arena, d->d_name)))
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

static int list(struct host_file *f) {
        struct entry *entries = arena_alloc_array(f->pieces.arena, ENTRIES_MAX, sizeof(*entries));
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
        if (fclose(out) != 0 || !(f->pieces.piece = bytes_copy(text, size)))
                return -ENOMEM;
        return 0;
}

static int read_piece(struct host_file *f) {
        size_t want = f->left < (int64_t)KUBELET_PIECE_SIZE ? (size_t)f->left : KUBELET_PIECE_SIZE, got = 0;
        ssize_t n = 1;

        if (!(f->pieces.piece = bytes_new(want)))
                return -ENOMEM;
        while (got < want && n > 0)
                if ((n = read(f->fd, f->pieces.piece->data + got, want - got)) > 0)
                        got += (size_t)n;
        if (n < 0)
                return -errno;
        f->left -= (int64_t)want;
        return got < want ? -EIO : 0; /* it was cut */
}

static int make(struct kubelet_pieces *p) {
        struct host_file *f = (struct host_file *)p;
        int r;

        if (!p->began && (r = take(f)) < 0)
                return r;
        if (f->is_directory)
                return list(f);
        if (p->began && f->left > 0 && (r = read_piece(f)) < 0)
                return r;
        p->ended = f->left == 0;
        return 0;
}

/* -- on the loop ------------------------------------------------------------------------------------------- */

static void refuse(struct kubelet_request *q, int error) {
        if (error == -EACCES || error == -EPERM || error == -EXDEV || error == -ELOOP)
                kubelet_text(q, 403, "403 Forbidden\n");
        else if (error == -ENOENT || error == -ENOTDIR || error == -ENAMETOOLONG)
                kubelet_text(q, 404, "404 page not found\n");
        else
                kubelet_text(q, 500, "500 Internal Server Error\n");
}

/* A directory's place ends with a slash, for the links in its list begin there: as http.FileServer sends on to it. */
static int send_on(const struct host_file *f) {
        const char *query = http_request_of(f->pieces.q->x)->query, *slash = strrchr(f->path, '/');
        _cleanup_free_ char *place = NULL;
        size_t size;
        FILE *out = open_memstream(&place, &size);

        if (!out)
                return -ENOMEM;
        write_escaped(out, slash ? slash + 1 : f->path, false);
        fprintf(out, "/%s%s", *query ? "?" : "", query);
        if (fclose(out) != 0)
                return -ENOMEM;
        return http_respond_whole(f->pieces.q->x, 301, &(struct http_field){ "location", place }, 1, NULL);
}

static int begin(struct kubelet_pieces *p, int result) {
        const struct host_file *f = (struct host_file *)p;
        struct kubelet_request *q = p->q;
        const struct http_field type = { "content-type",
                                         f->is_directory ? "text/html; charset=utf-8" : "text/plain; charset=utf-8" };
        int r = 0;

        if (result < 0) {
                kubelet_pieces_free(p);
                refuse(q, result);
                return 1;
        }
        if (!f->is_directory)
                return http_respond(q->x, 200, &type, 1, f->left);
        if (*f->path && f->path[strlen(f->path) - 1] != '/')
                r = send_on(f);
        else if (kubelet_hold_answer(q, p->piece->size))
                r = http_respond_whole(q->x, 200, &type, 1, p->piece);
        else
                kubelet_refuse_too_many(q);
        kubelet_pieces_free(p);
        return r < 0 ? r : 1;
}

static const struct kubelet_pieces_maker maker = {
        .size = sizeof(struct host_file),
        .make = make,
        .begin = begin,
        .clear = clear,
};

void kubelet_serve_host_file(struct kubelet_request *q, const char *path) {
        struct host_file *f = (struct host_file *)kubelet_pieces_new(q, &maker);

        if (!f)
                return http_reset(q->x, -ENOMEM);
        f->fd = -EBADF;
        f->path = arena_strdup(f->pieces.arena, path);
        if (!f->path) {
                kubelet_pieces_free(&f->pieces);
                return http_reset(q->x, -ENOMEM);
        }
        kubelet_pieces_start(&f->pieces);
}

/* As Go's mux: what the list links to begins behind the slash. */
static void send_to_slash(struct kubelet_request *q) {
        const char *query = http_request_of(q->x)->query;
        struct http_field place = { "location",
                                    arena_printf(http_arena(q->x), "/logs/%s%s", *query ? "?" : "", query) };

        if (!place.value || http_respond_whole(q->x, 307, &place, 1, NULL) < 0)
                http_reset(q->x, -ENOMEM);
}

void kubelet_serve_host_logs(struct kubelet_request *q) {
        const struct options_server *server = &q->kubelet->world.options->server;
        const char *path = http_param(q->x, "path");

        if (!path)
                return send_to_slash(q);
        if (!server->logs)
                return kubelet_text(q, 405, "logs endpoint is disabled.\n");
        path = http_decode(http_arena(q->x), path, strlen(path), false);
        if (!path)
                return kubelet_text(q, 400, "400 Bad Request\n");
        if (kubelet_pieces_full())
                return kubelet_refuse_too_many(q);
        if (server->log_query)
                return kubelet_serve_log_query(q, path);
        kubelet_serve_host_file(q, path);
}
