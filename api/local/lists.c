/* Lists: answered out of the cache, with the loop's next turn. */
#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/local/internal.h"
#include "api/rest/selector.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "client/backend.h"
#include "lib/arena.h"

static int tell_objects(const struct local_call *call, const struct api_resource *of,
                        const struct collection_page *page) {
        for (size_t i = 0; i < page->n; i++) {
                _cleanup_client_object_ struct client_object *object =
                        local_object(&call->scope, of, page->objects[i], page->objects[i]->revision);

                if (!object)
                        return -ENOMEM;
                call->events->object(call->data, object);
        }
        return 0;
}

/* @page is the caller's to clear, also on failure. */
static int tell_list(const struct local_call *call, struct collection_page *page) {
        struct api_resource *of = api_state_resource(call->local->server->config.state, call->scope.kind);
        struct collection_query query = { 0 };
        struct api_selector selector;
        int r;

        if (!of)
                return -ENOENT;
        if ((r = local_scope_filter(call->arena, &call->scope, of, &selector, &query.filter)) < 0 ||
            (r = collection_list(of->collection, &query, page)) < 0)
                return r;
        return tell_objects(call, of, page);
}

static void answer_list(struct local_call *call) {
        const struct client_list_events *events = call->events;
        struct collection_page page = { 0 };
        void *data = call->data;
        int r = tell_list(call, &page);

        local_call_end(call);
        events->done(data, r, page.revision, r < 0 ? strerror(-r) : "");
        collection_page_clear(&page);
}

static void answer_lists(uv_idle_t *later) {
        struct api_local *local = later->data;
        struct local_calls now = { 0 };
        struct local_call *call;

        uv_idle_stop(later);
        local_calls_take(&now, &local->lists);
        while ((call = local_calls_first(&now)))
                answer_list(call);
}

int local_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
               void *data, struct client_call **ret_call) {
        struct api_local *local = local_of(client);
        struct local_call *call;
        int r;

        call = local_call_begin(client, data, &local->lists, &r);
        if (!call)
                return r;
        call->events = events;
        call->arena = arena_new_small(64);
        r = call->arena ? local_scope_copy(call->arena, scope, &call->scope) : -ENOMEM;
        if (r < 0) {
                local_call_end(call);
                return r;
        }
        uv_idle_start(&local->later, answer_lists);
        *ret_call = &call->base;
        return 0;
}
