#include "agent/eviction/eviction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eviction/internal.h"
#include "agent/pod/worker.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"

static void look(struct eviction *e);

static int64_t now_of(void *data) {
        struct eviction *e = data;

        return e->world.now(e->world.data);
}

/* -- when to look ------------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer) {
        struct eviction *e = timer->data;

        e->timer_at = INT64_MAX;
        look(e);
}

static void set_timer(struct eviction *e, int64_t at) {
        int64_t now = eviction_now(e);

        if (e->stopped || at == e->timer_at)
                return;
        e->timer_at = at;
        uv_update_time(e->world.loop);
        uv_timer_start(e->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

bool eviction_is_held(struct worker *w) {
        struct worker_mark *mark = worker_mark(w);

        if (mark->held == TRI_UNSET)
                mark->held = eviction_has_limits(worker_pod(w)) && !eviction_is_critical(worker_pod(w)) ? TRI_TRUE :
                                                                                                          TRI_FALSE;
        return mark->held == TRI_TRUE;
}

static bool on_watched(void *data, struct worker *w) {
        struct eviction_watched *watched = data;

        if (worker_is_active(w)) {
                watched->active = true;
                watched->limited |= watched->hold && eviction_is_held(w);
        }
        return !watched->limited;
}

struct eviction_watched eviction_watched(struct eviction *e) {
        struct eviction_watched watched = { .hold = e->settings->local_storage };

        eviction_each_worker(e, on_watched, &watched);
        return watched;
}

/* How long the images' file system cannot reach its high threshold. */
static int64_t images_rest(const struct eviction *e) {
        const struct eviction_observation *space = &e->seen[EVICTION_IMAGEFS];
        int64_t left = space->available - space->capacity / 100 * (101 - e->settings->image_high_percent);

        if (!eviction_collects_images(e) || !space->known || left < 0)
                return EVICTION_REST_MS;
        return left / EVICTION_BYTES_PER_MS < EVICTION_LOOK_MS ? EVICTION_LOOK_MS : left / EVICTION_BYTES_PER_MS;
}

static void schedule(struct eviction *e) {
        struct eviction_watched watched = eviction_watched(e);
        int64_t now = eviction_now(e), next = e->images_at;

        if (watched.limited || e->verdict.conditions)
                next = eviction_sooner(next, now + EVICTION_LOOK_MS);
        else if (watched.active)
                next = eviction_sooner(next,
                                       now + eviction_sooner(eviction_rest(e->settings, e->seen), images_rest(e)));
        next = eviction_sooner(next, e->verdict.next);
        if (e->evicted_uid)
                next = eviction_sooner(next, e->wait_until);
        set_timer(e, next < now ? now : next);
}

void eviction_finish(struct eviction *e) {
        e->busy = e->reclaiming = false;
        schedule(e);
}

/* The kernel says that memory is short. */
static void on_notice(void *data) {
        look(data);
}

/* -- a look ------------------------------------------------------------------------------------------------ */

/* Whether images are due: by their period, since there are others, or their file system has just become too full. */
static bool images_are_due(struct eviction *e) {
        int before = e->images_percent, high = e->settings->image_high_percent;

        e->images_percent = eviction_collector_percent(&e->seen[EVICTION_IMAGEFS]);
        return eviction_now(e) >= e->images_at || e->images_changed != eviction_observer_images_changed(&e->observer) ||
               (eviction_collects_images(e) && e->images_percent >= high && before < high);
}

static void observe(struct eviction *e) {
        uint32_t before = e->verdict.conditions;

        eviction_observer_read(&e->observer, e->seen);
        eviction_decide(e->settings, e->seen, eviction_now(e), &e->state, &e->verdict);
        eviction_tell_conditions(e, before);
        e->told_stuck &= e->verdict.threshold >= 0;
}

static void look(struct eviction *e) {
        if (e->stopped || e->busy)
                return;
        e->busy = true;
        observe(e);
        if (images_are_due(e)) {
                e->images_changed = eviction_observer_images_changed(&e->observer);
                eviction_collector_run(e->collector, false);
        } else
                eviction_act(e);
}

