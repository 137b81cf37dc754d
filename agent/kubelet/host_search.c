/* /logs/?query=SERVICE: what services have written, to the journal or to files below /var/log (KEP-2258). What blocks
 * is done on the pool, piece by piece, as fast as the client takes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kubelet/host_file.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/journal.h"
#include "agent/kubelet/pieces.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define READ_SIZE ((size_t)64 << 10)

/* At a time. Each may keep a thread of the pool at work for JOURNAL_QUERY_MS, and pods need some, too. */
#define SEARCHES_MAX (POOL_THREADS_MAX / 2)

static unsigned n_searches; /* on the loop; also those whose kubelet has gone */

struct host_search {
        struct kubelet_pieces pieces; /* first */
        const char *text, *path;      /* what is asked */

        int read;                                  /* of the question: 1: it is for a file; 0; -ENOMEM */
        struct kubelet_log_query query;            /* its services are those of the journal */
        const char *files[LOG_QUERY_SERVICES_MAX]; /* the other services */
        uint32_t n_files, next_file;
        int fd; /* the file that is read; -EBADF: none */
        struct kubelet_log_refusal refusal;
        struct journal_place place;
};

static void clear(struct kubelet_pieces *p) {
        struct host_search *s = (struct host_search *)p;

        n_searches--;
        close_fd(s->fd);
        journal_place_clear(&s->place);
}

static void unwanted(struct kubelet_pieces *p) {
        atomic_store(&((struct host_search *)p)->place.unwanted, true);
}

/* -- on the pool: files ------------------------------------------------------------------------------------ */

