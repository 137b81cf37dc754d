#include "agent/eviction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eviction_internal.h"
#include "agent/worker.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/log.h"

static void look(struct eviction *e);

static int64_t now_of(void *data) {
        struct eviction *e = data;

        return e->world.now(e->world.data);
}

static void each_worker(struct eviction *e, bool (*each)(void *data, struct worker *worker), void *data) {
        e->world.each_worker(e->world.data, each, data);
}

/* -- when to look ------------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer) {
        struct eviction *e = timer->data;

        e->timer_at = INT64_MAX;
        look(e);
}

static void set_timer(struct eviction *e, int64_t at) {
        int64_t now = now_of(e);

        if (e->stopped || at == e->timer_at)
                return;
        e->timer_at = at;
        uv_update_time(e->world.loop);
        uv_timer_start(e->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

/* Whether some pod can be evicted, and whether one has limits of its own. */
struct watched {
        bool active, limited;
        bool hold; /* held to their limits at all */
};

static bool on_watched(void *data, struct worker *w) {
        struct watched *watched = data;

        if (worker_is_active(w)) {
                watched->active = true;
                watched->limited |= watched->hold && worker_has_limits(w);
        }
        return !watched->limited;
}

static struct watched find_watched(struct eviction *e) {
        struct watched watched = { .hold = e->settings->local_storage };

        each_worker(e, on_watched, &watched);
        return watched;
}

