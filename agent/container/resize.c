/* A container whose amounts of CPU and memory change while it runs (kuberuntime_manager.go, computePodResizeAction()).
 */
#include <string.h>

#include "agent/container/request.h"
#include "agent/container/request_internal.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static const struct {
        const char *key;
        size_t offset;
} fields[] = {
        { "cpuRequest", offsetof(struct pod_container_size, cpu_request) },
        { "cpuLimit", offsetof(struct pod_container_size, cpu_limit) },
        { "memoryRequest", offsetof(struct pod_container_size, memory_request) },
        { "memoryLimit", offsetof(struct pod_container_size, memory_limit) },
};

static int64_t *field(struct pod_container_size *size, size_t i) {
        return (int64_t *)((char *)size + fields[i].offset);
}

struct pod_container_size member_wanted_size(const struct member *m) {
        struct pod_container_size size = { 0 };
        struct quantity amount;

        if (pod_container_request(m->spec, "cpu", &amount))
                size.cpu_request = quantity_milli(amount);
        if (pod_container_bound(m->host->pod, m->spec, "cpu", &amount))
                size.cpu_limit = quantity_milli(amount);
        if (pod_container_request(m->spec, "memory", &amount))
                size.memory_request = quantity_units(amount);
        if (pod_container_bound(m->host->pod, m->spec, "memory", &amount))
                size.memory_limit = quantity_units(amount);
        return size;
}

const struct pod_container_size *member_size(const struct member *m) {
        return &m->size;
}

void member_set_size(struct member *m, const struct pod_container_size *size) {
        m->size = *size;
        m->host->ops->keep(m->host->data);
}

/* -- whether it is to be ----------------------------------------------------------------------------------- */

static bool restarts_for(const struct member *m, const char *name) {
        list_for_each (policy, &m->spec->resize_policy)
                if (kube_is(policy->resource_name, name))
                        return kube_is(policy->restart_policy, "RestartContainer");
        return false;
}

enum member_resizing member_resizing(const struct member *m) {
        struct pod_container_size wanted = member_wanted_size(m);
        bool cpu = wanted.cpu_request != m->size.cpu_request || wanted.cpu_limit != m->size.cpu_limit;
        bool memory = wanted.memory_request != m->size.memory_request || wanted.memory_limit != m->size.memory_limit;

        if (m->role == MEMBER_EPHEMERAL || !member_has_process(m) || (!cpu && !memory))
                return MEMBER_FITS;
        if (m->role == MEMBER_INIT)
                return MEMBER_RESIZES;
        if ((cpu && restarts_for(m, "cpu")) || (memory && restarts_for(m, "memory")))
                return MEMBER_RESIZES_BY_RESTART;
        return MEMBER_RESIZES;
}

void member_restart_for_size(struct member *m) {
        if (m->redefined)
                return;
        m->redefined = true;
        m->redefined_as = "resize";
        member_condemn(m, m->redefined_as, m->host->ops->grace(m->host->data));
}

/* -- CRI --------------------------------------------------------------------------------------------------- */

Cri__UpdateContainerResourcesRequest *member_resize_request(struct arena *arena, const struct member *m,
                                                            const struct pod_container_size *size) {
        Cri__UpdateContainerResourcesRequest *request = arena_new_message(
                arena, Cri__UpdateContainerResourcesRequest, cri__update_container_resources_request__init);

        if (!request || !(request->container_id = arena_strdup(arena, m->id)) ||
            !(request->linux = member_request_resources(arena, m, size)))
                return NULL;
        return request;
}

/* -- over a restart of the agent --------------------------------------------------------------------------- */

void member_write_size(const struct member *m, struct json_writer *out) {
        struct pod_container_size size = m->size;

        json_key(out, "size");
        json_begin_map(out);
        for (size_t i = 0; i < ELEMENTS(fields); i++)
                json_add_int(out, fields[i].key, *field(&size, i));
        json_end_map(out);
}

void member_read_size(struct member *m, const struct value *value) {
        int64_t number;

        for (size_t i = 0; i < ELEMENTS(fields) && value; i++)
                if (value_integer(value_get(value, fields[i].key), &number) && number >= 0)
                        *field(&m->size, i) = number;
}
