/* Brings the kernel's table of Services to what is known, in transactions on the pool: what changes while one is under
 * way is the next. First, and after a failure, what the kernel has is read, and taken up: who is kept at an end stays.
 * A table that cannot be taken up is begun anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/grow.h"
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
        s->balance.renew = true;
        balance_later(s, 0);
}

void balance_look(struct services *s) {
        s->balance.looks = true;
        balance_later(s, SERVICES_GATHER_MS);
}

/* -- changes ----------------------------------------------------------------------------------------------- */

/* What they take of a transaction's messages, which others share by the dozen. */
#define KEPT_WEIGHT 64
/* More than this is the next transaction's. What one Service may ask for, and had, has room above it. */
#define WEIGHT_MAX 250000

int balance_append(struct balance *b, const struct balancer_change *change) {
        int r = GROW(b->changes, b->size, b->n_changes + 1, GROW_NO_MAX);

        if (r < 0)
                return r;
        b->changes[b->n_changes++] = *change;
        b->weight += change->kind >= BALANCER_END ? KEPT_WEIGHT : 1;
        return 0;
}

static void make_due(struct balance *b, struct model_service *service) {
        if (!services_due_contains(service))
                services_due_append(&b->due, service);
}

/* What somebody had no use for any more others may have asked for. */
static void look_for_lacking(struct balance *b) {
        b->lacking = false;
        LIST_EACH (services_all, service, &b->all)
                if (service->lacks)
                        make_due(b, service);
}

/* Once all that has come at a time is known. */
static void tell_lackers(struct balance *b) {
        LIST_EACH (services_all, service, &b->all) {
                if (service->lacks && !service->told)
                        log_error("services: %s asks for an address and port that another Service has, or for more "
                                  "than there is room for: it is left out",
                                  service->key);
                service->told = service->lacks;
        }
        b->lackers = false;
}

/* When nobody is due any more. */
static int finish(struct services *s) {
        struct balance *b = &s->balance;
        int r = b->sweeps ? fronts_sweep(s) : 0;

        b->sweeps = false;
        if (r == 0 && b->lacking)
                look_for_lacking(b);
        return r;
}

static int collect(struct services *s) {
        struct balance *b = &s->balance;
        struct model_service *service;
        int r = 0;

        b->n_changes = b->weight = 0;
        while (r == 0 && b->weight < WEIGHT_MAX) {
                service = services_due_pop(&b->due);
                if (service) {
                        r = fronts_update(s, service);
                        model_drop(s, service);
                } else if (b->sweeps || b->lacking)
                        r = finish(s);
                else
                        break;
        }
        if (r == 0 && b->lackers && services_due_is_empty(&b->due))
                tell_lackers(b);
        return r;
}

/* -- on the pool ------------------------------------------------------------------------------------------- */

static void renew_balancer(struct balance *b) {
        struct balancer *balancer = NULL;

        if (cni_balancer_new(&b->options, &balancer) < 0) {
                err_set(&b->failure, ENOMEM, "out of memory");
                return;
        }
        cni_balancer_free(b->balancer);
        b->balancer = balancer;
}

static void work(void *data) {
        static const enum balancer_begin begins[] = {
                [BALANCE_READ] = BALANCER_TAKES_UP, [BALANCE_ABSENT] = BALANCER_ANEW, [BALANCE_KNOWN] = BALANCER_GOES_ON
        };
        struct services *s = data;
        struct balance *b = &s->balance;

        if (b->was == BALANCE_UNREAD) {
                renew_balancer(b);
                if (!b->failure)
                        cni_balancer_read(b->balancer, &b->changes, &b->n_changes, &b->failure);
                return;
        }
        if (b->was == BALANCE_KNOWN && b->n_changes == 0)
                cni_balancer_check(b->balancer, &b->failure);
        else
                cni_balancer_apply(b->balancer, b->changes, b->n_changes, begins[b->was], &b->failure);
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

static void free_changes(struct balance *b) {
        free(b->changes);
        b->changes = NULL;
        b->n_changes = b->size = 0;
}

static void begin_in(struct balance *b, enum balance_state state) {
        b->state = state;
        b->sweeps = state == BALANCE_READ;
        if (state == BALANCE_UNREAD || state == BALANCE_ABSENT)
                fronts_forget(b);
        LIST_EACH (services_all, service, &b->all)
                make_due(b, service);
}

/* What was read is taken up, if it is as this program leaves it. */
static void take_up(struct services *s) {
        struct balance *b = &s->balance;
        bool found = !b->failure && fronts_find(b, b->changes, b->n_changes) == 0;

        begin_in(b, found ? BALANCE_READ : BALANCE_ABSENT);
        balance_later(s, 0);
}

/* That someone has removed the table, or part of it, is mended at once. */
static void begin_again(struct services *s) {
        struct balance *b = &s->balance;
        bool lost = b->was == BALANCE_READ || (b->was == BALANCE_KNOWN && err_code(b->failure) == ENOENT);

        if (!lost)
                tell(b, err_text(b->failure));
        begin_in(b, b->was == BALANCE_READ ? BALANCE_ABSENT : BALANCE_UNREAD);
        balance_later(s, lost ? 0 : SERVICES_RETRY_MS);
}

static void on_done(void *data) {
        struct services *s = data;
        struct balance *b = &s->balance;

        if (b->was == BALANCE_UNREAD)
                take_up(s);
        else if (b->failure)
                begin_again(s);
        else {
                b->state = BALANCE_KNOWN;
                tell(b, "");
                balance_later(s, 0);
        }
        b->failure = err_free(b->failure);
        /* A list of all is no use for the few that follow. */
        if (b->was != BALANCE_KNOWN || b->size > BALANCER_BACKS_MAX)
                free_changes(b);
}

static void run(struct balance *b) {
        b->was = b->state;
        services_job_run(b->job);
}

static void turn(struct services *s) {
        struct balance *b = &s->balance;

        if (!b->synced || b->listing || services_job_runs(b->job))
                return;
        if (b->renew)
                begin_in(b, BALANCE_UNREAD);
        b->renew = false;
        if (b->state == BALANCE_UNREAD) {
                free_changes(b);
                b->cidrs = s->nodes.own;
                b->options = (struct balancer_options){ .bridge = s->config.bridge,
                                                        .pod_cidrs = b->cidrs.items,
                                                        .n_pod_cidrs = b->cidrs.n };
                return run(b);
        }
        if (collect(s) < 0) {
                begin_in(b, BALANCE_UNREAD);
                tell(b, "out of memory");
                return balance_later(s, SERVICES_RETRY_MS);
        }
        if (b->n_changes > 0 || b->state != BALANCE_KNOWN || b->looks)
                run(b);
        b->looks = false; /* a change finds out as well */
}

int balance_init(struct services *s) {
        struct balance *b = &s->balance;

        b->addresses.kind = BALANCER_ADDRESS;
        b->selfs.kind = BALANCER_SELF;
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
        fronts_forget(b);
        free_changes(b);
        err_free(b->failure);
        b->failure = NULL;
}
