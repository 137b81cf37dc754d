/* Rounds: all nodes' kubelets are asked, USAGE_SCRAPES_MAX at a time, as long as somebody wants to know. A round waits
 * for no node of the one before: who has not answered yet is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/usage/internal.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "lib/mailbox.h"
#include "lib/transport/tls.h"

#define SECOND UINT64_C(1000000000)
#define POSTS_MAX 1024

static void begin_round(struct usage_rounds *rounds);

static bool is_idle(struct usage_rounds *rounds) {
        struct api_usage *usage = rounds->usage;
        bool idle;

        pthread_mutex_lock(&usage->lock);
        idle = uv_hrtime() - usage->asked_ns > USAGE_IDLE_S * SECOND;
        pthread_mutex_unlock(&usage->lock);
        return idle;
}

static void on_timer(uv_timer_t *timer) {
        struct usage_rounds *rounds = timer->data;

        if (rounds->firsts > 0 || !is_idle(rounds))
                begin_round(rounds);
}

static void on_impatient(uv_timer_t *timer) {
        struct usage_rounds *rounds = timer->data;

        pthread_mutex_lock(&rounds->usage->lock);
        usage_release(rounds->usage);
        pthread_mutex_unlock(&rounds->usage->lock);
}

/* All have answered; who waits, waits for the second round. */
static void end_round(struct usage_rounds *rounds) {
        struct api_usage *usage = rounds->usage;

        if (rounds->firsts > 0)
                return;
        pthread_mutex_lock(&usage->lock);
        usage->done_ns = uv_hrtime();
        usage->first = false;
        usage_release(usage);
        pthread_mutex_unlock(&usage->lock);
}

void usage_rounds_go_on(struct usage_rounds *rounds) {
        struct usage_node *node;

        while (rounds->under_way < USAGE_SCRAPES_MAX && (node = usage_queue_pop(&rounds->queue)))
                usage_scrape(rounds, node);
        if (rounds->left == 0)
                end_round(rounds);
}

/* Who has connections made with another one makes them anew. */
static void take_tls(struct usage_rounds *rounds) {
        struct api_usage *usage = rounds->usage;

        pthread_mutex_lock(&usage->lock);
        if (usage->tls) {
                tls_context_unref(rounds->tls);
                rounds->tls = usage->tls;
                rounds->generation++;
                usage->tls = NULL;
        }
        pthread_mutex_unlock(&usage->lock);
}

static void begin_round(struct usage_rounds *rounds) {
        int r;

        rounds->round++;
        rounds->left = 0;
        if (rounds->firsts > 0)
                rounds->firsts--;
        uv_timer_start(rounds->timer, on_timer, rounds->firsts > 0 ? USAGE_FIRST_MS : USAGE_ROUND_S * 1000, 0);
        take_tls(rounds);
        r = usage_nodes_queue(rounds);
        if (r < 0)
                log_warning("nodes cannot be asked for what they use: %s", strerror(-r));
        usage_rounds_go_on(rounds);
}

void usage_wake(void *data) {
        struct api_usage *usage = data;
        struct usage_rounds *rounds = usage->rounds;
        bool waits;

        if (!rounds || rounds->firsts > 0)
                return;
        pthread_mutex_lock(&usage->lock);
        waits = !usage_waits_is_empty(&usage->waits);
        usage->first = usage->first || waits;
        pthread_mutex_unlock(&usage->lock);
        if (!waits) /* a round has ended meanwhile */
                return;
        rounds->firsts = 2;
        uv_timer_start(rounds->patience, on_impatient, USAGE_PATIENCE_MS, 0);
        begin_round(rounds);
}

/* --- start and stop --- */

static void free_rounds(struct usage_rounds *rounds) {
        handle_free(rounds->timer);
        handle_free(rounds->patience);
        tls_context_unref(rounds->tls);
        free(rounds);
}

void api_usage_set_tls(struct api_usage *usage, struct tls_context *tls) {
        pthread_mutex_lock(&usage->lock);
        tls_context_unref(usage->tls);
        usage->tls = tls_context_ref(tls);
        pthread_mutex_unlock(&usage->lock);
}

int api_usage_start(struct api_usage *usage, uv_loop_t *loop, struct tls_context *tls) {
        struct usage_rounds *rounds = calloc(1, sizeof(*rounds));
        struct mailbox *mailbox;
        int r;

        if (!rounds)
                return -ENOMEM;
        rounds->usage = usage;
        rounds->loop = loop;
        rounds->tls = tls_context_ref(tls);
        rounds->timer = handle_timer(loop, rounds);
        rounds->patience = handle_timer(loop, rounds);
        r = rounds->timer && rounds->patience ? mailbox_new(loop, POSTS_MAX, &mailbox) : -ENOMEM;
        if (r < 0) {
                free_rounds(rounds);
                return r;
        }
        usage->rounds = rounds;
        pthread_mutex_lock(&usage->lock);
        usage->mailbox = mailbox;
        pthread_mutex_unlock(&usage->lock);
        return 0;
}

void api_usage_stop(struct api_usage *usage) {
        struct usage_rounds *rounds = usage->rounds;
        struct mailbox *mailbox = usage->mailbox;

        if (!rounds)
                return;
        pthread_mutex_lock(&usage->lock);
        usage->mailbox = NULL;
        usage_release(usage);
        pthread_mutex_unlock(&usage->lock);
        usage->rounds = NULL;
        mailbox_close(mailbox);
        usage->closed = mailbox;
        rounds->round++;
        usage_nodes_drop(rounds);
        free_rounds(rounds);
}
