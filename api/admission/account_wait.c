#include "api/admission/account_wait.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <uv.h>

#include "api/admission/internal.h"
#include "api/admission/plugin.h"
#include "api/cache/collection.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/cleanup.h"
#include "lib/list.h"

/* A request that waits. The timer is the loop's, and so is the wait once it was woken. */
struct account_wait {
        struct account_waits *waits;
        struct api_request *r;
        uint64_t until_ms; /* of uv_now() */
        bool woken;
        uv_timer_t timer;
        struct list_node in_waits;
};
LIST_DEFINE(account_wait_list, struct account_wait, in_waits)

struct account_waits {
        pthread_mutex_t lock;
        struct account_wait_list all;
        struct collection *accounts; /* that is listened to; NULL: nobody has waited yet */
        struct collection_listener listener;
};

struct account_waits *account_waits_new(void) {
        struct account_waits *waits = calloc(1, sizeof(*waits));

        if (waits)
                pthread_mutex_init(&waits->lock, NULL);
        return waits;
}

void account_waits_free(struct account_waits *waits) {
        if (!waits)
                return;
        if (waits->accounts)
                collection_ignore(waits->accounts, &waits->listener);
        pthread_mutex_destroy(&waits->lock);
        free(waits);
}

/* An account has changed; each looks whether it is his. */
static void on_changed(struct collection_listener *listener) {
        struct account_waits *waits = (void *)((char *)listener - offsetof(struct account_waits, listener));

        pthread_mutex_lock(&waits->lock);
        LIST_EACH (account_wait_list, wait, &waits->all) {
                if (wait->woken)
                        continue;
                wait->woken = true;
                api_post(wait->r);
        }
        pthread_mutex_unlock(&waits->lock);
}

static void on_late(uv_timer_t *timer) {
        struct account_wait *wait = timer->data;
        bool woken;

        pthread_mutex_lock(&wait->waits->lock);
        woken = wait->woken;
        wait->woken = true;
        pthread_mutex_unlock(&wait->waits->lock);
        if (!woken)
                api_resume(wait->r);
}

static void on_closed(uv_handle_t *handle) {
        free(handle->data);
}

static struct account_wait *begin(struct account_waits *waits, struct api_request *r) {
        struct account_wait *wait = calloc(1, sizeof(*wait));

        if (!wait)
                return NULL;
        wait->waits = waits;
        wait->r = r;
        wait->timer.data = wait;
        uv_timer_init(r->loop->uv, &wait->timer);
        return wait;
}

void account_wait_end(struct api_request *r) {
        struct account_wait *wait = r->account_wait;

        if (!wait)
                return;
        r->account_wait = NULL;
        r->account_until_ms = wait->until_ms;
        pthread_mutex_lock(&wait->waits->lock);
        account_wait_list_remove(wait);
        pthread_mutex_unlock(&wait->waits->lock);
        uv_close((uv_handle_t *)&wait->timer, on_closed);
}

/* From here on it hears of what is made. */
static void enter(struct account_waits *waits, struct account_wait *wait, struct collection *accounts) {
        bool first;

        pthread_mutex_lock(&waits->lock);
        account_wait_list_append(&waits->all, wait);
        first = !waits->accounts;
        if (first)
                waits->accounts = accounts;
        pthread_mutex_unlock(&waits->lock);
        if (!first)
                return;
        waits->listener.changed = on_changed;
        collection_listen(accounts, &waits->listener);
}

enum api_step account_wait(struct admission *a) {
        struct api_resource *accounts = api_state_find(a->r->server->config.state, "", "serviceaccounts");
        uint64_t now = uv_now(a->r->loop->uv), until = a->r->account_until_ms ?: now + ACCOUNT_WAIT_MS;
        _cleanup_object_ struct object *made = NULL;
        struct account_wait *wait;

        if (now >= until)
                return API_NEXT;
        wait = begin(a->config->waits, a->r);
        if (!wait)
                return api_fail(a->r, -ENOMEM, NULL);
        wait->until_ms = until;
        a->r->account_wait = wait;
        enter(a->config->waits, wait, accounts->collection);
        made = collection_get(accounts->collection, a->namespace, "default");
        /* What was made before anybody listened wakes nobody. */
        uv_timer_start(&wait->timer, on_late, made ? 0 : until - now, 0);
        return api_wait_again(a->r);
}

void account_waits_stop(struct account_waits *waits, struct api_loop *loop) {
        struct account_wait_list own = { 0 };
        struct account_wait *wait;

        pthread_mutex_lock(&waits->lock);
        LIST_EACH (account_wait_list, one, &waits->all)
                if (one->timer.loop == loop->uv) {
                        account_wait_list_remove(one);
                        account_wait_list_append(&own, one);
                }
        pthread_mutex_unlock(&waits->lock);
        while ((wait = account_wait_list_pop(&own))) {
                if (!wait->woken)
                        api_request_free(wait->r);
                uv_close((uv_handle_t *)&wait->timer, on_closed);
        }
}
