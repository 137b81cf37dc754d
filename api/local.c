#include "api/local.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/user.h"
#include "api/cache/collection.h"
#include "api/cache/watch.h"
#include "api/rest/selector.h"
#include "api/server/codec.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "client/backend.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/local.h"
#include "lib/list.h"

#define NAMESPACE "kube-system"

LIST_TYPE(local_watches);

/* The watches of one resource. */
struct resource_set {
        struct api_local *local;
        struct api_resource *resource;
        struct watch_set *set;
        struct local_watches broken; /* that could not be told something: it is told by a new list */
        atomic_bool due;
        struct list_node in_local;
};

LIST_DEFINE(resource_sets, struct resource_set, in_local)

struct local_call {
        struct client_call base;
        struct api_local *local;
        void *data;
        struct list_node in_local; /* while it is under way */

        /* A request's. */
        struct http_local_call *http;
        client_done done;

        /* A list's. */
        struct arena *arena; /* the scope's texts */
        struct client_scope scope;
        const struct client_list_events *events;
};

LIST_DEFINE(local_calls, struct local_call, in_local)

struct local_watch {
        struct client_watch base;
        struct arena *arena;
        struct client_scope scope;
        const struct client_watch_events *events;
        void *data;
        struct api_selector selector;
        struct resource_set *of;
        struct watcher *watcher;
        struct list_node in_broken;
};

LIST_FUNCTIONS(local_watches, struct local_watch, in_broken)

struct local_client {
        struct client base;
        struct api_local *local;
        struct auth_user user;
};

struct api_local {
        struct api_server *server;
        struct api_loop *loop;
        struct http_local *http;
        struct arena *arena; /* of the clients */
        struct resource_sets sets;
        struct local_calls sent, lists; /* requests; lists that are to be answered */
        uv_async_t wake;                /* something was changed */
        uv_timer_t gather;
        uint64_t told_ms; /* when watchers were told, by the loop's clock */
        uv_idle_t later;  /* lists are to be answered */
        unsigned n_calls, n_clients, n_watches;
        bool closed;
};

static struct api_local *local_of(const struct client *client) {
        return ((const struct local_client *)client)->local;
}

/* --- requests --- */

static void end_call(struct local_call *call) {
        local_calls_remove(call);
        call->local->n_calls--;
        arena_free(call->arena);
        free(call);
}

static struct local_call *begin_call(struct client *client, void *data, struct local_calls *calls, int *ret_error) {
        struct api_local *local = local_of(client);
        struct local_call *call = local->n_calls < CLIENT_CALLS_MAX ? calloc(1, sizeof(*call)) : NULL;

        *ret_error = call ? 0 : local->n_calls < CLIENT_CALLS_MAX ? -ENOMEM : -EBUSY;
        if (!call)
                return NULL;
        call->base.client = client;
        call->local = local;
        call->data = data;
        local->n_calls++;
        local_calls_append(calls, call);
        return call;
}

static void on_answered(void *data, int error, int status, struct bytes *body) {
        struct local_call *call = data;
        _cleanup_arena_ struct arena *arena = arena_new_small(ARENA_CHUNK_FIRST);
        struct client_answer answer = { .code = error ?: status, .reason = "", .message = "", .body = body };
        client_done done = call->done;

        data = call->data;
        if (error < 0)
                answer.message = strerror(-error);
        else if (status >= 300 && arena)
                client_status(arena, body, &answer.reason, &answer.message);
        end_call(call);
        done(data, &answer);
}

static void handle(struct http_exchange *x, void *data) {
        const struct local_client *client = data;

        api_loop_take(client->local->loop, x, &client->user);
}

static int send_request(struct client *client, const struct client_request *request, const char *target,
                        client_done done, void *data, struct client_call **ret_call) {
        struct api_local *local = local_of(client);
        const struct http_field fields[] = { { "content-type", client_content_type(request) },
                                             { "user-agent", client->agent } };
        const struct http_local_request local_request = { .method = client_method(request),
                                                          .target = target,
                                                          .fields = fields,
                                                          .n_fields = ELEMENTS(fields),
                                                          .body = request->body,
                                                          .size = request->length,
                                                          .handle = handle,
                                                          .handle_data = client };
        struct local_call *call;
        int r;

        call = begin_call(client, data, &local->sent, &r);
        if (!call)
                return r;
        call->done = done;
        r = http_local_request(local->http, &local_request, on_answered, call, &call->http);
        if (r < 0) {
                end_call(call);
                return r;
        }
        *ret_call = &call->base;
        return 0;
}

