/* What the files of the eviction manager share. */
#pragma once

#include "agent/eviction.h"
#include "agent/eviction_collect.h"
#include "agent/eviction_decide.h"
#include "agent/eviction_notice.h"
#include "agent/eviction_observe.h"
#include "agent/eviction_survey.h"

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
        bool ever_counted, count_again;

        bool busy;       /* between a look and its end */
        bool reclaiming; /* images are deleted because of pressure, not for their own sake */
        bool stopped;
        bool told_stuck;   /* that no pod can be evicted */
        char *evicted_uid; /* NULL: none; else its end is waited for */
        int64_t wait_until;
        int64_t images_at;      /* when they are looked at next */
        int64_t images_changed; /* observer_images_changed() when they were looked at last */
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
