#include "api/discovery/openapi.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/server/negotiate.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "kube/openapi/version2.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"
#include "lib/json_writer.h"
#include "lib/table.h"

#define ROOT "/openapi/v3"
#define YEAR_S (365 * 24 * 3600)

struct kept {
        struct table_node node; /* by @path */
        char *path;
        struct api_document document;
};

struct api_openapi {
        const struct kube_registry *registry;
        pthread_mutex_t lock; /* of what follows */
        uint64_t generation;  /* of the registry, that the documents are of */
        struct table documents;
};

static void kept_free(struct kept *kept) {
        if (!kept)
                return;
        http_body_unref(kept->document.body);
        free(kept->path);
        free(kept);
}

static void kept_freep(struct kept **kept) {
        kept_free(*kept);
}
#define _cleanup_kept_ __attribute__((cleanup(kept_freep)))

static void forget(struct api_openapi *all) {
        for (size_t i = 0; i < all->documents.n_buckets; i++)
                for (struct table_node *node = all->documents.buckets[i], *next; node; node = next) {
                        next = node->next;
                        kept_free(table_object(node, struct kept, node));
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

/* Of "apis/apps/v1" or "api/v1". */
static int write_version(const struct kube_registry *registry, const char *path, struct json_writer *w) {
        const char *rest = strncmp(path, "apis/", 5) == 0 ? path + 5 : NULL, *slash = rest ? strchr(rest, '/') : NULL;
        _cleanup_free_ char *group = NULL;

        if (strncmp(path, "api/", 4) == 0)
                return openapi_write(w, registry, "", path + 4);
        if (!slash || slash == rest)
                return -ENOENT;
        group = strndup(rest, (size_t)(slash - rest));
        return group ? openapi_write(w, registry, group, slash + 1) : -ENOMEM;
}

static void write_hash(const void *text, size_t length, char ret_hash[API_DOCUMENT_HASH_MAX]) {
        uint8_t digest[SHA1_SIZE];

        sha1(text, length, digest);
        for (size_t i = 0; i < SHA1_SIZE; i++)
                snprintf(ret_hash + 2 * i, 3, "%02X", digest[i]);
}

static int write_document(const struct kube_registry *registry, const char *path, struct json_writer *w) {
        if (!*path)
                return openapi_write_index(w, registry);
        if (strcmp(path, API_DOCUMENT_V2) == 0 || strcmp(path, API_DOCUMENT_V2_PROTOBUF) == 0)
                return openapi_write_version2(w, registry);
        return write_version(registry, path, w);
}

static struct bytes *bytes_of(const char *path, const struct json_writer *w) {
        _cleanup_free_ uint8_t *protobuf = NULL;
        size_t size = 0;

        if (strcmp(path, API_DOCUMENT_V2_PROTOBUF) != 0)
                return bytes_copy(w->text, w->length);
        if (openapi_version2_protobuf(w->text, w->length, &protobuf, &size) < 0)
                return NULL;
        return bytes_copy(protobuf, size);
}

static int make(const struct kube_registry *registry, const char *path, struct kept **ret_kept) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_kept_ struct kept *kept = calloc(1, sizeof(*kept));
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int error;

        if (!kept)
                return -ENOMEM;
        error = write_document(registry, path, &w);
        if (error < 0)
                return error;
        bytes = bytes_of(path, &w);
        kept->document.body = bytes ? http_body_new(bytes) : NULL;
        kept->path = strdup(path);
        if (!kept->document.body || !kept->path)
                return -ENOMEM;
        write_hash(bytes->data, bytes->size, kept->document.hash);
        *ret_kept = TAKE_PTR(kept);
        return 0;
}

/* With the lock. */
static int find(struct api_openapi *all, const char *path, struct kept **ret_kept) {
        uint64_t generation = kube_registry_generation(all->registry);
        _cleanup_kept_ struct kept *made = NULL;
        struct kept *known;
        int error;

        if (all->generation != generation)
                forget(all);
        all->generation = generation;
        known = table_object(table_find(&all->documents, path), struct kept, node);
        if (known) {
                *ret_kept = known;
                return 0;
        }
        error = make(all->registry, path, &made);
        error = error ?: table_add(&all->documents, &made->node, made->path);
        if (error < 0)
                return error;
        *ret_kept = TAKE_PTR(made);
        return 0;
}

int api_openapi_take(struct api_openapi *all, const char *path, struct api_document *ret_document) {
        struct kept *kept;
        int error;

        pthread_mutex_lock(&all->lock);
        error = find(all, path, &kept);
        if (error == 0) {
                http_body_ref(kept->document.body);
                *ret_document = kept->document;
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
static void send_document(struct api_request *r, const struct api_document *document, bool for_good) {
        char etag[API_DOCUMENT_HASH_MAX + 2], expires[64];
        const struct http_field fields[] = {
                { "cache-control", for_good ? "public, immutable" : "no-cache, private" },
                { "content-type", "application/json" },
                { "etag", etag },
                { "vary", "Accept" },
                { "expires", year_ahead(expires, sizeof(expires)) },
        };
        size_t n = for_good ? ELEMENTS(fields) : ELEMENTS(fields) - 1;
        bool known;

        snprintf(etag, sizeof(etag), "\"%s\"", document->hash);
        known = is_known(r, etag);
        api_respond_with(r, known ? 304 : 200, fields, n, known ? NULL : document->body);
}

/* By a hash of another time: where the document of now is. */
static void send_elsewhere(struct api_request *r, const char *path, const char *hash) {
        const char *to = arena_printf(r->arena, ROOT "/%s?hash=%s", path, hash);
        const struct http_field fields[] = { { "location", to ?: ROOT }, { "cache-control", "no-cache, private" } };

        api_respond_with(r, 301, fields, ELEMENTS(fields), NULL);
}

static void send_no_form(struct api_request *r) {
        static const struct http_field fields[] = { { "cache-control", "no-cache, private" }, { "vary", "Accept" } };

        api_respond_with(r, 406, fields, ELEMENTS(fields), NULL);
}

/* The index goes to everybody, as it does there. */
static bool takes(const struct api_request *r, const char *rest) {
        return !*rest || api_takes_json(http_fields_get(&http_request_of(r->x)->fields, "accept"));
}

enum api_step api_openapi_show(struct api_request *r, const char *rest) {
        const char *query = http_request_of(r->x)->query, *hash = http_query(r->arena, query, "hash");
        bool empty = !*rest && strcmp(r->path.whole, ROOT) != 0; /* "/openapi/v3/" */
        struct api_document document;
        int error = empty ? -ENOENT : api_openapi_take(r->server->config.openapi, rest, &document);

        if (error == -ENOENT)
                return api_no_page(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        hash = hash && *hash && *rest ? hash : NULL;
        if (!takes(r, rest))
                send_no_form(r);
        else if (hash && strcmp(hash, document.hash) != 0)
                send_elsewhere(r, rest, document.hash);
        else
                send_document(r, &document, hash);
        http_body_unref(document.body);
        return API_END;
}
