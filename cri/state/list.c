/* Status and List of sandboxes and containers: answered on the loop from memory. */
#include <string.h>

#include "cri/call/call.h"
#include "cri/call/handlers.h"
#include "cri/state/status.h"

/* @filter_id, widened before, is "" for any and NULL for none. */
static bool id_matches(const char *filter_id, const char *id) {
        return filter_id && (!*filter_id || strcmp(filter_id, id) == 0);
}

static const char *widen_sandbox(struct cri *cri, const char *id) {
        return text_empty(id) ? "" : cri_sandbox_filter_id(cri, id);
}

static const char *widen_container(struct cri *cri, const char *id) {
        return text_empty(id) ? "" : cri_container_filter_id(cri, id);
}

static Cri__PodSandbox *item_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox) {
        Cri__PodSandbox *item = message_new(arena, &cri__pod_sandbox__descriptor);

        if (!item)
                return NULL;
        item->id = (char *)(uintptr_t)sandbox->id;
        item->metadata = sandbox->config->metadata;
        item->state = sandbox->ready ? CRI__POD_SANDBOX_STATE__SANDBOX_READY : CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
        item->created_at = sandbox->record->created_at;
        item->runtime_handler = sandbox->record->runtime_handler;
        MESSAGE_MAP_BORROW(item, sandbox->config, labels);
        MESSAGE_MAP_BORROW(item, sandbox->config, annotations);
        return item;
}

static Cri__PodSandbox **list_sandboxes(struct cri_call *call, const Cri__PodSandboxFilter *filter, size_t *ret_n) {
        Cri__PodSandbox **items = call_alloc(call, (call->cri->sandboxes.n + 1) * sizeof(*items));
        const char *id = widen_sandbox(call->cri, filter ? filter->id : NULL);
        size_t n = 0;

        for (const struct cri_sandbox *s = call->cri->first_sandbox; s && items; s = s->newer) {
                if (s->hidden || !id_matches(id, s->id))
                        continue;
                if (filter && filter->state &&
                    (filter->state->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY) != s->ready)
                        continue;
                if (filter && !message_map_matches((void *const *)filter->label_selector, filter->n_label_selector,
                                                   (void *const *)s->config->labels, s->config->n_labels))
                        continue;
                items[n] = item_of_sandbox(call->arena, s);
                if (!items[n++]) {
                        call_refuse(call, ENOMEM, "out of memory");
                        return NULL;
                }
        }
        *ret_n = n;
        return items;
}

void handle_list_pod_sandbox(struct cri_call *call) {
        const Cri__ListPodSandboxRequest *request = (const Cri__ListPodSandboxRequest *)call->request;
        Cri__ListPodSandboxResponse response = CRI__LIST_POD_SANDBOX_RESPONSE__INIT;

        response.items = list_sandboxes(call, request->filter, &response.n_items);
        if (response.items)
                call_reply(call, &response.base);
}

void handle_stream_pod_sandboxes(struct cri_call *call) {
        const Cri__StreamPodSandboxesRequest *request = (const Cri__StreamPodSandboxesRequest *)call->request;
        size_t n;
        Cri__PodSandbox **items = list_sandboxes(call, request->filter, &n);

        if (!items)
                return;
        call_stream(call, items, n);
}

static Cri__Container *item_of_container(struct arena *arena, const struct cri_container *container) {
        Cri__Container *item = message_new(arena, &cri__container__descriptor);

        if (!item)
                return NULL;
        item->id = (char *)(uintptr_t)container->id;
        item->pod_sandbox_id = (char *)(uintptr_t)container->sandbox->id;
        item->metadata = container->config->metadata;
        item->image = container->config->image;
        item->image_ref = container->record->image_id;
        item->image_id = container->record->image_id;
        item->state = cri_container_state(container);
        item->created_at = container->record->created_at;
        MESSAGE_MAP_BORROW(item, container->config, labels);
        MESSAGE_MAP_BORROW(item, container->config, annotations);
        return item;
}

