/* From devices_new() to devices_free(). */
#include "agent/devices/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "agent/node/keeper.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

static void on_written(void *data, uint64_t generation, const struct err *err) {
        if (err)
                log_error("devices of pods: %s", err_text(err));
        resource_written(data, generation);
        devices_requests_written(data, generation, err);
}

static int make(struct devices *d, const struct devices_world *world, struct err **err) {
        static const struct keeper_ops ops = { devices_record_pack, on_written };

        d->world = *world;
        d->dir = strdup(world->dir);
        d->record = strdup(world->record);
        if (asprintf(&d->socket, "%s/kubelet.sock", world->dir) < 0)
                d->socket = NULL;
        d->sweep = handle_timer(world->loop, d);
        d->gone = handle_timer(world->loop, d);
        if (!d->dir || !d->record || !d->socket || !d->sweep || !d->gone ||
            !(d->keeper = keeper_new(world->pool, d->record, &ops, d)))
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

int devices_new(const struct devices_world *world, struct devices **ret_devices, struct err **err) {
        struct devices *d = calloc(1, sizeof(*d));
        _cleanup_err_ struct err *deaf = NULL, *blind = NULL, *unwritten = NULL;
        int r;

        if (!d)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = make(d, world, err)) < 0 || (r = devices_record_read(d, err)) < 0) {
                devices_free(d);
                return r;
        }
        if (registration_listen(d, &deaf) < 0)
                log_error("device plugins cannot register: %s", err_text(deaf));
        if (finder_new(d, world->found, &d->finder, &blind) < 0)
                log_error("device plugins are not found: %s", err_text(blind));
        resource_watch_gone(d);
        if (d->is_new && keeper_write(d->keeper, &unwritten) < 0) /* from here on the node is known */
                log_error("devices of pods: %s", err_text(unwritten));
        *ret_devices = d;
        return 0;
}

void devices_free(struct devices *d) {
        if (!d)
                return;
        registration_stop(d);
        devices_requests_drop(d);
        devices_starts_drop(d);
        plugin_free_all(d);
        finder_free(d->finder);
        LIST_EACH (holders, h, &d->holders)
                holder_free(d, h);
        LIST_EACH (resources, r, &d->resources) {
                resources_remove(r);
                resource_free(r);
        }
        table_clear(&d->by_uid);
        keeper_free(d->keeper);
        handle_free(d->sweep);
        handle_free(d->gone);
        free(d->dir);
        free(d->record);
        free(d->socket);
        free(d);
}

bool devices_is_new(const struct devices *d) {
        return d->is_new;
}
