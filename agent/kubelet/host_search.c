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
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define PIECE_SIZE ((size_t)256 << 10)
#define READ_SIZE ((size_t)64 << 10)

struct kubelet_search {
        struct pool_job job; /* first */
        struct kubelet_request *q;
        struct arena *arena;
        const char *text, *path; /* what is asked */

        bool began, working;                       /* it is answered; a job is under way */
        int read;                                  /* of the question: 1: it is for a file; 0; -ENOMEM */
        struct kubelet_log_query query;            /* its services are those of the journal */
        const char *files[LOG_QUERY_SERVICES_MAX]; /* the other services */
        uint32_t n_files, next_file;
        int fd; /* the file that is read; -EBADF: none */
        struct kubelet_log_refusal refusal;
        struct journal_place place;
        struct bytes *piece;
};

static void search_free(struct kubelet_search *s) {
        struct kubelet_request *q = s->q;

        if (q->search == s)
                q->search = NULL;
        close_fd(s->fd);
        journal_place_clear(&s->place);
        bytes_unref(s->piece);
        arena_free(s->arena);
        free(s);
        kubelet_drop(q);
}

void kubelet_search_closed(struct kubelet_request *q) {
        struct kubelet_search *s = q->search;

        q->search = NULL;
        if (s && s->working)
                atomic_store(&s->place.unwanted, true);
        else if (s)
                search_free(s);
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

static void read_file(struct kubelet_search *s, FILE *out) {
        _cleanup_free_ char *buffer = malloc(READ_SIZE);
        ssize_t n = buffer ? 1 : 0;

        while (n > 0 && (size_t)ftell(out) < PIECE_SIZE)
                if ((n = read(s->fd, buffer, READ_SIZE)) > 0)
                        fwrite(buffer, 1, (size_t)n, out);
        if (n <= 0)
                s->fd = close_fd(s->fd);
}

static void begin_file(struct kubelet_search *s, FILE *out) {
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

static void refuse_options(struct kubelet_search *s, FILE *out) {
        fputs("\noptions present and query resolved to log files for [", out);
        for (; s->next_file < s->n_files; s->next_file++)
                fprintf(out, "%s%s", s->next_file ? " " : "", s->files[s->next_file]);
        fputs("]\ntry without specifying options\n", out);
}

/* -- on the pool: all of it -------------------------------------------------------------------------------- */

/* Services that have not written to the journal may have files. */
static void split(struct kubelet_search *s) {
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

static bool has_ended(const struct kubelet_search *s) {
        return s->place.ended && s->fd < 0 && s->next_file == s->n_files;
}

static void make_piece(struct kubelet_search *s, FILE *out) {
        while (!has_ended(s) && (size_t)ftell(out) < PIECE_SIZE)
                if (!s->place.ended)
                        journal_read(&s->query, PIECE_SIZE, &s->place, out);
                else if (s->fd >= 0)
                        read_file(s, out);
                else if (s->query.any_option)
                        refuse_options(s, out);
                else
                        begin_file(s, out);
}

static void work(struct pool_job *job) {
        struct kubelet_search *s = (struct kubelet_search *)job;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out;

        if (!s->began) {
                s->read = kubelet_log_query_read(s->arena, s->text, s->path, &s->query, &s->refusal);
                if (s->read != 0 || s->refusal.text || s->query.file)
                        return;
                split(s);
        }
        if (!(out = open_memstream(&text, &size)))
                return;
        make_piece(s, out);
        if (fclose(out) == 0)
                s->piece = bytes_copy(text, size);
}

/* -- on the loop ------------------------------------------------------------------------------------------- */

static void read_on(struct kubelet_search *s);

/* It was no search, or there is nothing to be searched. */
static void hand_over(struct kubelet_search *s) {
        struct kubelet_request *q = s->q;
        const char *path = arena_strdup(http_arena(q->x), s->read == 1 ? s->path : s->query.file ?: "");
        const char *refusal = s->refusal.text ? arena_strdup(http_arena(q->x), s->refusal.text) : NULL;
        int status = s->refusal.status;
        bool failed = !path || s->read < 0 || (s->refusal.text && !refusal);

        search_free(s);
        if (failed)
                http_reset(q->x, -ENOMEM);
        else if (refusal)
                kubelet_text(q, status, "%s", refusal);
        else
                kubelet_serve_host_file(q, path);
}

static int send_piece(struct kubelet_search *s) {
        struct bytes *piece = TAKE_PTR(s->piece);
        int r = piece->size > 0 ? http_send_bytes(s->q->x, piece) : 0;

        bytes_unref(piece);
        return r;
}

static int go_on(struct kubelet_search *s) {
        static const struct http_field type = { "content-type", "text/plain;charset=UTF-8" };
        int r;

        if (!s->piece)
                return -ENOMEM;
        if (!s->began && (r = http_respond(s->q->x, 200, &type, 1, -1)) < 0)
                return r;
        s->began = true;
        if ((r = send_piece(s)) < 0)
                return r;
        if (has_ended(s)) {
                r = http_end(s->q->x, NULL, 0);
                search_free(s);
                return r;
        }
        if (http_pending(s->q->x) <= PIECE_SIZE)
                read_on(s);
        return 0;
}

static void done(struct pool_job *job) {
        struct kubelet_search *s = (struct kubelet_search *)job;
        struct http_exchange *x = s->q->x;
        int r;

        s->working = false;
        if (s->q->search != s)
                return search_free(s);
        if (!s->began && (s->read != 0 || s->refusal.text || s->query.file))
                return hand_over(s);
        if ((r = go_on(s)) < 0)
                http_reset(x, r);
}

static void read_on(struct kubelet_search *s) {
        s->working = true;
        s->job = (struct pool_job){ .work = work, .done = done };
        pool_submit(s->q->kubelet->world.pool, &s->job);
}

void kubelet_search_drained(struct kubelet_request *q) {
        if (q->search && !q->search->working && q->search->began)
                read_on(q->search);
}

void kubelet_serve_log_query(struct kubelet_request *q, const char *path) {
        struct kubelet_search *s = calloc(1, sizeof(*s));

        if (!s || !(s->arena = arena_new()) || !(s->path = arena_strdup(s->arena, path)) ||
            !(s->text = arena_strdup(s->arena, http_request_of(q->x)->query))) {
                if (s)
                        arena_free(s->arena);
                free(s);
                return http_reset(q->x, -ENOMEM);
        }
        s->q = q;
        s->fd = -EBADF;
        kubelet_hold(q);
        q->search = s;
        read_on(s);
}