/* -- from outside ------------------------------------------------------------------------------------------ */

int eviction_new(const struct eviction_world *world, struct eviction **ret_eviction, struct err **err) {
        struct eviction *e = calloc(1, sizeof(*e));
        int r = 0;

        if (!e)
                return err_set(err, ENOMEM, "out of memory");
        e->world = *world;
        e->settings = &world->options->eviction;
        e->timer_at = INT64_MAX;
        e->observer = (struct observer){ -EBADF, -EBADF, -EBADF, LAYOUT_SINGLE };
        e->verdict.threshold = -1;
        e->timer = handle_timer(world->loop, e);
        e->collector = eviction_collector_new(world->cri, e->settings, &e->observer, now_of, eviction_collected, e);
        if (!e->timer || !e->collector)
                r = err_set(err, ENOMEM, "out of memory");
        if (r < 0 || (r = eviction_observer_open(world->options->root_dir, world->options->pod_logs_dir, &e->observer,
                                                 err)) < 0) {
                eviction_free(e);
                return r;
        }
        if (e->settings->hard[EVICTION_MEMORY].kind != AMOUNT_NONE ||
            e->settings->soft[EVICTION_MEMORY].kind != AMOUNT_NONE)
                e->notice = notice_new(world->loop, on_notice, e);
        *ret_eviction = e;
        return 0;
}

void eviction_start(struct eviction *e) {
        look(e);
}

void eviction_changed(struct eviction *e, struct worker *w) {
        int64_t now;

        if (!e || e->stopped || e->busy)
                return;
        if (e->evicted_uid) {
                if (strcmp(worker_pod(w)->metadata.uid, e->evicted_uid) == 0 && !worker_holds(w) &&
                    !worker_is_discarding(w))
                        set_timer(e, eviction_now(e));
                return;
        }
        /* The next look was chosen for the pods that there were then. */
        if (!worker_is_active(w) || worker_mark(w)->watched)
                return;
        worker_mark(w)->watched = true;
        now = eviction_now(e);
        if (e->timer_at > now + EVICTION_LOOK_MS)
                set_timer(e, now + EVICTION_LOOK_MS);
}

bool eviction_admit(struct eviction *e, const struct pod *pod, char ret_text[EVICTION_MESSAGE_MAX]) {
        if (!e || e->stopped)
                return true;
        if (!e->busy) {
                observe(e);
                if (e->verdict.threshold >= 0)
                        set_timer(e, eviction_now(e));
        }
        return e->verdict.conditions == 0 || eviction_admits(pod, e->verdict.conditions, ret_text);
}

void eviction_get_counters(const struct eviction *e, struct eviction_counters *ret_counters) {
        *ret_counters = e->counters;
}

void eviction_stop(struct eviction *e) {
        if (!e || e->stopped)
                return;
        e->stopped = true;
        eviction_collector_stop(e->collector);
        notice_free(e->notice);
        e->notice = NULL;
        if (e->timer)
                handle_free(e->timer);
        e->timer = NULL;
}

void eviction_free(struct eviction *e) {
        if (!e)
                return;
        eviction_stop(e);
        eviction_collector_free(e->collector);
        eviction_observer_close(&e->observer);
        free(e->evicted_uid);
        free(e);
}

void eviction_pods_limits(const struct options *options, int64_t node_memory, int64_t *ret_pids, int64_t *ret_memory) {
        const struct eviction_settings *s = &options->eviction;
        int64_t most = eviction_observer_pids_max(), memory = eviction_reserved(s, RESERVED_MEMORY);
        int64_t kept = s->pids_reserved ? eviction_reserved(s, RESERVED_PIDS) : most / EVICTION_PIDS_SHARE;

        *ret_pids = !s->enforce || most == INT64_MAX ? 0 : most > kept ? most - kept : 1;
        *ret_memory = !s->enforce || memory <= 0 ? 0 : node_memory > memory ? node_memory - memory : 1;
}
