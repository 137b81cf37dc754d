/* Records of sandboxes and containers as a damaged disk may give them back, and requests as a client may send them:
 * read, checked, told again. */
#include <stdint.h>

#include "cri/container/process.h"
#include "cri/container/resources.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"
#include "cri/state/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_container(struct cri_sandbox *sandbox, struct arena *arena, const uint8_t *data, size_t size) {
        const Cri__ContainerConfig *config = message_unpack(arena, &cri__container_config__descriptor, data, size);
        const Record__Container *read = message_unpack(arena, &record__container__descriptor, data, size);
        Record__Container record = RECORD__CONTAINER__INIT;
        struct image_config image = { 0 };
        struct cri_container *container;
        struct cgroup_limits limits;

        if (config) {
                spec_check_config(config, sandbox->config, NULL);
                process_decide(arena, config, &image, sandbox->config, &record, NULL);
                if (config->linux && config->linux->resources)
                        resources_to_limits(arena, config->linux->resources, &limits, NULL);
        }
        if (!read || cri_container_new(sandbox, read, &container, NULL) < 0)
                return;
        status_of_container(arena, container);
        info_of_container(arena, container);
        cri_container_remove(container);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cri cri = { .options = { .root_dir = "/nonexistent", .run_dir = "/nonexistent" } };
        struct cri_sandbox *sandbox;
        const Record__Sandbox *record = arena ? message_unpack(arena, &record__sandbox__descriptor, data, size) : NULL;
        struct id_mappings mappings;

        if (record && cri_sandbox_new(&cri, record, &sandbox, NULL) >= 0) {
                sandbox->ready = true;
                status_of_sandbox(arena, sandbox);
                sandbox_fill_mappings(sandbox->config, arena, &mappings, NULL);
                try_container(sandbox, arena, record->config.data, record->config.len);
                cri_sandbox_remove(sandbox);
        }
        table_clear(&cri.sandboxes);
        table_clear(&cri.sandbox_names);
        table_clear(&cri.containers);
        table_clear(&cri.container_names);
        return 0;
}
