#include "client/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/backend.h"
#include "kube/stream/list_reader.h"
#include "kube/stream/watch.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/client.h"
#include "lib/json_writer.h"
#include "lib/transport/tls.h"
#include "lib/value.h"

#define FIELDS_MAX 4
#define SCHEME "https://"

struct place {
        char host[256], port[8], authority[272];
        struct sockaddr_storage address;
        socklen_t n_address;
};

struct remote {
        struct client base;
        struct http_client *http;
        struct place place;
        struct arena *arena;
        const char *authorization; /* the header's value; NULL: none */
        unsigned n_calls;
};

/* An answer that is gathered. */
struct gathered {
        char *data;
        size_t size, room;
        int status, error;
};

struct remote_call {
        struct client_call base;
        struct http_exchange *x;
        void *data;
        struct gathered answer;
        client_done done; /* a request's */

        /* A list's. */
        struct arena *arena;
        const char *path, *query; /* @query: what each page is asked with */
        const struct client_list_events *events;
        struct kube_list_reader reader;
        struct err *unreadable; /* what is wrong in it; owned */
        bool reads;             /* the answer is a list */
};

struct remote_watch {
        struct client_watch base;
        struct http_exchange *x;
        void *data;
        const struct client_watch_events *events;
        struct gathered answer; /* that is no stream */
        struct kube_watch_reader reader;
        int error; /* that an event told */
};

static struct remote *remote_of(struct client *client) {
        return (struct remote *)client;
}

/* --- requests --- */

struct asking {
        const char *method, *target, *type, *body;
        size_t length;
};

static int ask(struct remote *remote, const struct asking *asking, const struct http_events *events, void *data,
               struct http_exchange **ret_x) {
        struct http_field fields[FIELDS_MAX];
        struct http_client_request request = { .method = asking->method,
                                               .target = asking->target,
                                               .fields = fields,
                                               .length = (int64_t)asking->length,
                                               .flags = asking->body ? HTTP_REQUEST_BODY : 0 };
        int r;

        fields[request.n_fields++] = (struct http_field){ "accept", "application/json" };
        fields[request.n_fields++] = (struct http_field){ "user-agent", remote->base.agent };
        if (remote->authorization)
                fields[request.n_fields++] = (struct http_field){ "authorization", remote->authorization };
        if (asking->body)
                fields[request.n_fields++] = (struct http_field){ "content-type", asking->type };
        r = http_client_request(remote->http, &request, events, data, ret_x);
        if (r < 0 || !asking->body)
                return r;
        /* What cannot be sent ends the exchange, which is told. */
        if (http_send(*ret_x, asking->body, asking->length) < 0 || http_end(*ret_x, NULL, 0) < 0)
                http_reset(*ret_x, -ENOMEM);
        return 0;
}

static int make_room(struct gathered *g, size_t n) {
        size_t room = g->room * 2 > g->size + n ? g->room * 2 : g->size + n;
        char *larger;

        if (n > CLIENT_BODY_MAX - g->size)
                return -EMSGSIZE;
        if (n <= g->room - g->size)
                return 0;
        larger = realloc(g->data, room);
        if (!larger)
                return -ENOMEM;
        g->data = larger;
        g->room = room;
        return 0;
}

static void gather(struct gathered *g, const uint8_t *bytes, size_t n) {
        if (g->error < 0 || (g->error = make_room(g, n)) < 0)
                return;
        memcpy(g->data + g->size, bytes, n);
        g->size += n;
}

static int errno_of(int status) {
        switch (status) {
        case 401:
        case 403:
                return -EACCES;
        case 404:
                return -ENOENT;
        case 410:
                return -ESTALE;
        case 429:
                return -EBUSY;
        default:
                return -EIO;
        }
}

/* What the answer's Status says, or why there was none. */
static const char *why_of(struct arena *arena, const struct gathered *g, const struct bytes *body, int error,
                          const char **ret_reason) {
        const char *message = "";

        *ret_reason = "";
        if (error < 0)
                return strerror(-error);
        if (arena)
                client_status(arena, body, ret_reason, &message);
        return *message ? message : "the server has refused it";
}

