/* A cri without runtime, network and disk: what the calls answer from memory, and refuse. */
#pragma once

#include "cri/call/call.h"
#include "cri/state/exits.h"

static inline struct cri_sandbox *made_up_sandbox(struct cri *cri, const char *id, const char *name,
                                                  const char *label) {
        Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
        Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
        Cri__PodSandboxConfig__LabelsEntry entry = CRI__POD_SANDBOX_CONFIG__LABELS_ENTRY__INIT, *entries[] = { &entry };
        Record__Sandbox record = RECORD__SANDBOX__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cri_sandbox *sandbox;

        metadata.name = (char *)(uintptr_t)name;
        metadata.namespace_ = (char *)(uintptr_t) "ns";
        metadata.uid = (char *)(uintptr_t) "uid";
        config.metadata = &metadata;
        entry.key = (char *)(uintptr_t) "app";
        entry.value = (char *)(uintptr_t)label;
        config.labels = entries;
        config.n_labels = 1;
        record.id = (char *)(uintptr_t)id;
        record.cgroup = (char *)(uintptr_t) "pod";
        record.created_at = cri_creation_time(cri);
        if (!arena || message_pack(arena, &config.base, &record.config) < 0 ||
            cri_sandbox_new(cri, &record, &sandbox, NULL) < 0)
                return NULL;
        sandbox->ready = true;
        return sandbox;
}

static inline struct cri_container *made_up_container(struct cri_sandbox *sandbox, const char *id, const char *name) {
        Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
        Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
        Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;
        Record__Container record = RECORD__CONTAINER__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cri_container *container;

        metadata.name = (char *)(uintptr_t)name;
        image.image = (char *)(uintptr_t) "image:1";
        config.metadata = &metadata;
        config.image = &image;
        record.id = (char *)(uintptr_t)id;
        record.sandbox_id = (char *)(uintptr_t)sandbox->id;
        record.created_at = cri_creation_time(sandbox->cri);
        if (!arena || message_pack(arena, &config.base, &record.config) < 0 ||
            cri_container_new(sandbox, &record, &container, NULL) < 0)
                return NULL;
        return container;
}

static inline void made_up_clear(struct cri *cri) {
        while (cri->first_container)
                cri_container_remove(cri->first_container);
        while (cri->first_sandbox)
                cri_sandbox_remove(cri->first_sandbox);
        table_clear(&cri->sandboxes);
        table_clear(&cri->containers);
        table_clear(&cri->sandbox_names);
        table_clear(&cri->container_names);
}
