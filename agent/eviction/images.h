/* Which unused images go: what is known of each, and who is next. Pure; times are milliseconds.
 *
 * kubelet's rules (pkg/kubelet/images/image_gc_manager.go): those that were not used for longest first, none that a
 * container has, none that is pinned, none younger than imageMinimumGCAge; those unused for imageMaximumGCAge always,
 * once the agent has run that long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eviction_settings;

struct image_record {
        char *id;
        int64_t detected, used_at; /* since when it is there; when it was seen in use last, 0: never */
        int64_t size;
        bool pinned, used, there, tried;
};

struct image_records {
        struct image_record *items;
        size_t n;
        int64_t began; /* the first look at all */
};

/* A look: begin, each image that there is, each that is used, end. */
void eviction_images_begin(struct image_records *records, int64_t now);
int eviction_images_see(struct image_records *records, const char *id, int64_t size, bool pinned, int64_t came);
void eviction_images_use(struct image_records *records, const char *id, int64_t now);
void eviction_images_end(struct image_records *records);

/* The next that is too old, or that may go to free space; marked as tried. NULL: none. */
struct image_record *eviction_images_next_old(struct image_records *records, const struct eviction_settings *settings,
                                              int64_t now);
struct image_record *eviction_images_next(struct image_records *records, const struct eviction_settings *settings,
                                          int64_t now);

/* When an unused image will be too old, or with @space, when one that is too young now may go to free some. INT64_MAX:
 * there is none. */
int64_t eviction_images_due(const struct image_records *records, const struct eviction_settings *settings, bool space,
                            int64_t now);

void eviction_images_clear(struct image_records *records);
