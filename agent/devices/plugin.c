/* A plugin's connection: what it can do, then the devices that it has, for as long as it goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

int plugin_error(struct err **err, enum grpc_code code, const char *text) {
        return err_set(err, grpc_code_to_errno(code), "rpc error: code = %s desc = %s", grpc_code_name(code), text);
}

static void destroy(struct plugin *p) {
        plugins_remove(p);
        grpc_client_free(p->client);
        free(p->name);
        free(p->path);
        free(p);
}

static void on_sweep(uv_timer_t *timer) {
        struct devices *d = timer->data;

        LIST_EACH (plugins, p, &d->plugins) {
                if (!p->closed)
                        continue;
                grpc_client_free(TAKE_PTR(p->client)); /* which ends its calls */
                if (p->calls == 0)
                        destroy(p);
        }
}

/* Not at once: it may be one of its calls that says so. */
static void close_later(struct plugin *p) {
        struct resource *r = p->resource;

        p->resource = NULL;
        p->closed = true;
        uv_timer_start(p->devices->sweep, on_sweep, 0, 0);
        if (r && r->plugin == p)
                resource_lost(r, p->devices);
}

void plugin_free_all(struct devices *d) {
        LIST_EACH (plugins, p, &d->plugins) {
                p->closed = true;
                p->resource = NULL;
                grpc_client_free(TAKE_PTR(p->client));
                destroy(p);
        }
}

void plugin_call_ended(struct plugin *p) {
        p->calls--;
        if (p->closed && p->calls == 0)
                uv_timer_start(p->devices->sweep, on_sweep, 0, 0);
}

int plugin_call(struct plugin *p, const struct grpc_client_request *request,
                const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call) {
        int r = grpc_client_call(p->client, request, handlers, data, ret_call);

        p->calls += r == 0;
        return r;
}

/* -- its devices ------------------------------------------------------------------------------------------- */

static void on_list(void *data, const ProtobufCMessage *message) {
        struct plugin *p = data;
        _cleanup_err_ struct err *err = NULL;

        if (p->closed || !p->resource)
                return;
        if (resource_set(p->resource, p->devices, (const Devices__DeviceList *)message, &err) >= 0)
                return;
        log_error("device plugin of %s: its list of devices is not taken, and it counts as gone: %s", p->name,
                  err_text(err));
        close_later(p);
}

static void on_list_end(void *data, enum grpc_code code, const char *text) {
        struct plugin *p = data;

        if (!p->closed) {
                log_info("device plugin of %s: gone: %s", p->name, text[0] ? text : grpc_code_name(code));
                close_later(p);
        }
        plugin_call_ended(p);
}

static int watch(struct plugin *p) {
        static const struct grpc_client_handlers handlers = { on_list, on_list_end };
        Devices__Empty empty = DEVICES__EMPTY__INIT;
        const struct grpc_client_request request = { "/v1beta1.DevicePlugin/ListAndWatch", &empty.base,
                                                     &devices__device_list__descriptor, 0 };
        int r = grpc_client_watch(p->client, &request, &handlers, p, NULL);

        p->calls += r == 0;
        return r;
}

/* -- its registration -------------------------------------------------------------------------------------- */

static void on_options(void *data, const ProtobufCMessage *message) {
        const Devices__Options *options = (const Devices__Options *)message;
        struct plugin *p = data;

        p->pre_start = options->pre_start_required;
        p->prefers = options->get_preferred_allocation_available;
}

/* It has the resource from here on; who had it before is gone. */
static int take_resource(struct plugin *p, struct err **err) {
        struct resource *r = resource_make(p->devices, p->name, err);
        struct plugin *before;

        if (!r)
                return -ENOSPC;
        before = r->plugin;
        resource_take(r, p);
        p->resource = r;
        if (before)
                close_later(before);
        if (watch(p) < 0)
                return err_set(err, ENOMEM, "out of memory");
        log_info("device plugin of %s: registered", p->name);
        return 0;
}

static void on_options_end(void *data, enum grpc_code code, const char *text) {
        struct plugin *p = data;
        const struct registrant registrant = p->registrant;
        _cleanup_err_ struct err *err = NULL, *why = NULL;

        if (p->closed)
                err_set(&err, ECANCELED, "the agent leaves, or the plugin has gone");
        else if (code != GRPC_OK) {
                plugin_error(&why, code, text);
                err_set(&err, grpc_code_to_errno(code), "failed to get device plugin options: %s", err_text(why));
        }
        if (!p->closed && (err || take_resource(p, &err) < 0)) {
                log_error("device plugin of %s at %s: %s", p->name, p->path, err_text(err));
                close_later(p);
        }
        p->registrant.done = NULL;
        if (registrant.done)
                registrant.done(registrant.data, err);
        plugin_call_ended(p);
}

void plugin_leave(struct devices *d, const char *path) {
        LIST_EACH (plugins, p, &d->plugins)
                if (!p->closed && strcmp(p->path, path) == 0) {
                        log_info("device plugin of %s: gone: its socket was removed", p->name);
                        close_later(p);
                }
}

static struct plugin *make(struct devices *d, const char *name, const char *path) {
        struct plugin *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;
        p->devices = d;
        p->name = strdup(name);
        p->path = strdup(path);
        if (!p->name || !p->path) {
                free(p->name);
                free(p->path);
                free(p);
                return NULL;
        }
        plugins_append(&d->plugins, p);
        return p;
}

int plugin_open(struct devices *d, const struct registrant *registrant, const char *name, const char *path,
                struct err **err) {
        static const struct grpc_client_handlers handlers = { on_options, on_options_end };
        Devices__Empty empty = DEVICES__EMPTY__INIT;
        const struct grpc_client_request request = { "/v1beta1.DevicePlugin/GetDevicePluginOptions", &empty.base,
                                                     &devices__options__descriptor, DEVICES_CONNECT_MS };
        struct plugin *p = make(d, name, path);
        int r;

        if (!p)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = grpc_client_new(d->world.loop, p->path, &p->client, err)) < 0 ||
            (r = plugin_call(p, &request, &handlers, p, NULL)) < 0) {
                destroy(p);
                return err_set(err, -r, "cannot call the plugin");
        }
        p->registrant = *registrant;
        return 0;
}
