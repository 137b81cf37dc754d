/* A pod that is given its devices: container by container, resource by resource, then the record; a step that takes
 * time is a call of the plugin (devicemanager/manager.go, Allocate()). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "agent/node/keeper.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"

static void step(struct devices_request *q);

static void destroy(struct devices_request *q) {
        requests_remove(q);
        handle_free(q->timer);
        arena_free(q->arena);
        err_free(q->failure);
        pod_unref(q->pod);
        free(q);
}

static void end(struct devices_request *q, const struct err *err) {
        if (!q->cancelled)
                q->done(q->data, err);
        destroy(q);
}

static void on_failed(uv_timer_t *timer) {
        struct devices_request *q = timer->data;

        end(q, q->failure);
}

/* Later: who asked may be the one who steps. Takes *@err. */
static void fail(struct devices_request *q, struct err **err) {
        q->failure = TAKE_PTR(*err);
        if (!q->failure)
                err_set(&q->failure, ENOMEM, "out of memory");
        q->n_ids = 0;
        q->resource = NULL;
        uv_timer_start(q->timer, on_failed, 0, 0);
}

/* -- where it is ------------------------------------------------------------------------------------------- */

static const struct kube_container *container_at(const struct pod *pod, size_t i) {
        const struct kube_pod_spec *spec = &pod->spec;

        if (i < spec->init_containers.count)
                return &spec->init_containers.items[i];
        i -= spec->init_containers.count;
        return i < spec->containers.count ? &spec->containers.items[i] : NULL;
}

/* Moves to the next resource of plugins that a container lacks; NULL: there is none. */
static const struct kube_container *next(struct devices_request *q) {
        const struct kube_container *c;

        for (; (c = container_at(q->pod, q->container)); q->container++, q->limit = 0)
                for (; q->limit < c->resources.limits.count; q->limit++) {
                        const struct resource_amount *a = &c->resources.limits.items[q->limit];

                        if (quantity_units(a->amount) > 0 && resource_find(q->devices, a->name) &&
                            !grant_find(q->devices, q->pod->metadata.uid, c->name, a->name))
                                return c;
                }
        return NULL;
}

static struct plugin *plugin_of(struct devices_request *q, struct err **err) {
        const struct resource *r = resource_find(q->devices, q->resource);

        if (r && r->plugin)
                return r->plugin;
        err_set(err, ENOENT, "endpoint of %s has been stopped", q->resource);
        return NULL;
}

/* A call of the plugin whose end is @handlers' done(). */
static void ask(struct devices_request *q, struct grpc_client_request *request,
                const struct grpc_client_handlers *handlers) {
        _cleanup_err_ struct err *err = NULL;
        struct plugin *p = plugin_of(q, &err);

        request->timeout_ms = DEVICES_CALL_MS;
        if (!p || plugin_call(p, request, handlers, q, &q->call) < 0) {
                fail(q, &err);
                return;
        }
        q->plugin = p;
}

/* The call has ended: true when the request goes on. */
static bool call_ended(struct devices_request *q, enum grpc_code code, const char *text, const char *what) {
        _cleanup_err_ struct err *err = NULL;

        q->call = NULL;
        plugin_call_ended(q->plugin);
        if (q->cancelled) {
                end(q, NULL);
                return false;
        }
        if (code == GRPC_OK)
                return true;
        plugin_error(&err, code, text);
        if (what)
                err_wrap(&err, -1, "%s", what);
        fail(q, &err);
        return false;
}

/* -- Allocate ---------------------------------------------------------------------------------------------- */

static void on_allocated(void *data, const ProtobufCMessage *message) {
        const Devices__AllocateResponse *answer = (const Devices__AllocateResponse *)message;
        struct devices_request *q = data;
        size_t size;

        if (answer->n_containers == 0) {
                err_set(&q->failure, EPROTO, "no containers return in allocation response");
                return;
        }
        if (grant_check(answer->containers[0], &q->failure) < 0)
                return;
        size = devices__given__get_packed_size(answer->containers[0]);
        if ((q->given = arena_alloc(q->arena, size + 1))) {
                devices__given__pack(answer->containers[0], q->given);
                q->given_size = size;
        }
}

static int keep(struct devices_request *q, struct err **err) {
        const struct resource *r = resource_find(q->devices, q->resource);
        int64_t *nodes = arena_alloc_array(q->arena, q->n_ids + 1, sizeof(*nodes));
        Devices__Grant grant = DEVICES__GRANT__INIT;

        if (!nodes)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < q->n_ids; i++) {
                const struct device *d = r ? resource_device(r, q->ids[i]) : NULL;

                nodes[i] = d ? d->numa_node : -1;
        }
        grant.container = (char *)container_at(q->pod, q->container)->name;
        grant.resource = (char *)q->resource;
        grant.device_ids = (char **)q->ids;
        grant.n_device_ids = q->n_ids;
        grant.numa_nodes = nodes;
        grant.n_numa_nodes = q->n_ids;
        grant.given.data = q->given;
        grant.given.len = q->given_size;
        grant.pre_start = q->plugin->pre_start;
        return grant_add(q->devices, q->pod->metadata.uid, &grant, err);
}

static void on_allocate_end(void *data, enum grpc_code code, const char *text) {
        struct devices_request *q = data;
        _cleanup_err_ struct err *err = TAKE_PTR(q->failure);

        if (!call_ended(q, code, text, NULL))
                return;
        if (!q->given || keep(q, &err) < 0) {
                fail(q, &err);
                return;
        }
        q->n_ids = 0;
        q->resource = NULL;
        step(q);
}

