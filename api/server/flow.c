#include "api/server/flow.h"

#include <stdlib.h>
#include <string.h>

#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/http/server.h"

#define RETRY_AFTER_S 1

static bool is_long(const struct api_path *path) {
        static const char *const subs[] = { "attach", "exec", "log", "portforward", "proxy" };

        for (size_t i = 0; path->sub && i < ELEMENTS(subs); i++)
                if (strcmp(path->sub, subs[i]) == 0)
                        return true;
        return path->proxy;
}

static bool watches(struct api_request *r) {
        const char *query = http_request_of(r->x)->query, *watch;

        if (r->verb != KUBE_VERB_LIST)
                return false;
        if (r->path.watch)
                return true;
        watch = *query ? http_query(r->arena, query, "watch") : NULL;
        return watch && api_option_bool(watch);
}

enum api_load api_load_of(struct api_request *r) {
        if (!r->path.is_resource)
                return strcmp(http_request_of(r->x)->method, "GET") == 0 ? API_LOAD_READ : API_LOAD_WRITE;
        if (is_long(&r->path) || watches(r))
                return API_LOAD_LONG;
        return r->verb & (KUBE_VERB_GET | KUBE_VERB_LIST) ? API_LOAD_READ : API_LOAD_WRITE;
}

/* Words and form are those of Go's http.Error. */
enum api_step api_refuse_too_many(struct api_request *r) {
        r->retry_after_s = RETRY_AFTER_S;
        api_respond_text(r, 429, "Too many requests, please try again later.\n");
        return API_END;
}

static void maybe_send_away(struct api_request *r) {
        double chance = r->server->config.limits.goaway_chance;

        uint32_t dice;

        if (chance <= 0)
                return;
        api_loop_random(r->loop, &dice, sizeof(dice));
        if (dice < chance * UINT32_MAX)
                http_send_away(r->x);
}

enum api_step api_enter(struct api_request *r) {
        atomic_uint *counter = &r->server->in_flight[r->load];
        unsigned max = r->server->config.limits.in_flight[r->load], before = atomic_fetch_add(counter, 1);

        /* What comes from within has its own bounds, and would only be sent again. */
        if (max > 0 && before >= max && r->loop != r->server->within && !auth_user_in(&r->user, AUTH_GROUP_MASTERS)) {
                atomic_fetch_sub(counter, 1);
                return api_refuse_too_many(r);
        }
        r->entered = true;
        maybe_send_away(r);
        return API_NEXT;
}

void api_leave(struct api_request *r) {
        if (r->entered)
                atomic_fetch_sub(&r->server->in_flight[r->load], 1);
        r->entered = false;
}

/* --- memory of answers --- */

struct held {
        struct api_server *server;
        size_t size;
};

static void on_over(void *data) {
        struct held *held = data;

        atomic_fetch_sub(&held->server->unread, held->size);
        free(held);
}

bool api_hold_answer(struct api_request *r, size_t size) {
        struct held *held = malloc(sizeof(*held));
        size_t before;

        if (!held)
                return false;
        *held = (struct held){ r->server, size };
        before = atomic_fetch_add(&r->server->unread, size);
        if (before > 0 && before + size > API_UNREAD_MAX) {
                on_over(held);
                return false;
        }
        http_set_over(r->x, on_over, held);
        return true;
}

unsigned api_in_flight(const struct api_server *server, enum api_load load) {
        return atomic_load(&server->in_flight[load]);
}
