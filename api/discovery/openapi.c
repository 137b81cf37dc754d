#include "api/discovery/openapi.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"
#include "lib/json_writer.h"
#include "lib/sha1.h"
#include "lib/table.h"

#define ROOT "/openapi/v3"
#define HASH_MAX (2 * SHA1_SIZE + 1)
#define YEAR_S (365 * 24 * 3600)

struct document {
        struct table_node node; /* by @path */
        char *path;             /* "apis/apps/v1"; "": the index */
        struct http_body *body;
        char hash[HASH_MAX];
};

struct api_openapi {
        const struct kube_registry *registry;
        pthread_mutex_t lock; /* of what follows */
        uint64_t generation;  /* of the registry, that the documents are of */
        struct table documents;
};

static void document_free(struct document *document) {
        if (!document)
                return;
        http_body_unref(document->body);
        free(document->path);
        free(document);
}

static void document_freep(struct document **document) {
        document_free(*document);
}
#define _cleanup_document_ __attribute__((cleanup(document_freep)))

static void forget(struct api_openapi *all) {
        for (size_t i = 0; i < all->documents.n_buckets; i++)
                for (struct table_node *node = all->documents.buckets[i], *next; node; node = next) {
                        next = node->next;
                        document_free(table_object(node, struct document, node));
                }
        table_clear(&all->documents);
}

struct api_openapi *api_openapi_new(const struct kube_registry *registry) {
        struct api_openapi *all = calloc(1, sizeof(*all));

        if (!all)
                return NULL;
        all->registry = registry;
        pthread_mutex_init(&all->lock, NULL);
        return all;
}

struct api_openapi *api_openapi_free(struct api_openapi *all) {
        if (!all)
                return NULL;
        forget(all);
        pthread_mutex_destroy(&all->lock);
        free(all);
        return NULL;
}

/* --- documents --- */

/* "apis/apps/v1" or "api/v1" in two; the texts are in @arena. */
static bool read_path(struct arena *arena, const char *path, const char **ret_group, const char **ret_version) {
        const char *group = strncmp(path, "apis/", 5) == 0 ? path + 5 : NULL,
                   *slash = group ? strchr(group, '/') : NULL;

        if (strncmp(path, "api/", 4) == 0) {
                *ret_group = "";
                *ret_version = path + 4;
                return true;
        }
        if (!slash)
                return false;
        *ret_group = arena_strndup(arena, group, (size_t)(slash - group));
        *ret_version = slash + 1;
        return *ret_group && **ret_group;
}

static int write_document(struct api_request *r, const struct kube_registry *registry, const char *path,
                          struct json_writer *w) {
        const char *group, *version;

        if (!*path)
                return openapi_write_index(w, registry);
        return read_path(r->arena, path, &group, &version) ? openapi_write(w, registry, group, version) : -ENOENT;
}

static void write_hash(const void *text, size_t length, char ret_hash[HASH_MAX]) {
        uint8_t digest[SHA1_SIZE];

        sha1(text, length, digest);
        for (size_t i = 0; i < SHA1_SIZE; i++)
                snprintf(ret_hash + 2 * i, 3, "%02X", digest[i]);
}

static int make_document(struct api_request *r, const struct kube_registry *registry, const char *path,
                         struct document **ret_document) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_document_ struct document *document = calloc(1, sizeof(*document));
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int error = document ? write_document(r, registry, path, &w) : -ENOMEM;

        if (error < 0)
                return error;
        bytes = bytes_copy(w.text, w.length);
        document->body = bytes ? http_body_new(bytes) : NULL;
        document->path = strdup(path);
        if (!document->body || !document->path)
                return -ENOMEM;
        write_hash(w.text, w.length, document->hash);
        *ret_document = TAKE_PTR(document);
        return 0;
}

