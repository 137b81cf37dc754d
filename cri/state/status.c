#include "cri/state/status.h"

#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"

#define BORROW(text) ((char *)(uintptr_t)(text))

static Cri__LinuxPodSandboxStatus *linux_status(struct arena *arena, const struct cri_sandbox *sandbox) {
        Cri__LinuxPodSandboxStatus *linux_ = message_new(arena, &cri__linux_pod_sandbox_status__descriptor);
        Cri__Namespace *namespaces = message_new(arena, &cri__namespace__descriptor);

        if (!linux_ || !namespaces)
                return NULL;
        namespaces->options = (Cri__NamespaceOption *)(uintptr_t)cri_sandbox_namespaces(sandbox->config);
        linux_->namespaces = namespaces;
        return linux_;
}

static Cri__PodSandboxNetworkStatus *network_status_of(struct arena *arena, const struct cri_sandbox *sandbox) {
        Cri__PodSandboxNetworkStatus *network = message_new(arena, &cri__pod_sandbox_network_status__descriptor);
        size_t more = sandbox->n_ips > 1 ? sandbox->n_ips - 1 : 0;

        if (!network || !sandbox->ready || sandbox->n_ips == 0)
                return network;
        network->ip = BORROW(sandbox->ips[0]);
        network->additional_ips = arena_alloc_array(arena, more + 1, sizeof(*network->additional_ips));
        for (size_t i = 0; network->additional_ips && i < more; i++) {
                Cri__PodIP *ip = message_new(arena, &cri__pod_ip__descriptor);

                if (!ip)
                        return NULL;
                ip->ip = BORROW(sandbox->ips[i + 1]);
                network->additional_ips[network->n_additional_ips++] = ip;
        }
        return network->additional_ips ? network : NULL;
}

Cri__PodSandboxStatus *status_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox) {
        Cri__PodSandboxStatus *status = message_new(arena, &cri__pod_sandbox_status__descriptor);

        if (!status)
                return NULL;
        status->id = BORROW(sandbox->id);
        status->metadata = sandbox->config->metadata;
        status->state =
                sandbox->ready ? CRI__POD_SANDBOX_STATE__SANDBOX_READY : CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
        status->created_at = sandbox->record->created_at;
        status->network = network_status_of(arena, sandbox);
        status->linux = linux_status(arena, sandbox);
        status->runtime_handler = sandbox->record->runtime_handler;
        MESSAGE_MAP_BORROW(status, sandbox->config, labels);
        MESSAGE_MAP_BORROW(status, sandbox->config, annotations);
        return status->network && status->linux ? status : NULL;
}

static Cri__ContainerUser *user_of(struct arena *arena, const struct cri_container *container) {
        const Record__Container *record = container->record;
        Cri__ContainerUser *user = message_new(arena, &cri__container_user__descriptor);
        Cri__LinuxContainerUser *linux_ = message_new(arena, &cri__linux_container_user__descriptor);
        int64_t *groups = arena_alloc_array(arena, record->n_groups + 1, sizeof(*groups));

        if (!user || !linux_ || !groups)
                return NULL;
        for (size_t i = 0; i < record->n_groups; i++)
                groups[i] = record->groups[i];
        linux_->uid = record->uid;
        linux_->gid = record->gid;
        linux_->supplemental_groups = groups;
        linux_->n_supplemental_groups = record->n_groups;
        user->linux = linux_;
        return user;
}

static Cri__ContainerResources *resources_of(struct arena *arena, const struct cri_container *container) {
        Cri__ContainerResources *resources = message_new(arena, &cri__container_resources__descriptor);

        if (resources)
                resources->linux = (Cri__LinuxContainerResources *)(uintptr_t)container->resources;
        return resources;
}

static Cri__ImageSpec *image_spec_of(struct arena *arena, const struct cri_container *container) {
        Cri__ImageSpec *spec = message_new(arena, &cri__image_spec__descriptor);
        const Cri__ImageSpec *asked = container->config->image;

        if (!spec || !asked)
                return spec;
        *spec = *asked;
        if (!text_empty(asked->user_specified_image))
                spec->image = asked->user_specified_image;
        return spec;
}

Cri__ContainerStatus *status_of_container(struct arena *arena, const struct cri_container *container) {
        Cri__ContainerStatus *status = message_new(arena, &cri__container_status__descriptor);

        if (!status)
                return NULL;
        status->id = BORROW(container->id);
        status->metadata = container->config->metadata;
        status->state = cri_container_state(container);
        status->created_at = container->record->created_at;
        status->started_at = container->started_at;
        status->finished_at = container->phase == CRI_PHASE_EXITED ? container->finished_at : 0;
        status->exit_code = container->phase == CRI_PHASE_EXITED ? container->exit_code : 0;
        status->reason = BORROW(cri_container_reason(container));
        if (container->message && container->phase == CRI_PHASE_EXITED)
                status->message = container->message;
        status->image = image_spec_of(arena, container);
        status->image_ref = container->record->image_ref;
        status->image_id = container->record->image_id;
        MESSAGE_MAP_BORROW(status, container->config, labels);
        MESSAGE_MAP_BORROW(status, container->config, annotations);
        status->n_mounts = container->config->n_mounts;
        status->mounts = container->config->mounts;
        status->log_path = container_log_path(arena, container);
        status->resources = resources_of(arena, container);
        status->user = user_of(arena, container);
        status->stop_signal = signal_to_cri(container->record->stop_signal);
        return status->image && status->log_path && status->resources && status->user ? status : NULL;
}

Cri__ContainerStatus **status_of_containers(struct arena *arena, const struct cri_sandbox *sandbox, size_t *ret_n) {
        Cri__ContainerStatus **statuses;
        size_t n = 0;

        for (const struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox)
                n++;
        statuses = arena_alloc_array(arena, n + 1, sizeof(*statuses));
        *ret_n = 0;
        for (const struct cri_container *c = sandbox->containers; c && statuses; c = c->next_in_sandbox) {
                statuses[*ret_n] = status_of_container(arena, c);
                if (!statuses[(*ret_n)++])
                        return NULL;
        }
        return statuses;
}
