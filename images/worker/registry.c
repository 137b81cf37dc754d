#include "images/worker/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "images/worker/elsewhere.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define GET_RETRIES_MAX 3

int registry_open(const struct image_transfer_request *request, const struct image_reference *reference, bool push,
                  struct registry *ret, struct err **err) {
        int r;

        *ret = (struct registry){ .path = image_reference_path(reference),
                                  .push = push,
                                  .request = request,
                                  .lock = PTHREAD_MUTEX_INITIALIZER };
        image_reference_host(reference, ret->host);
        r = endpoints_find(request, ret->host, ret->path, &ret->endpoints, err);
        return r < 0 ? err_wrap(err, r, "registry %s", ret->host) : 0;
}

void registry_close(struct registry *registry) {
        endpoints_clear(&registry->endpoints);
        while (registry->n_elsewhere > 0)
                elsewhere_free(registry->elsewhere[--registry->n_elsewhere]);
        while (registry->n_idle > 0)
                image_http_free(registry->idle[--registry->n_idle]);
}

/* One whose connection is open, or a new one; NULL without memory. */
static struct http *take_http(struct registry *registry) {
        struct http *http = NULL;

        pthread_mutex_lock(&registry->lock);
        if (registry->n_idle > 0)
                http = registry->idle[--registry->n_idle];
        pthread_mutex_unlock(&registry->lock);
        return http ?: image_http_new();
}

static void give_back(struct registry *registry, struct http *http) {
        pthread_mutex_lock(&registry->lock);
        if (registry->n_idle < REGISTRY_IDLE_MAX)
                registry->idle[registry->n_idle++] = TAKE_PTR(http);
        pthread_mutex_unlock(&registry->lock);
        image_http_free(http);
}

char *registry_url(const struct registry *registry, const struct endpoint *e, const char *what) {
        _cleanup_free_ char *path = e->origin ? strdup(registry->path) : endpoint_path(e, registry->path);
        bool same = e->origin || strcmp(e->host, registry->host) == 0;
        char *url;

        /* a mirror that serves several registries is told which, as containerd does */
        if (!path ||
            asprintf(&url, "%s/%s/%s%s%s", e->base, path, what, same ? "" : "?ns=", same ? "" : registry->host) < 0)
                return NULL;
        return url;
}

bool registry_is_transient(int error) {
        return error == -EAGAIN || error == -ECONNRESET || error == -ETIMEDOUT || error == -ECONNREFUSED;
}

unsigned registry_backoff(unsigned attempt, unsigned retry_after) {
        unsigned ms = attempt < 6 ? REGISTRY_BACKOFF_MS << attempt : REGISTRY_BACKOFF_MAX_MS;

        if (retry_after > 0)
                return (retry_after < REGISTRY_RETRY_AFTER_MAX_SECONDS ? retry_after :
                                                                         REGISTRY_RETRY_AFTER_MAX_SECONDS) *
                       1000;
        return ms < REGISTRY_BACKOFF_MAX_MS ? ms : REGISTRY_BACKOFF_MAX_MS;
}

static void sleep_ms(unsigned ms) {
        struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

        nanosleep(&time, NULL);
}

/* A document that any of a registry's servers may have. */
struct get {
        struct registry *registry;
        struct http *http;
        const char *what, *accept;
        size_t max;
        struct image_http_response *response;
};

static int get_once(const struct get *get, struct endpoint *e, struct err **err) {
        _cleanup_free_ char *url = registry_url(get->registry, e, get->what);
        struct image_http_request q = {
                .method = "GET", .url = url, .headers = { get->accept }, .n_headers = 1, .max = get->max
        };

        if (!url)
                return err_set(err, ENOMEM, "out of memory");
        return registry_perform(get->registry, e, get->http, &q, get->response, err);
}

static int get_from(const struct get *get, struct endpoint *e, struct err **err) {
        for (unsigned attempt = 0;; attempt++) {
                struct err *cause = NULL;
                int r = get_once(get, e, &cause);

                /* with another server to go to, one that is down is not waited for */
                if (r == 0 || !registry_is_transient(r) || attempt + 1 >= GET_RETRIES_MAX || !e->origin)
                        return r < 0 ? err_move(err, cause) : 0;
                err_free(cause);
                sleep_ms(registry_backoff(attempt, get->response->retry_after));
        }
}

