/* What follows a look: pods over limits of their own go, then, if the node is short of something, what nothing uses,
 * then the first of the pods. Each step that takes time comes back on the loop; the last is eviction_finish(). */
#include <stdlib.h>
#include <string.h>

#include "agent/eviction/internal.h"
#include "agent/pod/worker.h"
#include "lib/cleanup.h"
#include "lib/log.h"

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

        eviction_each_worker(e, on_find, &find);
        return find.found;
}

/* Evicts it and waits for its end before anything else is done. */
static bool evict(struct eviction *e, const struct pod *pod, const char *message, int64_t grace, bool disruption) {
        struct worker *w = find_worker(e, pod->metadata.uid);
        char *uid;

        if (!w || !worker_is_active(w) || eviction_is_critical(pod))
                return false;
        if (!(uid = strdup(pod->metadata.uid)) || !worker_evict(w, message, grace, disruption)) {
                free(uid);
                return false;
        }
        free(e->evicted_uid);
        e->evicted_uid = uid;
        e->wait_until = eviction_now(e) + grace * 1000 + EVICTION_CLEANUP_MS;
        return true;
}

static bool is_waiting(struct eviction *e) {
        struct worker *w = e->evicted_uid ? find_worker(e, e->evicted_uid) : NULL;

        if (w && (worker_holds(w) || worker_is_discarding(w)) && eviction_now(e) < e->wait_until)
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
                const struct opt_int *own = &pods[i].pod->spec.termination_grace_period_seconds;
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
                eviction_finish(e);
}

struct adding {
        struct eviction *e;
        struct survey *survey;
        bool limited;
        size_t n;
};

static bool on_add(void *data, struct worker *w) {
        struct adding *adding = data;

        if (!worker_is_active(w) || (adding->limited && (!eviction_is_held(w) || !worker_sandbox(w))))
                return true;
        adding->n++;
        return survey_add(adding->survey, w) == 0;
}

/* Measures the pods in question and goes on with @done. False: there are none. */
static bool measure_pods(struct eviction *e, bool limited, void (*done)(void *data, struct survey *survey)) {
        struct adding adding = { e, survey_new(e->world.cgroups, e->world.options, limited), limited, 0 };

        if (!adding.survey)
                return false;
        eviction_each_worker(e, on_add, &adding);
        if (adding.n == 0) {
                survey_free(adding.survey);
                return false;
        }
        survey_run(adding.survey, e->world.pool, done, e);
        return true;
}

static void choose_pod(struct eviction *e) {
        if (!measure_pods(e, false, on_ranked))
                eviction_finish(e);
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

        eviction_observer_read(&e->observer, seen);
        if (eviction_resolved(e->settings, seen)) {
                log_info("the node's pressure was reduced without evicting pods");
                eviction_finish(e);
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
                eviction_each_worker(e, on_discard, &containers);
        if (containers)
                eviction_finish(e); /* their layers go now, and then more images are unused: the next look sees what
                                       that gave */
        else if (is_disk(signal) && (!apart || images)) {
                e->reclaiming = true;
                eviction_collector_run(e->collector, true);
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

/* Those that are too young now are looked at when they are not, if they could help. */
void eviction_collected(void *data, const struct collected *c) {
        struct eviction *e = data;
        int64_t now = eviction_now(e);

        e->counters.images_by_age += c->by_age;
        e->counters.images_by_space += c->by_space;
        if (e->reclaiming) {
                reclaimed(e);
                return;
        }
        tell_images(e, c);
        e->images_at =
                eviction_sooner(now + EVICTION_IMAGES_MS, eviction_images_due(eviction_collector_records(e->collector),
                                                                              e->settings, c->freed < c->wanted, now));
        eviction_act(e);
}

/* -- all of it -------------------------------------------------------------------------------------------- */

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
                eviction_finish(e);
        else
                reclaim(e);
}

static bool files_have_changed(struct eviction *e) {
        struct observed_files files;
        bool changed;

        eviction_observer_read_files(&e->observer, &files);
        changed = !e->ever_counted || memcmp(&files, &e->counted, sizeof(files)) != 0;
        e->counted = files;
        e->ever_counted = true;
        return changed;
}

/* What the look found is acted upon: pods over limits of their own first. */
void eviction_act(struct eviction *e) {
        if (is_waiting(e)) {
                eviction_finish(e);
                return;
        }
        if (eviction_watched(e).limited && files_have_changed(e) && measure_pods(e, true, on_counted))
                return;
        if (e->verdict.threshold >= 0)
                reclaim(e);
        else
                eviction_finish(e);
}
