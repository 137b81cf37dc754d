/* What containers have of the node, told at KUBELET-DIR/pod-resources/kubelet.sock (podresources v1; pkg/kubelet/apis/
 * podresources/server_v1.go): an entry for each device, and the CPUs that are the container's alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/cpus/cpus.h"
#include "agent/devices/devices.h"
#include "agent/pods/internal.h"
#include "agent/pods/podresources.pb-c.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/grpc/server.h"
#include "lib/listen.h"

#define SERVICE "/v1.PodResourcesLister/"

/* -- devices ----------------------------------------------------------------------------------------------- */

struct listing {
        struct arena *arena;
        Podresources__Devices **list;
        size_t n;
        bool failed; /* without memory */
};

static Podresources__Topology *describe_node(struct arena *arena, int64_t node) {
        Podresources__Topology *t = arena_new_message(arena, Podresources__Topology, podresources__topology__init);
        Podresources__NumaNode *n = arena_new_message(arena, Podresources__NumaNode, podresources__numa_node__init);

        if (!t || !n || !(t->nodes = arena_alloc_array(arena, 1, sizeof(*t->nodes))))
                return NULL;
        n->id = node;
        t->nodes[0] = n;
        t->n_nodes = 1;
        return t;
}

static Podresources__Devices *describe_device(struct arena *arena, const char *resource, const char *id, int64_t node) {
        Podresources__Devices *d = arena_new_message(arena, Podresources__Devices, podresources__devices__init);

        if (!d || !(d->resource_name = arena_strdup(arena, resource)) ||
            !(d->device_ids = arena_alloc_array(arena, 1, sizeof(*d->device_ids))) ||
            !(d->device_ids[0] = arena_strdup(arena, id)) || (node >= 0 && !(d->topology = describe_node(arena, node))))
                return NULL;
        d->n_device_ids = 1;
        return d;
}

static void add_held(void *data, const struct devices_held *held) {
        struct listing *l = data;
        Podresources__Devices **list = arena_alloc_array(l->arena, l->n + held->n + 1, sizeof(*list));

        l->failed |= !list;
        if (l->failed)
                return;
        if (l->n)
                memcpy(list, l->list, l->n * sizeof(*list));
        l->list = list;
        for (size_t i = 0; i < held->n && !l->failed; i++) {
                list[l->n] = describe_device(l->arena, held->resource, held->ids[i], held->numa_nodes[i]);
                l->failed = !list[l->n];
                l->n += !l->failed;
        }
}

/* -- containers -------------------------------------------------------------------------------------------- */

static bool list_cpus(struct arena *arena, const struct cpus_set *set, int64_t **ret_ids, size_t *ret_n) {
        int64_t *ids = arena_alloc_array(arena, cpus_set_count(set) + 1, sizeof(*ids));
        size_t n = 0;

        for (int c = -1; ids && (c = cpus_set_next(set, c + 1)) >= 0;)
                ids[n++] = c;
        *ret_ids = ids;
        *ret_n = n;
        return ids;
}

static Podresources__Container *describe_container(const struct pods *pods, struct arena *arena, const struct pod *pod,
                                                   const struct kube_container *container) {
        Podresources__Container *c = arena_new_message(arena, Podresources__Container, podresources__container__init);
        const struct cpus_set *own = cpus_exclusive(pods->cpus, pod->metadata.uid, container->name);
        struct listing devices = { .arena = arena };

        if (!c || !(c->name = arena_strdup(arena, container->name)))
                return NULL;
        devices_each_held(pods->devices, pod->metadata.uid, container->name, add_held, &devices);
        if (devices.failed || (own && !list_cpus(arena, own, &c->cpu_ids, &c->n_cpu_ids)))
                return NULL;
        c->devices = devices.list;
        c->n_devices = devices.n;
        return c;
}

/* Sidecars and containers: those that go on together. */
static Podresources__Pod *describe_pod(const struct pods *pods, struct arena *arena, const struct pod *pod) {
        const struct kube_pod_spec *spec = &pod->spec;
        Podresources__Pod *p = arena_new_message(arena, Podresources__Pod, podresources__pod__init);

        if (!p || !(p->name = arena_strdup(arena, pod->metadata.name)) ||
            !(p->namespace_ = arena_strdup(arena, pod->metadata.namespace)) ||
            !(p->containers = arena_alloc_array(arena, spec->init_containers.count + spec->containers.count + 1,
                                                sizeof(*p->containers))))
                return NULL;
        list_for_each (c, &spec->init_containers)
                if (pod_container_is_sidecar(c) &&
                    !(p->containers[p->n_containers++] = describe_container(pods, arena, pod, c)))
                        return NULL;
        list_for_each (c, &spec->containers)
                if (!(p->containers[p->n_containers++] = describe_container(pods, arena, pod, c)))
                        return NULL;
        return p;
}

/* -- calls ------------------------------------------------------------------------------------------------- */

