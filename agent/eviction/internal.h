/* What the files of the eviction manager share. */
#pragma once

#include "agent/eviction/eviction.h"
#include "agent/eviction/collect.h"
#include "agent/eviction/decide.h"
#include "agent/eviction/notice.h"
#include "agent/eviction/observe.h"
#include "agent/eviction/survey.h"

struct eviction {
        struct eviction_world world;
        const struct eviction_settings *settings;
        uv_timer_t *timer;
        struct notice *notice; /* NULL: memory is looked at by the timer alone */
        struct collector *collector;
        struct observer observer;

        struct eviction_observation seen[_EVICTION_SIGNALS]; /* at the last look */
        struct eviction_state state;
        struct eviction_verdict verdict;
        int64_t changed_at[_EVICTION_CONDITIONS]; /* when the condition last changed */
        struct observed_files counted;            /* when pods' files were counted last */
        bool ever_counted;

        bool busy;       /* between a look and its end */
        bool reclaiming; /* images are deleted because of pressure, not for their own sake */
        bool stopped;
        bool told_stuck;   /* that no pod can be evicted */
        char *evicted_uid; /* NULL: none; else its end is waited for */
        int64_t wait_until;
        int images_percent;     /* of their file system used, at the last look */
        int64_t images_at;      /* when they are looked at next */
        int64_t images_changed; /* eviction_observer_images_changed() when they were looked at last */
        unsigned images_failed; /* times in a row that they did not free enough */
        int64_t timer_at;
        struct eviction_counters counters;
};

/* An event of the node. @reason is a literal. */
void eviction_say(struct eviction *e, bool warning, const char *reason, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Says which conditions have changed since @before. */
void eviction_tell_conditions(struct eviction *e, uint32_t before);

static inline bool eviction_under(const struct eviction *e, enum eviction_condition condition) {
        return e->verdict.conditions & 1u << condition;
}

/* eviction.c: the end of what a look began; the next is scheduled. */
void eviction_finish(struct eviction *e);

/* Whether some pod can be evicted, and whether one has limits of its own that it is held to. */
struct eviction_watched {
        bool active, limited;
        bool hold; /* held to their limits at all */
};
struct eviction_watched eviction_watched(struct eviction *e);

/* Whether the pod has limits that its disk usage is held against, and may be evicted for them. */
bool eviction_is_held(struct worker *w);

/* act.c: does what the last look calls for, and finishes. */
void eviction_act(struct eviction *e);
void eviction_collected(void *data, const struct collected *collected); /* of the collector */

static inline int64_t eviction_now(const struct eviction *e) {
        return e->world.now(e->world.data);
}

static inline void eviction_each_worker(struct eviction *e, bool (*each)(void *data, struct worker *worker),
                                        void *data) {
        e->world.each_worker(e->world.data, each, data);
}

static inline int64_t eviction_sooner(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static inline bool eviction_collects_images(const struct eviction *e) {
        return e->settings->image_high_percent < 100 || e->settings->image_max_age_ms > 0;
}