/* With the lock: it is made once, whoever asks meanwhile waits for that. */
static int find_document(struct api_openapi *all, struct api_request *r, const char *path,
                         struct document **ret_document) {
        _cleanup_document_ struct document *made = NULL;
        uint64_t generation = kube_registry_generation(all->registry);
        struct document *known;
        int error;

        if (all->generation != generation)
                forget(all);
        all->generation = generation;
        known = table_object(table_find(&all->documents, path), struct document, node);
        if (known) {
                *ret_document = known;
                return 0;
        }
        error = make_document(r, all->registry, path, &made) ?: table_add(&all->documents, &made->node, made->path);
        if (error < 0)
                return error;
        *ret_document = TAKE_PTR(made);
        return 0;
}

/* A document as one request has it. */
struct shown {
        struct http_body *body; /* a reference */
        char hash[HASH_MAX];
};

static int take_document(struct api_request *r, const char *path, struct shown *ret_shown) {
        struct api_openapi *all = r->server->config.openapi;
        struct document *document;
        int error;

        pthread_mutex_lock(&all->lock);
        error = find_document(all, r, path, &document);
        if (error == 0) {
                ret_shown->body = http_body_ref(document->body);
                memcpy(ret_shown->hash, document->hash, HASH_MAX);
        }
        pthread_mutex_unlock(&all->lock);
        return error;
}

/* --- answers --- */

static bool is_known(const struct api_request *r, const char *etag) {
        const char *asked = http_fields_get(&http_request_of(r->x)->fields, "if-none-match");

        return asked && strcmp(asked, etag) == 0;
}

static const char *year_ahead(char *text, size_t size) {
        time_t at = time(NULL) + YEAR_S;
        struct tm tm;

        gmtime_r(&at, &tm);
        strftime(text, size, "%a, %d %b %Y %H:%M:%S UTC", &tm);
        return text;
}

/* @for_good: what was asked for by its hash is never another. */
static void send_document(struct api_request *r, const struct shown *shown, bool for_good) {
        char etag[HASH_MAX + 2], expires[64];
        const struct http_field fields[] = {
                { "cache-control", for_good ? "public, immutable" : "no-cache, private" },
                { "content-type", "application/json" },
                { "etag", etag },
                { "vary", "Accept" },
                { "expires", year_ahead(expires, sizeof(expires)) },
        };
        size_t n = for_good ? ELEMENTS(fields) : ELEMENTS(fields) - 1;
        struct http_exchange *x;
        bool known;
        int error;

        snprintf(etag, sizeof(etag), "\"%s\"", shown->hash);
        known = is_known(r, etag);
        x = api_let_go(r);
        error = known ? http_respond_whole(x, 304, fields, n, NULL, NULL, 0) :
                        http_respond_body(x, 200, fields, n, shown->body);
        if (error < 0)
                http_reset(x, error);
}

/* By a hash of another time: where the document of now is. */
static void send_elsewhere(struct api_request *r, const char *path, const char *hash) {
        const char *to = arena_printf(r->arena, ROOT "/%s?hash=%s", path, hash);
        const struct http_field fields[] = { { "location", to ?: ROOT }, { "cache-control", "no-cache, private" } };
        struct http_exchange *x = api_let_go(r);
        int error = http_respond_whole(x, 301, fields, ELEMENTS(fields), NULL, NULL, 0);

        if (error < 0)
                http_reset(x, error);
}

enum api_step api_openapi_show(struct api_request *r, const char *rest) {
        const char *query = http_request_of(r->x)->query, *hash = http_query(r->arena, query, "hash");
        struct shown shown;
        int error = take_document(r, rest, &shown);

        if (error == -ENOENT)
                return api_no_page(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        hash = hash && *hash && *rest ? hash : NULL;
        if (hash && strcmp(hash, shown.hash) != 0)
                send_elsewhere(r, rest, shown.hash);
        else
                send_document(r, &shown, hash);
        http_body_unref(shown.body);
        return API_END;
}