static void end_call(struct remote_call *call) {
        remote_of(call->base.client)->n_calls--;
        if (call->events)
                kube_list_reader_done(&call->reader);
        free(call->answer.data);
        arena_free(call->arena);
        err_free(call->unreadable);
        free(call);
}

static struct remote_call *begin_call(struct client *client, void *data, int *ret_error) {
        struct remote *remote = remote_of(client);
        bool full = remote->n_calls >= CLIENT_CALLS_MAX;
        struct remote_call *call = full ? NULL : calloc(1, sizeof(*call));

        *ret_error = call ? 0 : full ? -EBUSY : -ENOMEM;
        if (!call)
                return NULL;
        call->base.client = client;
        call->data = data;
        remote->n_calls++;
        return call;
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct remote_call *call = http_data(x);

        call->answer.status = response->status;
        call->reads = call->events && response->status == 200;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct remote_call *call = http_data(x);

        gather(&call->answer, bytes, n);
}

static void on_answered(struct http_exchange *x, int error, const char *why) {
        struct remote_call *call = http_data(x);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *body = bytes_copy(call->answer.data ?: "", call->answer.size);
        struct client_answer answer = { .reason = "", .message = "", .body = body };
        client_done done = call->done;
        void *data = call->data;

        error = error ?: call->answer.error;
        if (error == 0 && !body)
                error = -ENOMEM;
        answer.code = error ?: call->answer.status;
        if (!client_succeeded(&answer))
                answer.message = error < 0 && why ? why : why_of(arena, &call->answer, body, error, &answer.reason);
        end_call(call);
        done(data, &answer);
}

static int send_request(struct client *client, const struct client_request *request, const char *target,
                        client_done done, void *data, struct client_call **ret_call) {
        static const struct http_events events = { .head = on_head, .data = on_data, .closed = on_answered };
        const struct asking asking = { client_method(request), target, client_content_type(request), request->body,
                                       request->body ? request->length : 0 };
        struct remote_call *call;
        int r;

        call = begin_call(client, data, &r);
        if (!call)
                return r;
        call->done = done;
        r = ask(remote_of(client), &asking, &events, call, &call->x);
        if (r < 0)
                end_call(call);
        else
                *ret_call = &call->base;
        return r;
}

static void cancel(struct client_call *base) {
        struct remote_call *call = (struct remote_call *)base;

        http_set_events(call->x, NULL, NULL);
        http_reset(call->x, -ECANCELED);
        end_call(call);
}

/* --- objects --- */

/* @json: its text, or NULL: that of @tree is made. */
static struct client_object *object_of(const struct value *tree, const char *json, size_t length) {
        const struct value *meta = value_get(tree, "metadata");
        const char *version = value_string_or(value_get(meta, "resourceVersion"), "0");
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_bytes_ struct bytes *bytes = NULL;
        _cleanup_free_ char *text = NULL;

        if (!json) {
                json_value(&w, tree);
                if (json_writer_finish(&w, &text, &length) < 0)
                        return NULL;
                json = text;
        }
        bytes = bytes_copy(json, length);
        return bytes ? client_object_new(strtoll(version, NULL, 10), value_string_or(value_get(meta, "namespace"), ""),
                                         value_string_or(value_get(meta, "name"), ""), bytes) :
                       NULL;
}

static const char *scope_query(struct arena *arena, const struct client_scope *scope) {
        const char *labels = scope->labels ? client_escape(arena, scope->labels) : "",
                   *fields = scope->fields ? client_escape(arena, scope->fields) : "";

        if (!labels || !fields)
                return NULL;
        return arena_printf(arena, "%s%s%s%s", *labels ? "&labelSelector=" : "", labels,
                            *fields ? "&fieldSelector=" : "", fields);
}

static const char *scope_path(struct arena *arena, const struct client_scope *scope) {
        return client_path(arena, scope->kind, scope->namespace, NULL, NULL);
}

/* --- lists, page by page --- */

static int on_item(void *data, const struct value *item, const char *text, size_t length, struct err **err) {
        struct remote_call *call = data;
        _cleanup_client_object_ struct client_object *object = object_of(item, text, length);

        if (!object)
                return -ENOMEM;
        call->events->object(call->data, object);
        return 0;
}

