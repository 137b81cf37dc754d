/* Deletes unused images: those that are too old, and as many as bring imagefs below its low threshold, or all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/eviction/images.h"
#include "agent/eviction/observe.h"

struct cri;
struct collector;

struct collected {
        int64_t wanted, freed; /* bytes; wanted 0: there was no need */
        int percent;           /* of imagefs that was used */
        int64_t capacity;
        unsigned by_age, by_space; /* images */
};

typedef void (*collector_done)(void *data, const struct collected *collected);

/* All given outlive it. */
struct collector *eviction_collector_new(struct cri *cri, const struct eviction_settings *settings,
                                         const struct observer *observer, int64_t (*now)(void *data),
                                         collector_done done, void *data);

/* After the calls under way have ended. NULL is fine. */
void eviction_collector_free(struct collector *collector);

/* Begins; its end is done(). @all: whatever is unused and old enough, for a node under pressure. Must not be called
 * while it runs. */
void eviction_collector_run(struct collector *collector, bool all);

/* No done() any more. */
void eviction_collector_stop(struct collector *collector);

const struct image_records *eviction_collector_records(const struct collector *collector);

/* How full the images' file system is, in percent, rounded up; @space: its observation. */
int eviction_collector_percent(const struct eviction_observation *space);
