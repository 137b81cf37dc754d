/* Who asks, and whether he has to wait. */
#include "api/usage/usage.h"

#include <stdlib.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/usage/answer.h"
#include "api/usage/internal.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/mailbox.h"
#include "lib/transport/tls.h"

#define SECOND UINT64_C(1000000000)

struct api_usage *api_usage_new(struct api_state *state) {
        struct api_usage *usage = calloc(1, sizeof(*usage));

        if (!usage)
                return NULL;
        usage->state = state;
        pthread_mutex_init(&usage->lock, NULL);
        return usage;
}

void api_usage_free(struct api_usage *usage) {
        if (!usage)
                return;
        tls_context_unref(usage->tls);
        mailbox_free(usage->closed);
        table_clear(&usage->nodes);
        pthread_mutex_destroy(&usage->lock);
        free(usage);
}

void usage_release(struct api_usage *usage) {
        struct usage_wait *wait;

        while ((wait = usage_waits_pop(&usage->waits)))
                api_post(wait->r);
}

/* Whether what is known is of now: two rounds may have been missed. */
static bool is_fresh(const struct api_usage *usage, uint64_t now) {
        return !usage->first && usage->done_ns > 0 && now - usage->done_ns < 2 * USAGE_ROUND_S * SECOND;
}

/* False: the request waits. */
static bool may_answer(struct api_usage *usage, struct api_request *r) {
        struct usage_wait *wait = arena_new_of(r->arena, struct usage_wait);
        uint64_t now = uv_hrtime();
        bool waits;

        r->acting = wait;
        pthread_mutex_lock(&usage->lock);
        usage->asked_ns = now;
        waits = wait && usage->mailbox && !is_fresh(usage, now) && mailbox_post(usage->mailbox, usage_wake, usage) == 0;
        if (waits) {
                wait->r = r;
                usage_waits_append(&usage->waits, wait);
        }
        pthread_mutex_unlock(&usage->lock);
        return !waits;
}

enum api_step api_measure(struct api_request *r) {
        struct api_usage *usage = r->server->config.usage;

        if (strcmp(r->kind->group, USAGE_GROUP) != 0)
                return API_NEXT;
        if (r->verb == KUBE_VERB_WATCH)
                return api_refuse(r, API_METHOD_NOT_ALLOWED, "watch is not supported on resources of kind \"%s.%s\"",
                                  r->kind->resource, r->kind->group);
        if (!r->acting && !may_answer(usage, r))
                return api_wait_again(r);
        return usage_answer(usage, r);
}