/* The server's rows, which are there until it has gone. */
struct pods_resources {
        struct pods *pods;
        struct grpc_server *server;
        struct grpc_method methods[3];
        char *path;
        bool bound; /* the socket there is this one's */
};

static const struct pods *pods_of(struct grpc_call *call) {
        return ((const struct pods_resources *)grpc_call_data(call))->pods;
}

static void fail(struct grpc_call *call) {
        grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}

static bool fill_list(const struct pods *pods, struct arena *arena, Podresources__ListResponse *r) {
        if (!(r->pods = arena_alloc_array(arena, pods_count(pods) + 1, sizeof(*r->pods))))
                return false;
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone && worker_holds(slot->worker) &&
                    !(r->pods[r->n_pods++] = describe_pod(pods, arena, worker_pod(slot->worker))))
                        return false;
        return true;
}

static void on_list(struct grpc_call *call, const ProtobufCMessage *request) {
        _cleanup_arena_ struct arena *arena = arena_new();
        Podresources__ListResponse response = PODRESOURCES__LIST_RESPONSE__INIT;

        if (arena && fill_list(pods_of(call), arena, &response))
                grpc_call_reply(call, &response.base);
        else
                fail(call);
}

static void on_get(struct grpc_call *call, const ProtobufCMessage *message) {
        const Podresources__GetRequest *request = (const Podresources__GetRequest *)message;
        Podresources__GetResponse response = PODRESOURCES__GET_RESPONSE__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct pods *pods = pods_of(call);
        const struct pod *pod = NULL;
        char text[1024];

        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone && strcmp(worker_pod(slot->worker)->metadata.name, request->name) == 0 &&
                    strcmp(worker_pod(slot->worker)->metadata.namespace, request->namespace_) == 0)
                        pod = worker_pod(slot->worker);
        if (!pod) {
                snprintf(text, sizeof(text), "pod %.253s in namespace %.253s not found", request->name,
                         request->namespace_);
                grpc_call_fail(call, GRPC_UNKNOWN, text);
        } else if (arena && (response.pod = describe_pod(pods, arena, pod)))
                grpc_call_reply(call, &response.base);
        else
                fail(call);
}

static void on_allocatable(struct grpc_call *call, const ProtobufCMessage *request) {
        Podresources__AllocatableResponse response = PODRESOURCES__ALLOCATABLE_RESPONSE__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct pods *pods = pods_of(call);
        struct cpus_set cpus = cpus_allocatable(pods->cpus);
        struct listing devices = { .arena = arena };

        if (!arena || devices_each_healthy(pods->devices, add_held, &devices) < 0 || devices.failed ||
            !list_cpus(arena, &cpus, &response.cpu_ids, &response.n_cpu_ids)) {
                fail(call);
                return;
        }
        response.devices = devices.list;
        response.n_devices = devices.n;
        grpc_call_reply(call, &response.base);
}

/* -- server ------------------------------------------------------------------------------------------------ */

static void on_gone(void *data) {
        struct pods_resources *r = data;

        free(r->path);
        free(r);
}

static int serve(struct pods_resources *r, const char *dir, struct err **err) {
        const struct grpc_method methods[] = {
                { SERVICE "List", &podresources__empty__descriptor, &podresources__list_response__descriptor, on_list,
                  r },
                { SERVICE "Get", &podresources__get_request__descriptor, &podresources__get_response__descriptor,
                  on_get, r },
                { SERVICE "GetAllocatableResources", &podresources__empty__descriptor,
                  &podresources__allocatable_response__descriptor, on_allocatable, r },
        };
        int fd = -EBADF, e;

        memcpy(r->methods, methods, sizeof(methods));
        if ((e = files_make_private(dir, err)) < 0 ||
            (e = grpc_server_add(r->server, r->methods, ELEMENTS(methods), err)) < 0 ||
            (e = listen_unix(r->path, 0600, &fd, err)) < 0)
                return e;
        r->bound = true;
        return grpc_server_listen(r->server, fd, err);
}

int pods_serve_resources(struct pods *pods, struct err **err) {
        struct pods_resources *r = calloc(1, sizeof(*r));
        _cleanup_free_ char *dir = NULL;

        if (!r || asprintf(&dir, "%s/pod-resources", pods->options->kubelet_dir) < 0 ||
            asprintf(&r->path, "%s/kubelet.sock", dir) < 0 || grpc_server_new(pods->loop, &r->server) < 0) {
                if (r)
                        on_gone(r);
                return err_set(err, ENOMEM, "out of memory");
        }
        r->pods = pods;
        grpc_server_on_gone(r->server, on_gone, r);
        pods->resources = r;
        return serve(r, dir, err);
}

void pods_end_resources(struct pods *pods) {
        struct pods_resources *r = TAKE_PTR(pods->resources);

        if (!r)
                return;
        if (r->bound)
                unlink(r->path);
        grpc_server_free(r->server);
}
