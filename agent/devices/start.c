/* Plugins that are called before each start of a container: PreStartContainer, one after the other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "lib/cleanup.h"
#include "lib/handle.h"

struct start {
        struct list_node in_starts;
        struct devices *devices;
        struct plugin *plugin; /* of the call under way */
        struct err *failure;
        uv_timer_t *timer;
        void (*done)(void *data, const struct err *err);
        void *data;
        size_t next; /* of the pod's grants */
        bool calls;
        char *uid, *container;
};
LIST_FUNCTIONS(starts, struct start, in_starts)

static void destroy(struct start *s) {
        starts_remove(s);
        handle_free(s->timer);
        err_free(s->failure);
        free(s->uid);
        free(s->container);
        free(s);
}

static void end(struct start *s) {
        if (s->done)
                s->done(s->data, s->failure);
        destroy(s);
}

static void on_timer(uv_timer_t *timer) {
        end(timer->data);
}

/* Later: who asked may be the one who steps. */
static void end_later(struct start *s) {
        uv_timer_start(s->timer, on_timer, 0, 0);
}

static const struct grant *next_grant(struct start *s) {
        const struct device_holder *h = holder_find(s->devices, s->uid);
        size_t i = 0;

        if (!h)
                return NULL;
        LIST_EACH (grants, g, &h->grants)
                if (i++ >= s->next) {
                        s->next = i;
                        if (g->pre_start && strcmp(g->container, s->container) == 0)
                                return g;
                }
        return NULL;
}

static void step(struct start *s);

static void on_end(void *data, enum grpc_code code, const char *text) {
        struct start *s = data;

        s->calls = false;
        plugin_call_ended(s->plugin);
        if (!s->done) {
                end(s);
                return;
        }
        if (code == GRPC_OK) {
                step(s);
                return;
        }
        plugin_error(&s->failure, code, text);
        err_wrap(&s->failure, -1, "device plugin PreStartContainer rpc failed with err");
        end_later(s);
}

static int call(struct start *s, const struct grant *g) {
        static const struct grpc_client_handlers handlers = { NULL, on_end };
        Devices__PreStartRequest message = DEVICES__PRE_START_REQUEST__INIT;
        const struct grpc_client_request request = { "/v1beta1.DevicePlugin/PreStartContainer", &message.base,
                                                     &devices__empty__descriptor, DEVICES_CALL_MS };
        const struct resource *r = resource_find(s->devices, g->resource);

        if (!r || !r->plugin)
                return err_set(&s->failure, ENOENT, "endpoint of %s has been stopped", g->resource);
        message.device_ids = g->ids;
        message.n_device_ids = g->n;
        s->plugin = r->plugin;
        return plugin_call(s->plugin, &request, &handlers, s, NULL);
}

static void step(struct start *s) {
        const struct grant *g = next_grant(s);

        if (g && call(s, g) == 0) {
                s->calls = true;
                return;
        }
        if (g && !s->failure)
                err_set(&s->failure, ENOMEM, "out of memory");
        end_later(s);
}

static bool has_any(const struct devices *d, const char *uid, const char *container) {
        const struct device_holder *h = holder_find(d, uid);

        if (!h)
                return false;
        LIST_EACH (grants, g, &h->grants)
                if (g->pre_start && strcmp(g->container, container) == 0)
                        return true;
        return false;
}

int devices_pre_start(struct devices *d, const char *uid, const char *container,
                      void (*done)(void *data, const struct err *err), void *data) {
        struct start *s;

        if (!has_any(d, uid, container))
                return 1;
        if (!(s = calloc(1, sizeof(*s))))
                return -ENOMEM;
        starts_append(&d->starts, s);
        s->devices = d;
        s->uid = strdup(uid);
        s->container = strdup(container);
        s->timer = handle_timer(d->world.loop, s);
        if (!s->uid || !s->container || !s->timer) {
                destroy(s);
                return -ENOMEM;
        }
        s->done = done;
        s->data = data;
        step(s);
        return 0;
}

/* Whoever waits is told, since it cannot be let wait for ever. */
void devices_starts_drop(struct devices *d) {
        LIST_EACH (starts, s, &d->starts) {
                if (s->calls)
                        continue; /* its end is told when the plugin's connection is closed */
                if (!s->failure)
                        err_set(&s->failure, ECANCELED, "the agent leaves");
                end(s);
        }
}
