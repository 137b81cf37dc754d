#include "client/client.h"

#include <errno.h>
#include <string.h>

#include "client/backend.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

/* --- targets --- */

static bool is_segment(const char *text) {
        return *text && strlen(text) < CLIENT_NAME_MAX && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
               !strpbrk(text, "/%");
}

/* RFC 3986, 2.3: what needs no escape. */
static bool is_plain(unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
}

char *client_escape(struct arena *arena, const char *text) {
        static const char digits[] = "0123456789ABCDEF";
        char *escaped = arena_alloc(arena, 3 * strlen(text) + 1), *to = escaped;

        for (; escaped && *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (is_plain(c)) {
                        *to++ = *text;
                        continue;
                }
                *to++ = '%';
                *to++ = digits[c >> 4];
                *to++ = digits[c & 15];
        }
        return escaped;
}

/* "/" and the segment, or nothing. */
static const char *part(struct arena *arena, const char *text) {
        const char *escaped = text ? client_escape(arena, text) : "";

        return text && escaped ? arena_printf(arena, "/%s", escaped) : escaped;
}

char *client_path(struct arena *arena, const struct kube_kind *kind, const char *namespace, const char *name,
                  const char *sub) {
        bool core = !*kind->group;
        const char *in = part(arena, namespace), *named = part(arena, name), *below = part(arena, sub);

        if (!in || !named || !below)
                return NULL;
        return arena_printf(arena, "%s%s%s/%s%s%s/%s%s%s", core ? "/api" : "/apis", core ? "" : "/", kind->group,
                            kind->version, namespace ? "/namespaces" : "", in, kind->resource, named, below);
}

static const char *target_of(struct arena *arena, const struct client_request *request) {
        const char *path = client_path(arena, request->kind, request->kind->namespaced ? request->namespace : NULL,
                                       request->name, request->sub),
                   *manager = request->manager ? client_escape(arena, request->manager) : "";
        const char *force = request->verb == KUBE_VERB_PATCH && request->patch == CLIENT_PATCH_APPLY && request->force ?
                                    "force=true" :
                                    "";

        if (!path || !manager)
                return NULL;
        return arena_printf(arena, "%s%s%s%s%s%s", path, *manager || *force ? "?" : "", *manager ? "fieldManager=" : "",
                            manager, *manager && *force ? "&" : "", force);
}

const char *client_method(const struct client_request *request) {
        switch (request->verb) {
        case KUBE_VERB_CREATE:
                return "POST";
        case KUBE_VERB_UPDATE:
                return "PUT";
        case KUBE_VERB_PATCH:
                return "PATCH";
        case KUBE_VERB_DELETE:
        case KUBE_VERB_DELETECOLLECTION:
                return "DELETE";
        default:
                return "GET";
        }
}

const char *client_content_type(const struct client_request *request) {
        static const char *const patches[] = {
                [CLIENT_PATCH_MERGE] = "application/merge-patch+json",
                [CLIENT_PATCH_JSON] = "application/json-patch+json",
                [CLIENT_PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
                [CLIENT_PATCH_APPLY] = "application/apply-patch+yaml",
        };

        return request->verb == KUBE_VERB_PATCH ? patches[request->patch] : "application/json";
}

/* --- requests --- */

/* Of a collection there is no name, and what is made below an object is made by its own. */
static bool is_addressed(const struct client_request *request) {
        bool of_collection =
                request->verb == KUBE_VERB_DELETECOLLECTION || (request->verb == KUBE_VERB_CREATE && !request->sub);

        if (!request->kind->resource || (!request->name && !of_collection) || (of_collection && request->name))
                return false;
        if (request->kind->namespaced && (!request->namespace || !is_segment(request->namespace)))
                return false;
        return !request->name || is_segment(request->name);
}

int client_ask(struct client *client, const struct client_request *request, client_done done, void *data,
               struct client_call **ret_call) {
        _cleanup_arena_ struct arena *arena = NULL;
        struct client_call *call = NULL;
        const char *target;
        int r;

        if (!is_addressed(request))
                return -EINVAL;
        arena = arena_new();
        target = arena ? target_of(arena, request) : NULL;
        if (!target)
                return -ENOMEM;
        r = client->backend->send(client, request, target, done, data, &call);
        if (r == 0 && ret_call)
                *ret_call = call;
        return r;
}

void client_cancel(struct client_call *call) {
        if (call)
                call->client->backend->cancel(call);
}

const char *client_delete_options(struct arena *arena, const char *uid, const char *resource_version,
                                  const char *propagation) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_string(&w, "kind", "DeleteOptions");
        json_add_string(&w, "apiVersion", "v1");
        if (uid || resource_version) {
                json_key(&w, "preconditions");
                json_begin_map(&w);
                json_add_string_if(&w, "uid", uid);
                json_add_string_if(&w, "resourceVersion", resource_version);
                json_end_map(&w);
        }
        json_add_string_if(&w, "propagationPolicy", propagation);
        json_end_map(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

void client_status(struct arena *arena, const struct bytes *body, const char **ret_reason, const char **ret_message) {
        const struct value *status;

        *ret_reason = *ret_message = "";
        if (!body || json_parse(arena, (const char *)body->data, body->size, NULL, &status, NULL) < 0)
                return;
        *ret_reason = value_string_or(value_get(status, "reason"), "");
        *ret_message = value_string_or(value_get(status, "message"), "");
}

/* --- collections --- */

static bool is_scoped(const struct client_scope *scope) {
        return scope->kind->resource &&
               (!scope->namespace || (scope->kind->namespaced && is_segment(scope->namespace)));
}

int client_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call) {
        struct client_call *call = NULL;
        int r = is_scoped(scope) ? client->backend->list(client, scope, events, data, &call) : -EINVAL;

        if (r == 0 && ret_call)
                *ret_call = call;
        return r;
}

int client_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        return is_scoped(scope) ? client->backend->watch(client, scope, revision, events, data, ret_watch) : -EINVAL;
}

void client_watch_free(struct client_watch *watch) {
        if (watch)
                watch->client->backend->unwatch(watch);
}