static void cancel(struct client_call *base) {
        struct local_call *call = (struct local_call *)base;

        if (call->http)
                http_local_forget(call->http);
        end_call(call);
}

/* --- objects, in the version that is asked for --- */

static struct client_object *object_of(const struct client_scope *scope, const struct api_resource *of,
                                       const struct object *object, int64_t revision) {
        bool same = scope->kind == of->kind;
        _cleanup_arena_ struct arena *arena = same ? NULL : arena_new();
        _cleanup_bytes_ struct bytes *json = same ? object_json(object) : NULL;
        int r = json ? 0 : arena ? api_json_as(arena, scope->kind, of->kind, object, &json) : -ENOMEM;

        return r < 0 ? NULL : client_object_new(revision, object->namespace, object->name, json);
}

static int copy_scope(struct arena *arena, const struct client_scope *scope, struct client_scope *ret_copy) {
        *ret_copy = (struct client_scope){ .kind = scope->kind,
                                           .namespace = arena_strdup(arena, scope->namespace),
                                           .labels = arena_strdup(arena, scope->labels),
                                           .fields = arena_strdup(arena, scope->fields) };
        return (scope->namespace && !ret_copy->namespace) || (scope->labels && !ret_copy->labels) ||
                               (scope->fields && !ret_copy->fields) ?
                       -ENOMEM :
                       0;
}

/* -EINVAL: a selector that is none. */
static int make_filter(struct arena *arena, const struct client_scope *scope, const struct api_resource *of,
                       struct api_selector *selector, struct collection_filter *ret_filter) {
        const char *labels = scope->labels ?: "", *fields = scope->fields ?: "";
        const struct selector_query query = { scope->kind->version, fields, strlen(fields) };
        int r = selector_label_parse(arena, labels, strlen(labels), &selector->labels, NULL);

        r = r ?: selector_field_parse(arena, of->fields, &query, &selector->fields, NULL);
        *ret_filter = (struct collection_filter){
                .namespace = scope->namespace,
                .matches = *labels || *fields ? api_selector_matches : NULL,
                .data = selector,
        };
        return r;
}

/* --- lists --- */

static int tell_objects(const struct local_call *call, const struct api_resource *of,
                        const struct collection_page *page) {
        for (size_t i = 0; i < page->n; i++) {
                _cleanup_client_object_ struct client_object *object =
                        object_of(&call->scope, of, page->objects[i], page->objects[i]->revision);

                if (!object)
                        return -ENOMEM;
                call->events->object(call->data, object);
        }
        return 0;
}

static void answer_list(struct api_local *local, struct local_call *call) {
        struct api_resource *of = api_state_resource(local->server->config.state, call->scope.kind);
        const struct client_list_events *events = call->events;
        struct collection_page page = { 0 };
        struct collection_query query = { 0 };
        struct api_selector selector;
        void *data = call->data;
        int r = of ? make_filter(call->arena, &call->scope, of, &selector, &query.filter) : -ENOENT;

        if (r == 0 && (r = collection_list(of->collection, &query, &page)) == 0)
                r = tell_objects(call, of, &page);
        end_call(call);
        events->done(data, r, page.revision, r < 0 ? strerror(-r) : "");
        collection_page_clear(&page);
}

static void on_later(uv_idle_t *later) {
        struct api_local *local = later->data;
        struct local_calls now = { 0 };
        struct local_call *call;

        uv_idle_stop(later);
        local_calls_take(&now, &local->lists);
        while ((call = local_calls_first(&now)))
                answer_list(local, call);
}

static int list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call) {
        struct api_local *local = local_of(client);
        struct local_call *call;
        int r;

        call = begin_call(client, data, &local->lists, &r);
        if (!call)
                return r;
        call->events = events;
        call->arena = arena_new_small(64);
        r = call->arena ? copy_scope(call->arena, scope, &call->scope) : -ENOMEM;
        if (r < 0) {
                end_call(call);
                return r;
        }
        uv_idle_start(&local->later, on_later);
        *ret_call = &call->base;
        return 0;
}

