#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/remote/internal.h"
#include "lib/cleanup.h"

static int on_item(void *data, const struct value *item, const char *text, size_t length, struct err **err) {
        struct remote_call *call = data;
        _cleanup_client_object_ struct client_object *object = remote_object(item, text, length);

        if (!object)
                return -ENOMEM;
        call->events->object(call->data, object);
        return 0;
}

static void on_list_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct remote_call *call = http_data(x);

        if (!call->reads)
                remote_gather(&call->answer, bytes, n);
        else if (call->answer.error == 0)
                call->answer.error = kube_list_reader_feed(&call->reader, (const char *)bytes, n, &call->unreadable);
}

static int ask_for_page(struct remote_call *call, const char *next);

static void finish_list(struct remote_call *call, int error, int64_t revision, const char *why) {
        const struct client_list_events *events = call->events;
        void *data = call->data;

        events->done(data, error, revision, why);
        remote_call_end(call);
}

static const char *why_unread(const struct remote_call *call, int error, const char *why) {
        return call->unreadable ? err_text(call->unreadable) : why ?: strerror(-error);
}

/* Something in between that answers everything with {}, or with a kind of its own, is not believed: what a list does
 * not hold is gone. */
static int check_head(struct remote_call *call, const struct kube_list_head *head) {
        if (!head->kind || strcmp(head->kind, call->list_kind) != 0)
                return err_set(&call->unreadable, EINVAL, "not a list: its kind is \"%.64s\", not %s", head->kind ?: "",
                               call->list_kind);
        if (!head->resource_version || !*head->resource_version)
                return err_set(&call->unreadable, EINVAL, "not a list: it has no metadata.resourceVersion");
        return 0;
}

/* 0: the next page is asked for; 1: there is none, and @ret_revision is the list's. */
static int end_page(struct remote_call *call, int64_t *ret_revision) {
        struct kube_list_head head = { 0 };
        int r = kube_list_reader_end(&call->reader, &head, &call->unreadable);

        if (r < 0 || (r = check_head(call, &head)) < 0)
                return r;
        if (head.next && *head.next)
                return ask_for_page(call, head.next);
        *ret_revision = strtoll(head.resource_version, NULL, 10);
        return 1;
}

static void on_page(struct http_exchange *x, int error, const char *why) {
        struct remote_call *call = http_data(x);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *body = NULL;
        int64_t revision = 0;
        const char *reason;

        if (call->answer.status == 0)
                remote_count(remote_of(call->base.client), call->method, 0);
        error = error ?: call->answer.error;
        if (error == 0 && !call->reads) {
                body = bytes_copy(call->answer.data ?: "", call->answer.size);
                why = remote_why(arena, &call->answer, body, 0, &reason);
                return finish_list(call, remote_errno(call->answer.status), 0, why);
        }
        error = error ?: end_page(call, &revision);
        if (error < 0)
                finish_list(call, error, 0, why_unread(call, error, why));
        else if (error > 0)
                finish_list(call, 0, revision, "");
}

/* The reader is begun anew with each page; @next is its, and copied before. */
static int ask_for_page(struct remote_call *call, const char *next) {
        static const struct http_events events = { .head = remote_call_head, .data = on_list_data, .closed = on_page };
        const char *token = next ? client_escape(call->arena, next) : "";
        struct remote_asking asking = { .method = "GET" };
        int r;

        if (++call->n_pages > CLIENT_PAGES_MAX)
                return -EMSGSIZE;
        call->method = asking.method;
        call->answer.status = 0;
        asking.target = token ? arena_printf(call->arena, "%s?limit=%d%s%s%s", call->path, CLIENT_PAGE, call->query,
                                             *token ? "&continue=" : "", token) :
                                NULL;
        if (!asking.target)
                return -ENOMEM;
        kube_list_reader_done(&call->reader);
        r = kube_list_reader_init(&call->reader, on_item, call);
        return r ?: remote_ask(remote_of(call->base.client), &asking, &events, call, &call->x);
}

static int begin_list(struct remote_call *call, const struct client_scope *scope,
                      const struct client_list_events *events) {
        int r;

        if (!(call->arena = arena_new()))
                return -ENOMEM;
        if ((r = kube_list_reader_init(&call->reader, on_item, call)) < 0)
                return r;
        call->events = events;
        call->path = remote_scope_path(call->arena, scope);
        call->query = remote_scope_query(call->arena, scope);
        call->list_kind = scope->kind->list_kind ? arena_strdup(call->arena, scope->kind->list_kind) :
                                                   arena_printf(call->arena, "%sList", scope->kind->kind);
        return call->path && call->query && call->list_kind ? ask_for_page(call, NULL) : -ENOMEM;
}

int remote_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call) {
        struct remote_call *call;
        int r;

        call = remote_call_begin(client, data, &r);
        if (!call)
                return r;
        if ((r = begin_list(call, scope, events)) < 0) {
                remote_call_end(call);
                return r;
        }
        *ret_call = &call->base;
        return 0;
}
