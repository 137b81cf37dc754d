#include "agent/eviction/collect.h"

#include <stdlib.h>
#include <string.h>

#include "cri/cri.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

struct collector {
        struct cri *cri;
        const struct eviction_settings *settings;
        const struct observer *observer;
        int64_t (*now)(void *data);
        collector_done done;
        void *data;
        struct image_records records;
        bool ageing; /* still at those that are too old */
        int64_t at;  /* when this run began */
        struct collected collected;

        /* the removal under way */
        int64_t size;
        char *id;
        Cri__RemoveImageRequest request;
        Cri__ImageSpec spec;
};

struct collector *eviction_collector_new(struct cri *cri, const struct eviction_settings *settings,
                                         const struct observer *observer, int64_t (*now)(void *data),
                                         collector_done done, void *data) {
        struct collector *c = calloc(1, sizeof(*c));

        if (c)
                *c = (struct collector){
                        .cri = cri, .settings = settings, .observer = observer, .now = now, .done = done, .data = data
                };
        return c;
}

void eviction_collector_free(struct collector *c) {
        if (!c)
                return;
        eviction_images_clear(&c->records);
        free(c->id);
        free(c);
}

void eviction_collector_stop(struct collector *c) {
        if (c)
                c->done = NULL;
}

const struct image_records *eviction_collector_records(const struct collector *c) {
        return &c->records;
}

int eviction_collector_percent(const struct eviction_observation *space) {
        int64_t available = space->available < space->capacity ? space->available : space->capacity;

        return space->known && space->capacity > 0 ? 100 - (int)(available * 100 / space->capacity) : 0;
}

static void finish(struct collector *c) {
        if (c->done)
                c->done(c->data, &c->collected);
}

/* What is to be freed, now that those which are too old are gone. */
static void measure(struct collector *c) {
        struct eviction_observation seen[_EVICTION_SIGNALS];
        const struct eviction_observation *space = &seen[EVICTION_IMAGEFS];

        eviction_observer_read(c->observer, seen);
        c->collected.percent = eviction_collector_percent(space);
        c->collected.capacity = space->capacity;
        if (c->settings->image_high_percent < 100 && c->collected.percent >= c->settings->image_high_percent)
                c->collected.wanted = space->capacity * (100 - c->settings->image_low_percent) / 100 -
                                      (space->available < space->capacity ? space->available : space->capacity);
}

static void go_on(struct collector *c);

static void on_removed(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct collector *c = data;

        (void)response;
        if (err) {
                log_warning("image %s, which nothing uses, was not deleted: %s", c->id, err_text(err));
        } else {
                log_info("image %s, which nothing uses, was deleted to free %lld bytes", c->id, (long long)c->size);
                c->collected.by_age += c->ageing;
                c->collected.by_space += !c->ageing;
                if (!c->ageing)
                        c->collected.freed += c->size;
        }
        go_on(c);
}

static void delete_image(struct collector *c, const struct image_record *record) {
        free(c->id);
        if (!(c->id = strdup(record->id))) {
                finish(c);
                return;
        }
        c->size = record->size;
        cri__image_spec__init(&c->spec);
        c->spec.image = c->id;
        cri__remove_image_request__init(&c->request);
        c->request.image = &c->spec;
        cri_call(c->cri, CRI_REMOVE_IMAGE, &c->request.base, on_removed, c);
}

static void go_on(struct collector *c) {
        struct image_record *record = NULL;

        if (!c->done)
                return;
        if (c->ageing && !(record = eviction_images_next_old(&c->records, c->settings, c->at))) {
                c->ageing = false;
                measure(c);
        }
        if (!record && c->collected.freed < c->collected.wanted)
                record = eviction_images_next(&c->records, c->settings, c->at);
        if (record)
                delete_image(c, record);
        else
                finish(c);
}

static void on_used(void *data, const char *image_id) {
        struct collector *c = data;

        eviction_images_use(&c->records, image_id, c->at);
}

static void on_list(void *data, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ListImagesResponse *list = (const Cri__ListImagesResponse *)response;
        struct collector *c = data;

        if (!c->done)
                return;
        if (err) {
                log_warning("unused images stay: the images cannot be listed: %s", err_text(err));
                finish(c);
                return;
        }
        eviction_images_begin(&c->records, c->at);
        for (size_t i = 0; i < list->n_images; i++) {
                const Cri__Image *image = list->images[i];
                int64_t came = eviction_observer_image_came(c->observer, image->id);

                if (eviction_images_see(&c->records, image->id, (int64_t)image->size, image->pinned,
                                        came > 0 && came < c->at ? came : c->at) < 0)
                        break;
        }
        cri_each_used_image(c->cri, on_used, c);
        eviction_images_end(&c->records);
        go_on(c);
}

void eviction_collector_run(struct collector *c, bool all) {
        static const Cri__ListImagesRequest request = CRI__LIST_IMAGES_REQUEST__INIT;

        c->ageing = !all;
        c->at = c->now(c->data);
        c->collected = (struct collected){ .wanted = all ? INT64_MAX : 0 };
        cri_call(c->cri, CRI_LIST_IMAGES, &request.base, on_list, c);
}