static void on_list_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct remote_call *call = http_data(x);

        if (!call->reads)
                gather(&call->answer, bytes, n);
        else if (call->answer.error == 0)
                call->answer.error = kube_list_reader_feed(&call->reader, (const char *)bytes, n, &call->unreadable);
}

static int ask_for_page(struct remote_call *call, const char *next);

static void finish_list(struct remote_call *call, int error, int64_t revision, const char *why) {
        const struct client_list_events *events = call->events;
        void *data = call->data;

        events->done(data, error, revision, why);
        end_call(call);
}

static const char *why_unread(const struct remote_call *call, int error, const char *why) {
        return call->unreadable ? err_text(call->unreadable) : why ?: strerror(-error);
}

static void on_page(struct http_exchange *x, int error, const char *why) {
        struct remote_call *call = http_data(x);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *body = NULL;
        struct kube_list_head head = { 0 };
        const char *reason;

        error = error ?: call->answer.error;
        if (error == 0 && !call->reads) {
                body = bytes_copy(call->answer.data ?: "", call->answer.size);
                why = why_of(arena, &call->answer, body, 0, &reason);
                return finish_list(call, errno_of(call->answer.status), 0, why);
        }
        error = error ?: kube_list_reader_end(&call->reader, &head, &call->unreadable);
        if (error == 0 && head.next && *head.next) {
                error = ask_for_page(call, head.next);
                if (error == 0)
                        return;
        }
        finish_list(call, error, error == 0 ? strtoll(head.resource_version ?: "0", NULL, 10) : 0,
                    error < 0 ? why_unread(call, error, why) : "");
}

/* The reader is begun anew with each page; @next is its, and copied before. */
static int ask_for_page(struct remote_call *call, const char *next) {
        static const struct http_events events = { .head = on_head, .data = on_list_data, .closed = on_page };
        const char *token = next ? client_escape(call->arena, next) : "";
        struct asking asking = { .method = "GET" };
        int r;

        asking.target = token ? arena_printf(call->arena, "%s?limit=%d%s%s%s", call->path, CLIENT_PAGE, call->query,
                                             *token ? "&continue=" : "", token) :
                                NULL;
        if (!asking.target)
                return -ENOMEM;
        kube_list_reader_done(&call->reader);
        r = kube_list_reader_init(&call->reader, on_item, call);
        return r ?: ask(remote_of(call->base.client), &asking, &events, call, &call->x);
}

static int begin_list(struct remote_call *call, const struct client_scope *scope,
                      const struct client_list_events *events) {
        int r;

        if (!(call->arena = arena_new()))
                return -ENOMEM;
        if ((r = kube_list_reader_init(&call->reader, on_item, call)) < 0)
                return r;
        call->events = events;
        call->path = scope_path(call->arena, scope);
        call->query = scope_query(call->arena, scope);
        return call->path && call->query ? ask_for_page(call, NULL) : -ENOMEM;
}

static int list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call) {
        struct remote_call *call;
        int r;

        call = begin_call(client, data, &r);
        if (!call)
                return r;
        if ((r = begin_list(call, scope, events)) < 0) {
                end_call(call);
                return r;
        }
        *ret_call = &call->base;
        return 0;
}

/* --- watches --- */

static int on_event(void *data, enum kube_watch_type type, const struct value *object, struct err **err) {
        static const enum client_change changes[] = { [KUBE_WATCH_ADDED] = CLIENT_ADDED,
                                                      [KUBE_WATCH_MODIFIED] = CLIENT_MODIFIED,
                                                      [KUBE_WATCH_DELETED] = CLIENT_DELETED };
        struct remote_watch *watch = data;
        const char *version = value_string_or(value_find(object, "metadata.resourceVersion"), "0");
        _cleanup_client_object_ struct client_object *made = NULL;
        int64_t code = 0;

        if (type == KUBE_WATCH_ERROR) {
                value_integer(value_get(object, "code"), &code);
                return errno_of((int)code);
        }
        if (type == KUBE_WATCH_BOOKMARK) {
                watch->events->bookmark(watch->data, strtoll(version, NULL, 10));
                return 0;
        }
        made = object_of(object, NULL, 0);
        if (!made)
                return -ENOMEM;
        watch->events->changed(watch->data, changes[type], made);
        return 0;
}

