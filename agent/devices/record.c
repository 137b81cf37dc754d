/* What is whose, on the disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"

/* -- read -------------------------------------------------------------------------------------------------- */

static int take(struct devices *d, const Devices__Record *record, struct err **err) {
        for (size_t i = 0; i < record->n_resources; i++) {
                struct resource *r = resource_make(d, record->resources[i], err);

                if (!r)
                        return -ENOMEM;
                r->recorded = true;
        }
        for (size_t i = 0; i < record->n_grants; i++) {
                int r = grant_add(d, record->grants[i]->pod_uid, record->grants[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void set_aside(const char *path) {
        _cleanup_free_ char *aside = NULL;

        if (asprintf(&aside, "%s.broken", path) < 0)
                aside = NULL;
        if (aside && rename(path, aside) == 0)
                log_warning("%s: no record of devices, or a broken one: it is %s now; containers that are made anew "
                            "lack their devices until their pods are deleted",
                            path, aside);
}

int devices_record_read(struct devices *d, struct err **err) {
        struct grpc_unpacked record = { .message = NULL };
        _cleanup_err_ struct err *unread = NULL;
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r = files_read(d->record, DEVICES_RECORD_MAX, &data, &size, &unread);

        d->is_new = r == -ENOENT;
        if (d->is_new)
                return 0;
        if (r == -ENOMEM)
                return err_move(err, TAKE_PTR(unread));
        if (r == 0)
                r = grpc_unpack(&devices__record__descriptor, data, size, &record);
        if (r == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (r < 0) {
                set_aside(d->record);
                return 0;
        }
        r = take(d, (const Devices__Record *)record.message, err);
        grpc_unpacked_free(&record);
        return r;
}

/* -- write ------------------------------------------------------------------------------------------------- */

static Devices__Grant *describe(struct arena *arena, const struct device_holder *h, const struct grant *g) {
        Devices__Grant *m = arena_new_of(arena, Devices__Grant);

        if (!m)
                return NULL;
        devices__grant__init(m);
        m->pod_uid = (char *)h->uid;
        m->container = g->container;
        m->resource = g->resource;
        m->device_ids = g->ids;
        m->n_device_ids = g->n;
        m->numa_nodes = g->numa_nodes;
        m->n_numa_nodes = g->n;
        m->given.data = g->given;
        m->given.len = g->given_size;
        m->pre_start = g->pre_start;
        return m;
}

static size_t count(const struct devices *d) {
        size_t n = 0;

        LIST_EACH (holders, h, &d->holders)
                LIST_EACH (grants, g, &h->grants)
                        n++;
        return n;
}

static bool fill(struct arena *arena, const struct devices *d, Devices__Record *record) {
        record->grants = arena_alloc_array(arena, count(d) + 1, sizeof(*record->grants));
        record->resources = arena_alloc_array(arena, d->n_resources + 1, sizeof(*record->resources));
        if (!record->grants || !record->resources)
                return false;
        LIST_EACH (holders, h, &d->holders)
                LIST_EACH (grants, g, &h->grants)
                        if (!(record->grants[record->n_grants++] = describe(arena, h, g)))
                                return false;
        LIST_EACH (resources, r, &d->resources)
                if (r->plugin || uv_now(d->world.loop) - r->gone_at < DEVICES_GONE_MS)
                        record->resources[record->n_resources++] = r->name;
        return true;
}

int devices_record_pack(void *data, void **ret_bytes, size_t *ret_size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        Devices__Record record = DEVICES__RECORD__INIT;
        void *bytes;

        if (!arena || !fill(arena, data, &record))
                return -ENOMEM;
        *ret_size = devices__record__get_packed_size(&record);
        if (!(bytes = malloc(*ret_size + 1)))
                return -ENOMEM;
        devices__record__pack(&record, bytes);
        *ret_bytes = bytes;
        return 0;
}