/* A file's descriptor; a directory is none, since the service's file may be in it. */
static int open_log(const char *path) {
        _cleanup_close_ int fd = kubelet_open_host_file(path, false);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -ENOENT;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

#define PATH_MAX_OF_SERVICE (2 * LOG_QUERY_SERVICE_MAX + 8)

/* SERVICE, SERVICE.log, SERVICE/SERVICE.log: the first that there is; @ret_path is the last that was tried. */
static int open_service(const char *service, char ret_path[PATH_MAX_OF_SERVICE]) {
        static const struct form {
                bool directory;
                const char *end;
        } forms[] = { { false, "" }, { false, ".log" }, { true, ".log" } };
        int fd = -ENOENT;

        for (size_t i = 0; i < ELEMENTS(forms) && fd == -ENOENT; i++) {
                bool in = forms[i].directory;

                snprintf(ret_path, PATH_MAX_OF_SERVICE, "%s%s%s%s", in ? service : "", in ? "/" : "", service,
                         forms[i].end);
                fd = open_log(ret_path);
        }
        return fd;
}

static void read_file(struct host_search *s, FILE *out) {
        _cleanup_free_ char *buffer = malloc(READ_SIZE);
        ssize_t n = buffer ? 1 : 0;

        while (n > 0 && (size_t)ftell(out) < KUBELET_PIECE_SIZE)
                if ((n = read(s->fd, buffer, READ_SIZE)) > 0)
                        fwrite(buffer, 1, (size_t)n, out);
        if (n <= 0)
                s->fd = close_fd(s->fd);
}

static void begin_file(struct host_search *s, FILE *out) {
        const char *service = s->files[s->next_file++];
        char path[PATH_MAX_OF_SERVICE], why[HOST_FILE_TEXT_MAX];
        int fd = open_service(service, path);

        if (fd == -ENOENT)
                fprintf(out, "\nlog not found for %s\n", service);
        else if (fd < 0)
                fprintf(out, "\nerror getting log for %s: openat %s: %s\n", service, path,
                        kubelet_host_file_error(fd, why));
        s->fd = fd < 0 ? -EBADF : fd;
}

static void refuse_options(struct host_search *s, FILE *out) {
        fputs("\noptions present and query resolved to log files for [", out);
        for (; s->next_file < s->n_files; s->next_file++)
                fprintf(out, "%s%s", s->next_file ? " " : "", s->files[s->next_file]);
        fputs("]\ntry without specifying options\n", out);
}

/* -- on the pool: all of it -------------------------------------------------------------------------------- */

/* Services that have not written to the journal may have files. */
static void split(struct host_search *s) {
        struct kubelet_log_query *q = &s->query;
        uint32_t kept = 0;

        for (uint32_t i = 0; i < q->n_services; i++)
                if (journal_has_service(q->services[i]))
                        q->services[kept++] = q->services[i];
                else
                        s->files[s->n_files++] = q->services[i];
        q->n_services = kept;
        s->place.ended = kept == 0;
}

static bool has_ended(const struct host_search *s) {
        return s->place.ended && s->fd < 0 && s->next_file == s->n_files;
}

static void make_piece(struct host_search *s, FILE *out) {
        while (!has_ended(s) && (size_t)ftell(out) < KUBELET_PIECE_SIZE)
                if (!s->place.ended)
                        journal_read(&s->query, KUBELET_PIECE_SIZE, &s->place, out);
                else if (s->fd >= 0)
                        read_file(s, out);
                else if (s->query.any_option)
                        refuse_options(s, out);
                else
                        begin_file(s, out);
}

/* Whether the answer is no search's: see hand_over(). */
static bool is_other(const struct host_search *s) {
        return s->read != 0 || s->refusal.text || s->query.file;
}

static int make(struct kubelet_pieces *p) {
        struct host_search *s = (struct host_search *)p;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out;

        if (!p->began) {
                s->read = kubelet_log_query_read(p->arena, s->text, s->path, &s->query, &s->refusal);
                if (is_other(s))
                        return 0;
                split(s);
        }
        if (!(out = open_memstream(&text, &size)))
                return -ENOMEM;
        make_piece(s, out);
        if (fclose(out) != 0 || !(p->piece = bytes_copy(text, size)))
                return -ENOMEM;
        p->ended = has_ended(s);
        return 0;
}

/* -- on the loop ------------------------------------------------------------------------------------------- */

/* It was no search, or there is nothing to be searched. */
static void hand_over(struct host_search *s) {
        struct kubelet_request *q = s->pieces.q;
        const char *path = arena_strdup(http_arena(q->x), s->read == 1 ? s->path : s->query.file ?: "");
        const char *refusal = s->refusal.text ? arena_strdup(http_arena(q->x), s->refusal.text) : NULL;
        int status = s->refusal.status;
        bool failed = !path || s->read < 0 || (s->refusal.text && !refusal);

        kubelet_pieces_free(&s->pieces);
        if (failed)
                http_reset(q->x, -ENOMEM);
        else if (refusal)
                kubelet_text(q, status, "%s", refusal);
        else
                kubelet_serve_host_file(q, path);
}

static int begin(struct kubelet_pieces *p, int result) {
        static const struct http_field type = { "content-type", "text/plain;charset=UTF-8" };
        struct host_search *s = (struct host_search *)p;

        if (result < 0)
                return result;
        if (is_other(s)) {
                hand_over(s);
                return 1;
        }
        return http_respond(p->q->x, 200, &type, 1, -1);
}

static const struct kubelet_pieces_maker maker = {
        .size = sizeof(struct host_search),
        .make = make,
        .begin = begin,
        .unwanted = unwanted,
        .clear = clear,
};

void kubelet_serve_log_query(struct kubelet_request *q, const char *path) {
        struct host_search *s;

        if (n_searches >= SEARCHES_MAX)
                return kubelet_refuse_too_many(q);
        if (!(s = (struct host_search *)kubelet_pieces_new(q, &maker)))
                return http_reset(q->x, -ENOMEM);
        n_searches++;
        s->fd = -EBADF;
        s->path = arena_strdup(s->pieces.arena, path);
        s->text = arena_strdup(s->pieces.arena, http_request_of(q->x)->query);
        if (!s->path || !s->text) {
                kubelet_pieces_free(&s->pieces);
                return http_reset(q->x, -ENOMEM);
        }
        kubelet_pieces_start(&s->pieces);
}
