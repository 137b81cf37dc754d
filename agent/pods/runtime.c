/* What the node's status has of cri: images, runtime handlers, features (pkg/kubelet/nodestatus/setters.go). Asked for
 * beside the status, and told with the next one. */
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/pods/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define ASK_MS 30000      /* kubelet's imageCachePeriod: images come and go without an event */
#define IMAGES_MAX 50     /* nodeStatusMaxImages */
#define IMAGE_NAMES_MAX 5 /* MaxNamesPerImageInNodeStatus */
#define HANDLERS_MAX_TOLD 32

static void tell_soon(struct pods *pods) {
        if (pods->cluster && !pods->leaving)
                cluster_node_changed(pods->cluster);
}

/* -- images ------------------------------------------------------------------------------------------------ */

/* The largest first. */
static int by_size(const void *a, const void *b) {
        const Cri__Image *one = *(Cri__Image *const *)a, *other = *(Cri__Image *const *)b;

        if (one->size != other->size)
                return one->size > other->size ? -1 : 1;
        return -strcmp(one->id, other->id);
}

static bool add_names(struct arena *arena, struct kube_container_image *image, char *const *names, size_t n) {
        for (size_t i = 0; i < n && image->names.count < IMAGE_NAMES_MAX; i++)
                if (!(image->names.items[image->names.count++] = arena_strdup(arena, names[i])))
                        return false;
        return true;
}

static bool make_image(struct arena *arena, const Cri__Image *from, struct kube_container_image *ret) {
        *ret = (struct kube_container_image){ .size_bytes = (int64_t)from->size };
        ret->names.items = arena_alloc_array(arena, IMAGE_NAMES_MAX, sizeof(*ret->names.items));
        return ret->names.items && add_names(arena, ret, from->repo_digests, from->n_repo_digests) &&
               add_names(arena, ret, from->repo_tags, from->n_repo_tags);
}

static bool make_images(struct arena *arena, const Cri__ListImagesResponse *response, kube_container_image_items *ret) {
        size_t n = response->n_images;
        Cri__Image **sorted = arena_alloc_array(arena, n + 1, sizeof(*sorted));

        if (!sorted || !(ret->items = arena_alloc_array(arena, IMAGES_MAX, sizeof(*ret->items))))
                return false;
        if (n > 0)
                memcpy(sorted, response->images, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), by_size);
        for (ret->count = 0; ret->count < n && ret->count < IMAGES_MAX; ret->count++)
                if (!make_image(arena, sorted[ret->count], &ret->items[ret->count]))
                        return false;
        return true;
}

/* In place of what was there, which is told no more. */
static void take(struct arena **place, struct arena **arena) {
        arena_free(*place);
        *place = TAKE_PTR(*arena);
}

static void on_images(void *data, const ProtobufCMessage *response, const struct err *err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        kube_container_image_items images = { 0 };
        struct pods *pods = data;
        bool first;

        pods->runtime.asks = false;
        if (err)
                log_debug("the node's status is told without its images: %s", err_text(err));
        if (err || !arena || !make_images(arena, (const void *)response, &images))
                return;
        first = !pods->runtime.images_arena;
        take(&pods->runtime.images_arena, &arena);
        pods->runtime.images = images;
        if (first)
                tell_soon(pods);
}

/* -- handlers ---------------------------------------------------------------------------------------------- */

static bool make_handlers(struct arena *arena, const Cri__StatusResponse *response,
                          kube_node_runtime_handler_items *ret) {
        ret->items = arena_alloc_array(arena, HANDLERS_MAX_TOLD, sizeof(*ret->items));
        for (size_t i = 0; ret->items && i < response->n_runtime_handlers && i < HANDLERS_MAX_TOLD; i++) {
                const Cri__RuntimeHandler *from = response->runtime_handlers[i];
                struct kube_node_runtime_handler *to = &ret->items[ret->count++];

                *to = (struct kube_node_runtime_handler){ .name = arena_strdup(arena, from->name) };
                if (!to->name || !(to->features = arena_new_of(arena, struct kube_node_runtime_handler_features)))
                        return false;
                to->features->recursive_read_only_mounts =
                        from->features && from->features->recursive_read_only_mounts ? TRI_TRUE : TRI_FALSE;
                to->features->user_namespaces =
                        from->features && from->features->user_namespaces ? TRI_TRUE : TRI_FALSE;
        }
        return ret->items;
}

static void on_status(void *data, const ProtobufCMessage *response, const struct err *err) {
        const Cri__StatusResponse *status = (const void *)response;
        _cleanup_arena_ struct arena *arena = arena_new();
        kube_node_runtime_handler_items handlers = { 0 };
        struct pods *pods = data;

        pods->runtime.asks_status = false;
        if (err || !arena || !make_handlers(arena, status, &handlers))
                return;
        take(&pods->runtime.handlers_arena, &arena);
        pods->runtime.handlers = handlers;
        pods->runtime.features.supplemental_groups_policy =
                status->features && status->features->supplemental_groups_policy ? TRI_TRUE : TRI_FALSE;
        tell_soon(pods);
}

/* -- all --------------------------------------------------------------------------------------------------- */

/* Handlers are as they were at cri's start. */
void pods_ask_runtime(struct pods *pods) {
        static const Cri__StatusRequest status = CRI__STATUS_REQUEST__INIT;
        static const Cri__ListImagesRequest images = CRI__LIST_IMAGES_REQUEST__INIT;
        struct pods_runtime *r = &pods->runtime;
        int64_t now = pods_now(pods);

        if (pods->leaving)
                return;
        if (!r->asks && (!r->asked_at || now - r->asked_at >= ASK_MS)) {
                r->asks = true;
                r->asked_at = now;
                cri_call(pods->cri, CRI_LIST_IMAGES, &images.base, on_images, pods);
        }
        if (!r->asks_status && !r->handlers_arena) {
                r->asks_status = true;
                cri_call(pods->cri, CRI_STATUS, &status.base, on_status, pods);
        }
}

/* Those of kubelet's features that others have to know of before they use them (KEP-5328), and that the node has. */
static const char *const declared[] = {
        "ExtendWebSocketsToKubelet", /* KEP-4006: exec and the like by WebSocket; where its port is served */
        "InPlacePodLevelResourcesVerticalScaling",
        "InPlacePodVerticalScalingInitContainers",
        "RestartAllContainersOnContainerExits",
};

void pods_tell_runtime(const struct pods *pods, struct kube_node_status *status) {
        const struct pods_runtime *r = &pods->runtime;

        status->images = r->images;
        status->runtime_handlers = r->handlers;
        if (r->handlers_arena)
                status->features = (struct kube_node_features *)&r->features;
        status->declared_features.items = (const char **)declared + !pods->options->server.port;
        status->declared_features.count = ELEMENTS(declared) - !pods->options->server.port;
}