static void allocate(struct devices_request *q) {
        static const struct grpc_client_handlers handlers = { on_allocated, on_allocate_end };
        Devices__AllocateContainer container = DEVICES__ALLOCATE_CONTAINER__INIT, *containers = &container;
        Devices__AllocateRequest message = DEVICES__ALLOCATE_REQUEST__INIT;
        struct grpc_client_request request = { "/v1beta1.DevicePlugin/Allocate", &message.base,
                                               &devices__allocate_response__descriptor, 0 };

        container.device_ids = (char **)q->ids;
        container.n_device_ids = q->n_ids;
        message.containers = &containers;
        message.n_containers = 1;
        q->given = NULL;
        ask(q, &request, &handlers);
}

/* -- GetPreferredAllocation -------------------------------------------------------------------------------- */

static void on_preferred(void *data, const ProtobufCMessage *message) {
        const Devices__PreferredResponse *answer = (const Devices__PreferredResponse *)message;
        const Devices__PreferredIds *ids = answer->n_containers ? answer->containers[0] : NULL;
        struct devices_request *q = data;

        if (!ids || !(q->preferred = arena_alloc_array(q->arena, ids->n_device_ids + 1, sizeof(*q->preferred))))
                return;
        for (q->n_preferred = 0; q->n_preferred < ids->n_device_ids; q->n_preferred++)
                if (!(q->preferred[q->n_preferred] = arena_strdup(q->arena, ids->device_ids[q->n_preferred])))
                        return;
}

static void on_preferred_end(void *data, enum grpc_code code, const char *text) {
        struct devices_request *q = data;
        _cleanup_err_ struct err *err = NULL;

        if (!call_ended(q, code, text, "device plugin GetPreferredAllocation rpc failed with err"))
                return;
        if (choose_rest(q, &err) < 0)
                fail(q, &err);
        else
                allocate(q);
}

static void ask_preferred(struct devices_request *q, const struct device_names *available) {
        static const struct grpc_client_handlers handlers = { on_preferred, on_preferred_end };
        Devices__PreferredContainer container = DEVICES__PREFERRED_CONTAINER__INIT, *containers = &container;
        Devices__PreferredRequest message = DEVICES__PREFERRED_REQUEST__INIT;
        struct grpc_client_request request = { "/v1beta1.DevicePlugin/GetPreferredAllocation", &message.base,
                                               &devices__preferred_response__descriptor, 0 };

        container.available = (char **)available->ids;
        container.n_available = available->n;
        container.must_include = (char **)q->ids;
        container.n_must_include = q->n_ids;
        container.size = (int32_t)q->needed;
        message.containers = &containers;
        message.n_containers = 1;
        ask(q, &request, &handlers);
}

/* -- all --------------------------------------------------------------------------------------------------- */

static int begin_resource(struct devices_request *q, const struct kube_container *c) {
        int64_t needed = quantity_units(c->resources.limits.items[q->limit].amount);

        q->arena = arena_free(q->arena);
        q->preferred = NULL;
        q->n_preferred = q->n_ids = 0;
        q->resource = c->resources.limits.items[q->limit].name;
        q->needed = needed > DEVICES_OF_PLUGIN_MAX ? DEVICES_OF_PLUGIN_MAX + 1 : (size_t)needed;
        return (q->arena = arena_new()) ? 0 : -ENOMEM;
}

static void step(struct devices_request *q) {
        const struct kube_container *c = next(q);
        _cleanup_err_ struct err *err = NULL;
        struct device_names available;
        int r;

        if (!c) {
                q->generation = keeper_changed(q->devices->keeper);
                return;
        }
        r = begin_resource(q, c) < 0 ? -ENOMEM : choose_devices(q, &available, &err);
        if (r < 0)
                fail(q, &err);
        else if (r == 0)
                ask_preferred(q, &available);
        else
                allocate(q);
}

int devices_ask(struct devices *d, struct pod *pod, void (*done)(void *data, const struct err *err), void *data,
                struct devices_request **ret_request) {
        struct devices_request *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->devices = d;
        q->pod = pod_ref(pod);
        q->done = done;
        q->data = data;
        requests_append(&d->requests, q);
        if (!next(q)) {
                destroy(q);
                return 1;
        }
        if (!(q->timer = handle_timer(d->world.loop, q))) {
                destroy(q);
                return -ENOMEM;
        }
        *ret_request = q;
        step(q);
        return 0;
}

void devices_cancel(struct devices_request *q) {
        q->cancelled = true;
        q->n_ids = 0;
        if (q->call)
                grpc_client_cancel(q->call);
        else
                end(q, NULL);
}

void devices_requests_written(struct devices *d, uint64_t generation, const struct err *err) {
        for (;;) {
                struct devices_request *found = NULL;

                LIST_EACH (requests, q, &d->requests)
                        if (!found && q->generation && q->generation <= generation)
                                found = q;
                if (!found)
                        return;
                found->generation = 0;
                found->n_ids = 0;
                end(found, err);
        }
}

void devices_requests_drop(struct devices *d) {
        LIST_EACH (requests, q, &d->requests) {
                q->cancelled = true;
                if (!q->call)
                        destroy(q);
        }
}