static int64_t sooner(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static bool images_are_collected(const struct eviction *e) {
        return e->settings->image_high_percent < 100 || e->settings->image_max_age_ms > 0;
}

/* How long the images' file system cannot reach its high threshold. */
static int64_t images_rest(const struct eviction *e) {
        const struct eviction_observation *space = &e->seen[EVICTION_IMAGEFS];
        int64_t left = space->available - space->capacity / 100 * (101 - e->settings->image_high_percent);

        if (!images_are_collected(e) || !space->known || left < 0)
                return EVICTION_REST_MS;
        return left / EVICTION_BYTES_PER_MS < EVICTION_LOOK_MS ? EVICTION_LOOK_MS : left / EVICTION_BYTES_PER_MS;
}

static void schedule(struct eviction *e) {
        struct watched watched = find_watched(e);
        int64_t now = now_of(e), next = e->images_at;

        if (watched.limited || e->verdict.conditions)
                next = sooner(next, now + EVICTION_LOOK_MS);
        else if (watched.active)
                next = sooner(next, now + sooner(eviction_rest(e->settings, e->seen), images_rest(e)));
        next = sooner(next, e->verdict.next);
        if (e->evicted_uid)
                next = sooner(next, e->wait_until);
        set_timer(e, next < now ? now : next);
}

static void finish(struct eviction *e) {
        e->busy = e->reclaiming = false;
        schedule(e);
}

/* The kernel says that memory is short. */
static void on_notice(void *data) {
        look(data);
}

/* -- pods go ----------------------------------------------------------------------------------------------- */

struct find {
        const char *uid;
        struct worker *found;
};

static bool on_find(void *data, struct worker *w) {
        struct find *find = data;

        if (strcmp(worker_pod(w)->metadata.uid, find->uid) == 0)
                find->found = w;
        return !find->found;
}

static struct worker *find_worker(struct eviction *e, const char *uid) {
        struct find find = { .uid = uid };

        each_worker(e, on_find, &find);
        return find.found;
}

/* Evicts it and waits for its end before anything else is done. */
static bool evict(struct eviction *e, const struct pod *pod, const char *message, int64_t grace, bool disruption) {
        struct worker *w = find_worker(e, pod->metadata.uid);

        if (!w || !worker_is_active(w) || eviction_is_critical(pod))
                return false;
        free(e->evicted_uid);
        e->evicted_uid = strdup(pod->metadata.uid);
        e->wait_until = now_of(e) + grace * 1000 + EVICTION_CLEANUP_MS;
        worker_evict(w, message, grace, disruption);
        return true;
}

static bool is_waiting(struct eviction *e) {
        struct worker *w = e->evicted_uid ? find_worker(e, e->evicted_uid) : NULL;

        if (w && (worker_holds(w) || worker_is_discarding(w)) && now_of(e) < e->wait_until)
                return true;
        free(TAKE_PTR(e->evicted_uid));
        return false;
}

static void evict_first(struct eviction *e, struct survey *survey) {
        enum eviction_signal signal = eviction_threshold_signal(e->verdict.threshold);
        struct quantity quantity, available;
        char message[EVICTION_MESSAGE_MAX];
        size_t n = 0;
        struct eviction_pod *pods = survey_pods(survey, &n);

        eviction_rank(pods, n, signal, e->observer.layout);
        eviction_met(e->settings, &e->state, e->seen, e->verdict.threshold, &quantity, &available);
        for (size_t i = 0; i < n; i++) {
                const struct opt_int *own = &pods[i].pod->spec.termination_grace_period;
                int64_t grace = eviction_grace(e->settings, e->verdict.threshold, own->set ? own->value : 30);

                eviction_message(&pods[i], signal, quantity, available, message);
                if (!evict(e, pods[i].pod, message, grace, true))
                        continue;
                e->counters.evictions[signal]++;
                return;
        }
        if (!e->told_stuck)
                log_warning("the node is low on %s, but there is no pod that could be evicted",
                            eviction_signal_resource(signal));
        e->told_stuck = true;
}

static void on_ranked(void *data, struct survey *survey) {
        struct eviction *e = data;

        if (!e->stopped && e->verdict.threshold >= 0)
                evict_first(e, survey);
        survey_free(survey);
        if (!e->stopped)
                finish(e);
}

struct adding {
        struct eviction *e;
        struct survey *survey;
        bool limited;
        size_t n;
};

static bool on_add(void *data, struct worker *w) {
        struct adding *adding = data;

        if (!worker_is_active(w) ||
            (adding->limited && (!worker_has_limits(w) || !worker_sandbox(w) || eviction_is_critical(worker_pod(w)))))
                return true;
        adding->n++;
        return survey_add(adding->survey, w) == 0;
}

/* Measures the pods in question and goes on with @done. False: there are none. */
static bool measure_pods(struct eviction *e, bool limited, void (*done)(void *data, struct survey *survey)) {
        struct adding adding = { e, survey_new(e->world.cgroups, limited), limited, 0 };

        if (!adding.survey)
                return false;
        each_worker(e, on_add, &adding);
        if (adding.n == 0) {
                survey_free(adding.survey);
                return false;
        }
        survey_run(adding.survey, e->world.pool, done, e);
        return true;
}

static void choose_pod(struct eviction *e) {
        if (!measure_pods(e, false, on_ranked))
                finish(e);
}

/* -- what nothing uses goes first -------------------------------------------------------------------------- */

static bool is_disk(enum eviction_signal signal) {
        return signal != EVICTION_MEMORY && signal != EVICTION_PIDS;
}

static bool on_discard(void *data, struct worker *w) {
        bool *any = data;

        *any |= worker_discard(w);
        return true;
}

/* After images were deleted for the pressure's sake: if that was enough, no pod has to go. */
static void reclaimed(struct eviction *e) {
        struct eviction_observation seen[_EVICTION_SIGNALS];

        observer_read(&e->observer, seen);
        if (eviction_resolved(e->settings, seen)) {
                log_info("the node's pressure was reduced without evicting pods");
                finish(e);
                return;
        }
        choose_pod(e);
}

/* Where images are on a disk of their own, each file system gets back what is on it. */
static void reclaim(struct eviction *e) {
        enum eviction_signal signal = eviction_threshold_signal(e->verdict.threshold);
        bool apart = e->observer.layout == LAYOUT_IMAGES_APART, containers = false;
        bool images = signal == EVICTION_IMAGEFS || signal == EVICTION_IMAGEFS_INODES;

        eviction_say(e, true, "EvictionThresholdMet", "Attempting to reclaim %s", eviction_signal_resource(signal));
        if (is_disk(signal) && (!apart || !images))
                each_worker(e, on_discard, &containers);
        if (containers)
                finish(e); /* their layers go now, and then more images are unused: the next look sees what that gave */
        else if (is_disk(signal) && (!apart || images)) {
                e->reclaiming = true;
                collector_run(e->collector, true);
        } else
                choose_pod(e);
}

/* -- images ------------------------------------------------------------------------------------------------ */

static void tell_images(struct eviction *e, const struct collected *c) {
        if (c->wanted == 0 || c->freed >= c->wanted) {
                e->images_failed = 0;
                return;
        }
        eviction_say(e, true, "FreeDiskSpaceFailed",
                     "Insufficient free disk space on the node's image filesystem (%d%% of %.1f GiB used). Failed to "
                     "free sufficient space by deleting unused images (freed %lld bytes). Investigate disk usage, as "
                     "it could be used by active images, logs, volumes, or other data.",
                     c->percent, (double)c->capacity / (double)(1 << 30), (long long)c->freed);
        if (e->images_failed++ > 0)
                eviction_say(e, true, "ImageGCFailed", "unused images do not free enough of the image filesystem");
}

static void act(struct eviction *e);

/* Those that are too young now are looked at when they are not, if they could help. */
static void on_collected(void *data, const struct collected *c) {
        struct eviction *e = data;
        int64_t now = now_of(e);

        e->counters.images_by_age += c->by_age;
        e->counters.images_by_space += c->by_space;
        if (e->reclaiming) {
                reclaimed(e);
                return;
        }
        tell_images(e, c);
        e->images_at = sooner(now + EVICTION_IMAGES_MS, image_records_due(collector_records(e->collector), e->settings,
                                                                          c->freed < c->wanted, now));
        act(e);
}

/* Whether images are due: by their period, since there are others, or their file system has just become too full. */
static bool images_are_due(const struct eviction *e, int percent_before) {
        int percent = collector_percent(&e->seen[EVICTION_IMAGEFS]), high = e->settings->image_high_percent;

        return e->world.now(e->world.data) >= e->images_at ||
               e->images_changed != observer_images_changed(&e->observer) ||
               (images_are_collected(e) && percent >= high && percent_before < high);
}

/* -- a look ------------------------------------------------------------------------------------------------ */

static bool evict_over_limits(struct eviction *e, struct survey *survey) {
        char message[EVICTION_MESSAGE_MAX];
        enum eviction_limit limit;
        bool any = false;
        size_t n = 0;
        const struct eviction_pod *pods = survey_pods(survey, &n);

        for (size_t i = 0; i < n; i++) {
                struct worker *w = find_worker(e, pods[i].pod->metadata.uid);

                if (w && pods[i].known)
                        survey_note(survey, w);
                limit = eviction_over_limit(&pods[i], message);
                if (limit == LIMIT_NONE || !evict(e, pods[i].pod, message, 1, false))
                        continue;
                e->counters.by_limit[limit]++;
                any = true;
        }
        return any;
}

static void on_counted(void *data, struct survey *survey) {
        struct eviction *e = data;
        bool evicted = !e->stopped && evict_over_limits(e, survey);

        survey_free(survey);
        if (e->stopped)
                return;
        if (evicted || e->verdict.threshold < 0)
                finish(e);
        else
                reclaim(e);
}

static bool files_have_changed(struct eviction *e) {
        struct observed_files files;
        bool changed;

        observer_read_files(&e->observer, &files);
        changed = !e->ever_counted || memcmp(&files, &e->counted, sizeof(files)) != 0;
        e->counted = files;
        e->ever_counted = true;
        return changed;
}

/* What the look found is acted upon: pods over limits of their own first. */
static void act(struct eviction *e) {
        if (is_waiting(e)) {
                finish(e);
                return;
        }
        if (find_watched(e).limited && files_have_changed(e) && measure_pods(e, true, on_counted))
                return;
        if (e->verdict.threshold >= 0)
                reclaim(e);
        else
                finish(e);
}

static void observe(struct eviction *e) {
        uint32_t before = e->verdict.conditions;

        observer_read(&e->observer, e->seen);
        eviction_decide(e->settings, e->seen, now_of(e), &e->state, &e->verdict);
        eviction_tell_conditions(e, before);
        e->told_stuck &= e->verdict.threshold >= 0;
}

static void look(struct eviction *e) {
        int percent = collector_percent(&e->seen[EVICTION_IMAGEFS]);

        if (e->stopped || e->busy)
                return;
        e->busy = true;
        observe(e);
        if (images_are_due(e, percent)) {
                e->images_changed = observer_images_changed(&e->observer);
                collector_run(e->collector, false);
        } else
                act(e);
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
        e->collector = collector_new(world->cri, e->settings, &e->observer, now_of, on_collected, e);
        if (!e->timer || !e->collector)
                r = err_set(err, ENOMEM, "out of memory");
        if (r == 0)
                r = observer_open(world->options->root_dir, world->options->pod_logs_dir, &e->observer, err);
        if (r < 0) {
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
                        set_timer(e, now_of(e));
                return;
        }
        /* The next look was chosen for the pods that there were then. */
        if (!worker_is_active(w) || !worker_begin_watch(w))
                return;
        now = now_of(e);
        if (e->timer_at > now + EVICTION_LOOK_MS)
                set_timer(e, now + EVICTION_LOOK_MS);
}

bool eviction_admit(struct eviction *e, const struct pod *pod, char ret_text[EVICTION_MESSAGE_MAX]) {
        if (!e || e->stopped)
                return true;
        if (!e->busy) {
                observe(e);
                if (e->verdict.threshold >= 0)
                        set_timer(e, now_of(e));
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
        collector_stop(e->collector);
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
        collector_free(e->collector);
        observer_close(&e->observer);
        free(e->evicted_uid);
        free(e);
}

void eviction_pods_limits(const struct options *options, int64_t node_memory, int64_t *ret_pids, int64_t *ret_memory) {
        const struct eviction_settings *s = &options->eviction;
        int64_t most = observer_pids_max(), memory = eviction_reserved(s, RESERVED_MEMORY);
        int64_t kept = s->pids_reserved ? eviction_reserved(s, RESERVED_PIDS) : most / EVICTION_PIDS_SHARE;

        *ret_pids = !s->enforce || most == INT64_MAX ? 0 : most > kept ? most - kept : 1;
        *ret_memory = !s->enforce || memory <= 0 ? 0 : node_memory > memory ? node_memory - memory : 1;
}