static int get_from_any(const struct get *get, struct err **err) {
        struct registry *registry = get->registry;
        /* which bytes a tag stands for, only a server that may resolve is believed */
        bool resolves = strncmp(get->what, "manifests/", 10) == 0 && !strchr(get->what, ':'), passed_over = false;
        struct err *last = NULL;
        int r = -ENOENT;

        for (size_t i = 0; i < registry->endpoints.count; i++) {
                struct endpoint *e = &registry->endpoints.items[(registry->preferred + i) % registry->endpoints.count];

                if (!(resolves ? e->resolve : e->pull)) {
                        passed_over = true;
                        continue;
                }
                err_free(last);
                last = NULL;
                r = get_from(get, e, &last);
                if (r == 0 && !passed_over)
                        registry->preferred = (size_t)(e - registry->endpoints.items);
                if (r == 0)
                        return 0;
        }
        if (!last)
                return err_set(err, ENOENT, "no server of registry %s may be pulled from", registry->host);
        return err_move(err, last);
}

int registry_get(struct registry *registry, const char *what, const char *accept, size_t max,
                 struct image_http_response *response, struct err **err) {
        const struct get get = { registry, take_http(registry), what, accept, max, response };
        int r;

        if (!get.http)
                return err_set(err, ENOMEM, "out of memory");
        r = get_from_any(&get, err);
        give_back(registry, get.http);
        return r;
}

/* Where a blob's bytes go. */
struct blob_sink {
        struct feed *feed;
        uint64_t offset;      /* taken so far */
        uint64_t skip;        /* bytes that are there already and come again */
        bool begun;           /* this answer has */
        unsigned retry_after; /* of the last answer; seconds */
};

static int on_blob(void *data, bool partial, const void *bytes, size_t n) {
        struct blob_sink *s = data;
        size_t skip;
        int r;

        if (feed_failed(s->feed))
                return -ECANCELED;
        if (!s->begun) {
                s->begun = true;
                s->skip = partial ? 0 : s->offset; /* a server without ranges begins anew */
        }
        skip = s->skip < n ? (size_t)s->skip : n;
        s->skip -= skip;
        if (n - skip > s->feed->size - s->offset)
                return -EBADMSG;
        r = feed_put(s->feed, (const char *)bytes + skip, n - skip);
        if (r == 0)
                s->offset += n - skip;
        return r;
}

static int fetch_from(struct registry *registry, struct endpoint *e, struct http *http, const struct descriptor *blob,
                      struct blob_sink *sink, struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        _cleanup_free_ char *url = NULL;
        char what[IMAGE_DIGEST_LENGTH + 16];
        int r;

        snprintf(what, sizeof(what), "blobs/%s", blob->digest);
        url = registry_url(registry, e, what);
        if (!url)
                return err_set(err, ENOMEM, "out of memory");
        struct image_http_request q = {
                .method = "GET", .url = url, .offset = sink->offset, .sink = on_blob, .data = sink
        };

        sink->begun = false;
        r = registry_perform(registry, e, http, &q, &response, err);
        sink->retry_after = response.retry_after;
        if (r == 0 && sink->offset < blob->size)
                return err_set(err, ECONNRESET, "%s: the blob ended after %llu of %llu bytes", url,
                               (unsigned long long)sink->offset, (unsigned long long)blob->size);
        return r;
}

static int fetch_from_any(struct registry *registry, struct http *http, const struct descriptor *blob,
                          struct blob_sink *sink, struct err **err) {
        struct feed *feed = sink->feed;
        size_t n = registry->endpoints.count, tried = 0;
        unsigned attempt = 0;
        int r = -ENOENT;

        while (tried < n) {
                struct endpoint *e = &registry->endpoints.items[(registry->preferred + tried) % n];
                _cleanup_err_ struct err *cause = NULL;
                uint64_t before = sink->offset;

                if (!e->pull) {
                        tried++;
                        continue;
                }
                r = fetch_from(registry, e, http, blob, sink, &cause);
                if (r == 0)
                        return 0;
                feed_flush(feed); /* the wait for a server may end with this process; an error comes again */
                if (sink->offset > before)
                        attempt = 0;
                if (registry_is_transient(r) && attempt < REGISTRY_RETRIES_MAX) {
                        if (!feed_wait_failed(feed, registry_backoff(attempt++, sink->retry_after)))
                                continue;
                }
                if (++tried >= n || r == -ECANCELED || feed_failed(feed))
                        return err_move(err, TAKE_PTR(cause));
                attempt = 0;
        }
        return err_set(err, ENOENT, "no server of registry %s may be pulled from", registry->host);
}

int registry_fetch(void *data, const struct descriptor *blob, uint64_t offset, int fd, struct feed *feed,
                   struct err **err) {
        struct blob_sink sink = { .feed = feed, .offset = offset };
        struct registry *registry = data;
        struct http *http = take_http(registry);
        int r;

        if (!http)
                return err_set(err, ENOMEM, "out of memory");
        r = fetch_from_any(registry, http, blob, &sink, err);
        give_back(registry, http);
        return r;
}
