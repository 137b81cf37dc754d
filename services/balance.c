/* Brings the kernel's table of Services to what is known, in transactions on the pool: what changes while one is under
 * way is the next. After a failure the table is begun anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "services/internal.h"

static void turn(struct services *s);

static void on_timer(uv_timer_t *timer) {
        turn(timer->data);
}

void balance_later(struct services *s, unsigned ms) {
        uv_timer_t *timer = s->balance.timer;

        if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > ms)
                uv_timer_start(timer, on_timer, ms, 0);
}

void balance_renew(struct services *s) {
        s->balance.anew = true;
        balance_later(s, 0);
}

/* What all of them need, or those of which something is another. */
static int collect(struct services *s) {
        struct balance *b = &s->balance;
        struct model_service *service;
        int r;

        b->n_changes = 0;
        if (b->anew) {
                while (services_due_pop(&b->due))
                        continue;
                fronts_forget_selfs(b);
                LIST_EACH (services_all, each, &b->all) {
                        if ((r = fronts_all(s, each)) < 0)
                                return r;
                        model_drop(s, each);
                }
                return 0;
        }
        while ((service = services_due_pop(&b->due))) {
                if ((r = fronts_update(s, service)) < 0)
                        return r;
                model_drop(s, service);
        }
        return 0;
}

static void work(void *data) {
        struct services *s = data;
        struct balance *b = &s->balance;

        if (b->from_scratch) {
                struct balancer *balancer = NULL;

                if (cni_balancer_new(&b->options, &balancer) < 0) {
                        err_set(&b->failure, ENOMEM, "out of memory");
                        return;
                }
                cni_balancer_free(b->balancer);
                b->balancer = balancer;
        }
        cni_balancer_apply(b->balancer, b->changes, b->n_changes, b->from_scratch, &b->failure);
}

static void tell(struct balance *b, const char *text) {
        if (strcmp(b->said, text) == 0)
                return;
        snprintf(b->said, sizeof(b->said), "%s", text);
        if (*text)
                log_error("services: %s; trying again every %d s", text, SERVICES_RETRY_MS / 1000);
        else
                log_info("services: their addresses lead to who is behind them again");
}

/* That someone has removed the table is mended at once. */
static void on_done(void *data) {
        struct services *s = data;
        struct balance *b = &s->balance;
        bool lost = err_code(b->failure) == ENOENT && !b->from_scratch;

        if (b->failure && !lost)
                tell(b, err_text(b->failure));
        else if (!b->failure && *b->said)
                tell(b, "");
        if (b->failure) {
                b->anew = true;
                balance_later(s, lost ? 0 : SERVICES_RETRY_MS);
        } else if (b->anew || !services_due_is_empty(&b->due))
                balance_later(s, 0);
        b->failure = err_free(b->failure);
        /* A list of all is no use for the few that follow. */
        if (b->size > BALANCER_BACKS_MAX) {
                free(b->changes);
                b->changes = NULL;
                b->size = 0;
        }
}

static void turn(struct services *s) {
        struct balance *b = &s->balance;

        if (!b->synced || b->listing || services_job_runs(b->job))
                return;
        if (!b->anew && services_due_is_empty(&b->due))
                return;
        if (collect(s) < 0) {
                b->anew = true;
                tell(b, "out of memory");
                return balance_later(s, SERVICES_RETRY_MS);
        }
        b->from_scratch = b->anew;
        b->anew = false;
        b->cidrs = s->nodes.own;
        b->options = (struct balancer_options){ .bridge = s->config.bridge,
                                                .pod_cidrs = b->cidrs.items,
                                                .n_pod_cidrs = b->cidrs.n };
        if (b->n_changes > 0 || b->from_scratch)
                services_job_run(b->job);
}

int balance_init(struct services *s) {
        struct balance *b = &s->balance;

        b->anew = true;
        b->timer = handle_timer(s->config.loop, s);
        b->job = services_job_new(s->config.pool, work, on_done, s);
        return b->timer && b->job ? 0 : -ENOMEM;
}

void balance_done(struct services *s) {
        struct balance *b = &s->balance;

        services_job_free(b->job);
        b->job = NULL;
        handle_free(b->timer);
        b->timer = NULL;
        cni_balancer_free(b->balancer);
        b->balancer = NULL;
        fronts_forget_selfs(b);
        table_clear(&b->selfs_by_ip);
        free(b->changes);
        b->changes = NULL;
        err_free(b->failure);
        b->failure = NULL;
}