static void on_watch_head(struct http_exchange *x, const struct http_response *response) {
        struct remote_watch *watch = http_data(x);

        watch->answer.status = response->status;
}

/* What cannot be told, or is wrong, ends the watch: what was missed is listed anew. */
static void on_watch_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct remote_watch *watch = http_data(x);

        if (watch->error < 0)
                return;
        if (watch->answer.status != 200)
                return gather(&watch->answer, bytes, n);
        watch->error = kube_watch_reader_feed(&watch->reader, (const char *)bytes, n, NULL);
        if (watch->error < 0)
                http_reset(x, watch->error == -ENOMEM ? -ESTALE : watch->error);
}

static void free_watch(struct remote_watch *watch) {
        kube_watch_reader_done(&watch->reader);
        free(watch->answer.data);
        free(watch);
}

static void on_watch_closed(struct http_exchange *x, int error, const char *why) {
        struct remote_watch *watch = http_data(x);
        const struct client_watch_events *events = watch->events;
        void *data = watch->data;

        if (error == 0 && watch->answer.status != 200)
                error = errno_of(watch->answer.status);
        else if (watch->error < 0)
                error = watch->error == -ENOMEM || watch->error == -EINVAL ? -ESTALE : watch->error;
        free_watch(watch);
        events->ended(data, error, why ?: strerror(-error));
}

static const char *watch_target(struct arena *arena, const struct client_scope *scope, int64_t revision) {
        const char *path = scope_path(arena, scope), *query = scope_query(arena, scope);
        unsigned random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = 0;
        if (!path || !query)
                return NULL;
        return arena_printf(arena, "%s?watch=1&allowWatchBookmarks=true&resourceVersion=%lld&timeoutSeconds=%u%s", path,
                            (long long)revision, CLIENT_WATCH_SECONDS + random % CLIENT_WATCH_SECONDS, query);
}

static int watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        static const struct http_events http = { .head = on_watch_head,
                                                 .data = on_watch_data,
                                                 .closed = on_watch_closed };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct asking asking = { .method = "GET" };
        struct remote_watch *made = arena ? calloc(1, sizeof(*made)) : NULL;
        int r = made ? kube_watch_reader_init(&made->reader, on_event, made) : -ENOMEM;

        if (r < 0) {
                free(made);
                return r;
        }
        made->base.client = client;
        made->events = events;
        made->data = data;
        asking.target = watch_target(arena, scope, revision);
        r = asking.target ? ask(remote_of(client), &asking, &http, made, &made->x) : -ENOMEM;
        if (r < 0)
                free_watch(made);
        else
                *ret_watch = &made->base;
        return r;
}

static void unwatch(struct client_watch *base) {
        struct remote_watch *watch = (struct remote_watch *)base;

        http_set_events(watch->x, NULL, NULL);
        http_reset(watch->x, -ECANCELED);
        free_watch(watch);
}

static const struct client_backend backend = {
        .send = send_request,
        .list = list,
        .cancel = cancel,
        .watch = watch,
        .unwatch = unwatch,
};

/* --- the server --- */

/* https://HOST, https://HOST:PORT, https://[ADDRESS]:PORT, without a path. */
static int read_place(const char *server, struct place *place, struct err **err) {
        const char *at = strncmp(server, SCHEME, strlen(SCHEME)) == 0 ? server + strlen(SCHEME) : NULL, *end, *rest;
        bool six = at && *at == '[';

        end = !at ? NULL : six ? strchr(at, ']') : at + strcspn(at, ":/?#");
        rest = end ? end + six : NULL;
        at += at && six;
        if (!end || end == at || (size_t)(end - at) >= sizeof(place->host) ||
            (*rest && strcmp(rest, "/") != 0 && *rest != ':') || strlen(rest) > sizeof(place->port))
                return err_set(err, EINVAL, "server %s: give https://HOST:PORT", server);
        snprintf(place->host, sizeof(place->host), "%.*s", (int)(end - at), at);
        snprintf(place->port, sizeof(place->port), "%s", *rest == ':' ? rest + 1 : "443");
        place->port[strcspn(place->port, "/")] = '\0';
        snprintf(place->authority, sizeof(place->authority), six ? "[%s]:%s" : "%s:%s", place->host, place->port);
        return 0;
}

