/* Who changes an object waits for those who do so already (api/state/turn.h). */
#include <errno.h>
#include <string.h>

#include "api/rest/rest.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/value.h"

/* Whether it looks at the revision of what is there, which must be known then. A patch may name it in many ways. */
static bool looks_at_revision(const struct api_request *r) {
        static const char name[] = "resourceVersion";
        const char *version;

        if (r->verb == KUBE_VERB_DELETE || r->options.dry || r->settles)
                return true;
        if (r->verb == KUBE_VERB_PATCH)
                return memmem(r->body, r->body_size, name, strlen(name)) || memchr(r->body, '\\', r->body_size);
        version = value_string_or(value_get(value_get(r->sent, "metadata"), "resourceVersion"), "");
        return *version && strcmp(version, "0") != 0;
}

static void on_ready(struct api_turn_waiter *waiter, struct api_turn *turn) {
        struct api_request *r = (struct api_request *)((char *)waiter - offsetof(struct api_request, waiter));

        r->turn = turn;
        api_post(r);
}

enum api_step api_take_turn(struct api_request *r) {
        const char *key = arena_printf(r->arena, "%s/%s/%s", r->resource->key,
                                       r->kind->namespaced ? r->path.namespace : "", r->name);
        int error;

        if (!key)
                return api_fail(r, -ENOMEM, NULL);
        r->waiter = (struct api_turn_waiter){ .settled = looks_at_revision(r), .ready = on_ready };
        error = api_turn_take(api_state_turns(r->server->config.state), key, &r->waiter, &r->turn);
        if (error < 0)
                return api_fail(r, error, NULL);
        return error > 0 ? API_WAIT : API_NEXT;
}