/* --- watches --- */

static void unwatch(struct client_watch *base) {
        struct local_watch *watch = (struct local_watch *)base;

        watcher_free(watch->watcher);
        if (local_watches_contains(watch))
                local_watches_remove(watch);
        if (watch->of)
                watch->of->local->n_watches--;
        arena_free(watch->arena);
        free(watch);
}

static void end_watch(struct local_watch *watch, int error) {
        const struct client_watch_events *events = watch->events;
        void *data = watch->data;

        unwatch(&watch->base);
        events->ended(data, error, strerror(-error));
}

static void run_set(struct resource_set *set) {
        struct local_watch *broken;

        watch_set_run(set->set);
        while ((broken = local_watches_first(&set->broken)))
                end_watch(broken, -ESTALE);
}

static void run_sets(struct api_local *local) {
        local->told_ms = uv_now(local->loop->uv);
        LIST_EACH (resource_sets, set, &local->sets)
                if (atomic_exchange(&set->due, false))
                        run_set(set);
}

static void on_gather(uv_timer_t *timer) {
        run_sets(timer->data);
}

static void on_wake(uv_async_t *wake) {
        struct api_local *local = wake->data;

        uint64_t past = uv_now(local->loop->uv) - local->told_ms;

        if (local->closed || uv_is_active((uv_handle_t *)&local->gather))
                return;
        if (past >= API_LOCAL_GATHER_MS)
                run_sets(local);
        else
                uv_timer_start(&local->gather, on_gather, API_LOCAL_GATHER_MS - past, 0);
}

/* On the thread that makes the changes. */
static void on_set_due(void *data) {
        struct resource_set *set = data;

        atomic_store(&set->due, true);
        uv_async_send(&set->local->wake);
}

static struct resource_set *set_of(struct api_local *local, struct api_resource *resource) {
        struct resource_set *set;

        LIST_EACH (resource_sets, known, &local->sets)
                if (known->resource == resource)
                        return known;
        set = calloc(1, sizeof(*set));
        if (!set)
                return NULL;
        set->local = local;
        set->resource = resource;
        set->set = watch_set_new(resource->collection, on_set_due, set);
        if (!set->set) {
                free(set);
                return NULL;
        }
        resource_sets_append(&local->sets, set);
        return set;
}

static bool on_event(void *data, const struct watch_event *event) {
        static const enum client_change changes[] = { [COLLECTION_ADDED] = CLIENT_ADDED,
                                                      [COLLECTION_MODIFIED] = CLIENT_MODIFIED,
                                                      [COLLECTION_DELETED] = CLIENT_DELETED };
        struct local_watch *watch = data;
        _cleanup_client_object_ struct client_object *object =
                object_of(&watch->scope, watch->of->resource, event->object, event->revision);

        if (object)
                watch->events->changed(watch->data, changes[event->type], object);
        else
                local_watches_append(&watch->of->broken, watch);
        return object;
}

static void on_gone(void *data) {
        end_watch(data, -ESTALE);
}

static int begin_watch(struct local_watch *watch, struct api_local *local, const struct client_scope *scope,
                       int64_t revision) {
        struct api_resource *resource = api_state_resource(local->server->config.state, scope->kind);
        struct watch_config config = { .on_event = on_event, .on_gone = on_gone, .data = watch, .field = -1 };
        int r;

        if (!resource)
                return -ENOENT;
        watch->arena = arena_new_small(64);
        if ((r = watch->arena ? copy_scope(watch->arena, scope, &watch->scope) : -ENOMEM) < 0 ||
            (r = make_filter(watch->arena, &watch->scope, resource, &watch->selector, &config.filter)) < 0)
                return r;
        config.field = api_selector_topic(&watch->selector, &config.value);
        watch->of = set_of(local, resource);
        if (!watch->of)
                return -ENOMEM;
        local->n_watches++;
        r = watcher_new(watch->of->set, &config, revision, &watch->watcher);
        if (r == 0)
                on_set_due(watch->of);
        return r;
}