static int look_up(struct place *place, struct err **err) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *all;
        int r = getaddrinfo(place->host, place->port, &hints, &all);

        if (r != 0)
                return err_set(err, r == EAI_MEMORY ? ENOMEM : ENOENT, "server %s: %s", place->authority,
                               gai_strerror(r));
        memcpy(&place->address, all->ai_addr, all->ai_addrlen);
        place->n_address = all->ai_addrlen;
        freeaddrinfo(all);
        return 0;
}

static int make_http(struct remote *remote, const struct client_remote_config *config, struct http_client **ret_http,
                     struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        const struct tls_config tls = { .side = TLS_CLIENT,
                                        .verify = config->unverified ? TLS_VERIFY_NONE : TLS_VERIFY_REQUIRED,
                                        .certificate = config->certificate,
                                        .key = config->key,
                                        .authorities = config->authorities,
                                        .protocols = protocols,
                                        .any_time = config->any_time,
                                        .since = config->since };
        const struct place *place = &remote->place;
        struct http_client_config http = { .address = (const struct sockaddr *)&place->address,
                                           .n_address = place->n_address,
                                           .authority = place->authority,
                                           .name = place->host,
                                           .silence_ms = HTTP_CLIENT_SILENCE_MS };
        int r;

        if (config->unverified && (config->certificate || config->token))
                return err_set(err, EINVAL, "server %s: a credential is not for a server that nobody vouches for",
                               place->authority);
        if ((r = tls_context_new(&tls, &http.tls, err)) < 0)
                return r;
        r = http_client_new(remote->base.loop, &http, ret_http);
        tls_context_unref(http.tls);
        return r < 0 ? err_errno(err, -r, "server %s", place->authority) : 0;
}

static int set_token(struct remote *remote, const char *token) {
        const char *header = token ? arena_printf(remote->arena, "Bearer %s", token) : NULL;

        if (token && !header)
                return -ENOMEM;
        remote->authorization = header;
        return 0;
}

static int make(struct remote *remote, const struct client_remote_config *config, struct err **err) {
        int r = read_place(config->server, &remote->place, err);

        if (r < 0 || (r = look_up(&remote->place, err)) < 0)
                return r;
        remote->arena = arena_new();
        if (remote->arena)
                remote->base.agent = arena_strdup(remote->arena, config->agent ?: "nacelle");
        if (!remote->base.agent || set_token(remote, config->token) < 0)
                return err_set(err, ENOMEM, "no memory for a client");
        return make_http(remote, config, &remote->http, err);
}

int client_remote_new(uv_loop_t *loop, const struct client_remote_config *config, struct client **ret_client,
                      struct err **err) {
        struct remote *remote = calloc(1, sizeof(*remote));
        int r;

        if (!remote)
                return err_set(err, ENOMEM, "no memory for a client");
        remote->base.backend = &backend;
        remote->base.loop = loop;
        r = make(remote, config, err);
        if (r < 0) {
                client_remote_free(&remote->base);
                return r;
        }
        *ret_client = &remote->base;
        return 0;
}

void client_remote_reconnect(struct client *client) {
        http_client_reconnect(remote_of(client)->http);
}

int client_remote_renew(struct client *client, const struct client_remote_config *config, struct err **err) {
        struct remote *remote = remote_of(client);
        struct http_client *old = remote->http, *http;
        int r = make_http(remote, config, &http, err);

        if (r < 0)
                return r;
        if (set_token(remote, config->token) < 0) {
                http_client_free(http);
                return err_set(err, ENOMEM, "no memory for a client");
        }
        remote->http = http;
        http_client_free(old);
        return 0;
}

void client_remote_free(struct client *client) {
        struct remote *remote = (struct remote *)client;

        if (!remote)
                return;
        http_client_free(remote->http);
        arena_free(remote->arena);
        free(remote);
}