static bool container_matches(const struct cri_container *c, const Cri__ContainerFilter *filter, const char *id,
                              const char *sandbox_id) {
        if (c->hidden || !id_matches(id, c->id) || !id_matches(sandbox_id, c->sandbox->id))
                return false;
        if (!filter)
                return true;
        if (filter->state && filter->state->state != cri_container_state(c))
                return false;
        return message_map_matches((void *const *)filter->label_selector, filter->n_label_selector,
                                   (void *const *)c->config->labels, c->config->n_labels);
}

static Cri__Container **list_containers(struct cri_call *call, const Cri__ContainerFilter *filter, size_t *ret_n) {
        Cri__Container **items = call_alloc(call, (call->cri->containers.n + 1) * sizeof(*items));
        const char *id = widen_container(call->cri, filter ? filter->id : NULL);
        const char *sandbox_id = widen_sandbox(call->cri, filter ? filter->pod_sandbox_id : NULL);
        size_t n = 0;

        for (const struct cri_container *c = call->cri->first_container; c && items; c = c->newer) {
                if (!container_matches(c, filter, id, sandbox_id))
                        continue;
                items[n] = item_of_container(call->arena, c);
                if (!items[n++]) {
                        call_refuse(call, ENOMEM, "out of memory");
                        return NULL;
                }
        }
        *ret_n = n;
        return items;
}

void handle_list_containers(struct cri_call *call) {
        const Cri__ListContainersRequest *request = (const Cri__ListContainersRequest *)call->request;
        Cri__ListContainersResponse response = CRI__LIST_CONTAINERS_RESPONSE__INIT;

        response.containers = list_containers(call, request->filter, &response.n_containers);
        if (response.containers)
                call_reply(call, &response.base);
}

void handle_stream_containers(struct cri_call *call) {
        const Cri__StreamContainersRequest *request = (const Cri__StreamContainersRequest *)call->request;
        size_t n;
        Cri__Container **items = list_containers(call, request->filter, &n);

        if (!items)
                return;
        call_stream(call, items, n);
}

void handle_pod_sandbox_status(struct cri_call *call) {
        const Cri__PodSandboxStatusRequest *request = (const Cri__PodSandboxStatusRequest *)call->request;
        Cri__PodSandboxStatusResponse response = CRI__POD_SANDBOX_STATUS_RESPONSE__INIT;
        Cri__PodSandboxStatusResponse__InfoEntry info = CRI__POD_SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT;
        Cri__PodSandboxStatusResponse__InfoEntry *infos[] = { &info };

        if (!call_find_sandbox(call, request->pod_sandbox_id))
                return;
        response.status = status_of_sandbox(call->arena, call->sandbox);
        response.containers_statuses =
                status_of_containers(call->arena, call->sandbox, &response.n_containers_statuses);
        response.timestamp = cri_now();
        if (request->verbose) {
                info.key = (char *)(uintptr_t) "info";
                info.value = info_of_sandbox(call->arena, call->sandbox);
                response.info = infos;
                response.n_info = 1;
        }
        if (response.status && response.containers_statuses && info.value)
                call_reply(call, &response.base);
        else
                call_refuse(call, ENOMEM, "out of memory");
}

void handle_container_status(struct cri_call *call) {
        const Cri__ContainerStatusRequest *request = (const Cri__ContainerStatusRequest *)call->request;
        Cri__ContainerStatusResponse response = CRI__CONTAINER_STATUS_RESPONSE__INIT;
        Cri__ContainerStatusResponse__InfoEntry info = CRI__CONTAINER_STATUS_RESPONSE__INFO_ENTRY__INIT;
        Cri__ContainerStatusResponse__InfoEntry *infos[] = { &info };

        if (!call_find_container(call, request->container_id))
                return;
        response.status = status_of_container(call->arena, call->container);
        if (request->verbose) {
                info.key = (char *)(uintptr_t) "info";
                info.value = info_of_container(call->arena, call->container);
                response.info = infos;
                response.n_info = 1;
        }
        if (response.status && info.value)
                call_reply(call, &response.base);
        else
                call_refuse(call, ENOMEM, "out of memory");
}
