#include "api/scheduler/scheduler.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "api/scheduler/internal.h"
#include "client/backend.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/handle.h"

#define NS_OF_MS UINT64_C(1000000)

uint64_t sched_now(const struct scheduler *s) {
        return s->config.now ? s->config.now(s->config.clock) : uv_hrtime();
}

int64_t sched_wall(const struct scheduler *s) {
        return s->config.wall ? s->config.wall(s->config.clock) : time(NULL);
}

/* --- turns --- */

static void on_timer(uv_timer_t *timer) {
        scheduler_turn(timer->data);
}

void sched_wake(struct scheduler *s) {
        if (!s->turning && !s->stopped)
                uv_timer_start(s->timer, on_timer, 0, 0);
}

static void set_timer(struct scheduler *s) {
        uint64_t due = s->n_bindings < SCHED_BINDINGS_MAX ? sched_queue_due(&s->queue) : SCHED_NEVER, now;

        if (due == SCHED_NEVER) {
                uv_timer_stop(s->timer);
                return;
        }
        now = sched_now(s);
        uv_timer_start(s->timer, on_timer, due <= now ? 0 : (due - now + NS_OF_MS - 1) / NS_OF_MS, 0);
}

/* Nothing is decided before all is known. */
void scheduler_turn(struct scheduler *scheduler) {
        struct sched_pod *pod;

        if (scheduler->stopped || !informers_synced(scheduler->informers))
                return;
        scheduler->turning = true;
        for (unsigned n = 0; n < SCHED_TURN_MAX && scheduler->n_bindings < SCHED_BINDINGS_MAX &&
                             (pod = sched_queue_pop(&scheduler->queue, sched_now(scheduler)));
             n++)
                sched_attempt(scheduler, pod);
        scheduler->turning = false;
        sched_metrics_look(scheduler);
        set_timer(scheduler);
}

void sched_changed(struct scheduler *s, uint32_t event, const struct sched_node *node, const struct sched_pod *pod) {
        const struct sched_change change = { event, node, pod };

        if (sched_queue_tell(&s->queue, &change, sched_now(s)) > 0)
                sched_wake(s);
}

/* --- its life --- */

static void on_synced(void *data) {
        const struct scheduler *s = data;

        if (s->config.synced)
                s->config.synced(s->config.data);
        sched_wake(data);
}

static const struct kube_kind *kind_of(const struct scheduler *s, const char *group, const char *resource) {
        return kube_registry_resource(s->config.kinds, group, "v1", resource);
}

static int begin(struct scheduler *s) {
        s->pod_kind = kind_of(s, "", "pods");
        s->node_kind = kind_of(s, "", "nodes");
        s->space_kind = kind_of(s, "", "namespaces");
        s->claim_kind = kind_of(s, "", "persistentvolumeclaims");
        s->budget_kind = kind_of(s, "policy", "poddisruptionbudgets");
        if (!s->pod_kind || !s->node_kind || !s->space_kind || !s->claim_kind || !s->budget_kind)
                return -ENOENT;
        if (getrandom(&s->random, sizeof(s->random), GRND_NONBLOCK) != sizeof(s->random))
                s->random = sched_now(s);
        s->arena = arena_new();
        s->scratch = arena_new();
        s->timer = handle_timer(s->config.client->loop, s);
        s->recorder = recorder_new(s->config.client, kind_of(s, "", "events"), SCHEDULER_NAME, NULL);
        s->informers = informers_new(s->config.client, on_synced, s);
        if (!s->arena || !s->scratch || !s->timer || !s->recorder || !s->informers)
                return -ENOMEM;
        informers_do_without(s->informers);
        return sched_watch(s);
}

int scheduler_new(const struct scheduler_config *config, struct scheduler **ret_scheduler, struct err **err) {
        struct scheduler *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_set(err, ENOMEM, "no memory for the scheduler");
        s->config = *config;
        sched_queue_init(&s->queue);
        r = begin(s);
        if (r < 0) {
                scheduler_stop(s);
                scheduler_free(s);
                return err_errno(err, -r, "cannot begin the scheduler");
        }
        *ret_scheduler = s;
        return 0;
}

int scheduler_start(struct scheduler *scheduler) {
        return informers_start(scheduler->informers);
}

void scheduler_stop(struct scheduler *scheduler) {
        if (!scheduler || scheduler->stopped)
                return;
        scheduler->stopped = true;
        sched_sends_end(scheduler);
        recorder_free(scheduler->recorder);
        informers_free(scheduler->informers);
        handle_free(scheduler->timer);
        scheduler->recorder = NULL;
        scheduler->informers = NULL;
        scheduler->timer = NULL;
}

void scheduler_free(struct scheduler *scheduler) {
        if (!scheduler)
                return;
        sched_cluster_clear(&scheduler->cluster);
        sched_queue_clear(&scheduler->queue);
        arena_free(scheduler->arena);
        arena_free(scheduler->scratch);
        free(scheduler->fitting);
        free(scheduler->scores);
        free(scheduler->totals);
        free(scheduler->verdicts);
        free(scheduler);
}
