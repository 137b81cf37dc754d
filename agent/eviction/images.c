#include "agent/eviction/images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eviction/settings.h"
#include "lib/cleanup.h"

void eviction_images_begin(struct image_records *r, int64_t now) {
        if (!r->began)
                r->began = now;
        for (size_t i = 0; i < r->n; i++)
                r->items[i].there = r->items[i].used = r->items[i].tried = false;
}

static struct image_record *find(struct image_records *r, const char *id) {
        for (size_t i = 0; i < r->n; i++)
                if (strcmp(r->items[i].id, id) == 0)
                        return &r->items[i];
        return NULL;
}

int eviction_images_see(struct image_records *r, const char *id, int64_t size, bool pinned, int64_t came) {
        struct image_record *record = find(r, id), *more;

        if (!record) {
                _cleanup_free_ char *copy = strdup(id);

                if (!copy || !(more = reallocarray(r->items, r->n + 1, sizeof(*more))))
                        return -ENOMEM;
                r->items = more;
                record = &r->items[r->n++];
                *record = (struct image_record){ .id = TAKE_PTR(copy), .detected = came };
        }
        record->there = true;
        record->size = size;
        record->pinned = pinned;
        return 0;
}

void eviction_images_use(struct image_records *r, const char *id, int64_t now) {
        struct image_record *record = find(r, id);

        if (!record)
                return;
        record->used = true;
        record->used_at = now;
}

/* By what was not used for longest, then by what is there for longest. */
static int compare(const void *a, const void *b) {
        const struct image_record *x = a, *y = b;

        if (x->used_at != y->used_at)
                return x->used_at < y->used_at ? -1 : 1;
        if (x->detected != y->detected)
                return x->detected < y->detected ? -1 : 1;
        return strcmp(x->id, y->id);
}

void eviction_images_end(struct image_records *r) {
        size_t kept = 0;

        for (size_t i = 0; i < r->n; i++) {
                if (r->items[i].there)
                        r->items[kept++] = r->items[i];
                else
                        free(r->items[i].id);
        }
        r->n = kept;
        if (kept > 0)
                qsort(r->items, kept, sizeof(*r->items), compare);
}

static bool may_go(const struct image_record *record) {
        return !record->used && !record->pinned && !record->tried;
}

struct image_record *eviction_images_next_old(struct image_records *r, const struct eviction_settings *s, int64_t now) {
        if (s->image_max_age_ms == 0 || now - r->began <= s->image_max_age_ms)
                return NULL;
        for (size_t i = 0; i < r->n; i++)
                if (may_go(&r->items[i]) && now - r->items[i].used_at > s->image_max_age_ms) {
                        r->items[i].tried = true;
                        return &r->items[i];
                }
        return NULL;
}

struct image_record *eviction_images_next(struct image_records *r, const struct eviction_settings *s, int64_t now) {
        for (size_t i = 0; i < r->n; i++)
                if (may_go(&r->items[i]) && now - r->items[i].detected >= s->image_min_age_ms) {
                        r->items[i].tried = true;
                        return &r->items[i];
                }
        return NULL;
}

static int64_t later(int64_t a, int64_t b) {
        return a > b ? a : b;
}

int64_t eviction_images_due(const struct image_records *r, const struct eviction_settings *s, bool space, int64_t now) {
        int64_t due = INT64_MAX, at;

        for (size_t i = 0; i < r->n; i++) {
                const struct image_record *record = &r->items[i];

                if (!may_go(record))
                        continue;
                at = record->detected + s->image_min_age_ms;
                if (space && at > now && at < due)
                        due = at;
                at = later(r->began, record->used_at) + s->image_max_age_ms + 1;
                if (s->image_max_age_ms > 0 && at > now && at < due)
                        due = at;
        }
        return due;
}

void eviction_images_clear(struct image_records *r) {
        for (size_t i = 0; i < r->n; i++)
                free(r->items[i].id);
        free(r->items);
        *r = (struct image_records){ .items = NULL };
}