static int watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        struct api_local *local = local_of(client);
        struct local_watch *made;
        int r;

        if (local->n_watches == API_LOCAL_WATCHES_MAX)
                return -EBUSY;
        made = calloc(1, sizeof(*made));
        if (!made)
                return -ENOMEM;
        made->base.client = client;
        made->events = events;
        made->data = data;
        r = begin_watch(made, local, scope, revision);
        if (r < 0) {
                unwatch(&made->base);
                return r;
        }
        *ret_watch = &made->base;
        return 0;
}

static const struct client_backend backend = {
        .send = send_request,
        .list = list,
        .cancel = cancel,
        .watch = watch,
        .unwatch = unwatch,
};

/* --- clients --- */

static int read_user(struct api_local *local, struct local_client *client, const char *name) {
        struct auth_user *user = &client->user;
        int r;

        user->name = name ? arena_printf(local->arena, AUTH_ACCOUNT_PREFIX NAMESPACE ":%s", name) : AUTH_USER_SERVER;
        client->base.agent = name ? arena_printf(local->arena, "nacelle-api/%s", name) : "nacelle-api";
        if (!user->name || !client->base.agent)
                return -ENOMEM;
        r = name ? auth_user_add_group(local->arena, user, AUTH_GROUP_ACCOUNTS) ?:
                   auth_user_add_group(local->arena, user, AUTH_GROUP_ACCOUNTS ":" NAMESPACE) :
                   auth_user_add_group(local->arena, user, AUTH_GROUP_MASTERS);
        return r ?: auth_user_add_group(local->arena, user, AUTH_GROUP_AUTHENTICATED);
}

static struct local_client *new_client(struct api_local *local) {
        struct local_client *client =
                local->n_clients < API_LOCAL_CLIENTS_MAX ? arena_new_of(local->arena, struct local_client) : NULL;

        if (!client)
                return NULL;
        client->base.backend = &backend;
        client->base.loop = local->loop->uv;
        client->local = local;
        local->n_clients++;
        return client;
}

struct client *api_local_client(struct api_local *local, const char *name) {
        struct local_client *client = new_client(local);

        return client && read_user(local, client, name) == 0 ? &client->base : NULL;
}

struct client *api_local_user(struct api_local *local, const char *name, const char *agent) {
        struct local_client *client = new_client(local);

        if (!client || auth_user_add_group(local->arena, &client->user, AUTH_GROUP_AUTHENTICATED) < 0)
                return NULL;
        client->user.name = name;
        client->base.agent = agent;
        return &client->base;
}

static void init_handles(struct api_local *local, uv_loop_t *loop) {
        uv_timer_init(loop, &local->gather);
        uv_idle_init(loop, &local->later);
        local->gather.data = local->later.data = local->wake.data = local;
}

int api_local_new(struct api_server *server, uv_loop_t *loop, struct api_local **ret_local) {
        struct api_local *local = calloc(1, sizeof(*local));
        int r;

        if (!local)
                return -ENOMEM;
        local->server = server;
        local->arena = arena_new();
        r = local->arena ? uv_async_init(loop, &local->wake, on_wake) : -ENOMEM;
        if (r < 0) {
                api_local_free(local);
                return r;
        }
        init_handles(local, loop);
        r = http_local_new(loop, &local->http) ?: api_server_within(server, loop, &local->loop);
        if (r < 0) {
                api_local_close(local);
                return r;
        }
        *ret_local = local;
        return 0;
}

static void end_calls(struct local_calls *calls) {
        struct local_call *call;

        while ((call = local_calls_first(calls)))
                end_call(call);
}

void api_local_close(struct api_local *local) {
        struct resource_set *set;

        local->closed = true;
        http_local_free(local->http);
        if (local->loop)
                api_loop_leave(local->loop);
        end_calls(&local->sent);
        end_calls(&local->lists);
        while ((set = resource_sets_pop(&local->sets))) {
                watch_set_free(set->set);
                free(set);
        }
        uv_close((uv_handle_t *)&local->wake, NULL);
        uv_close((uv_handle_t *)&local->gather, NULL);
        uv_close((uv_handle_t *)&local->later, NULL);
}

void api_local_free(struct api_local *local) {
        if (!local)
                return;
        arena_free(local->arena);
        free(local);
}
