/* The CPUs that a container runs on, which change when others get some for themselves (cpumanager/cpu_manager.go,
 * reconcileState(); here without a period: whoever changes them says so). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/request_internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static bool is_at(const struct member *m, const char *cpus) {
        return m->cpus && strcmp(m->cpus, cpus) == 0;
}

void member_note_cpus(struct member *m, const char *cpus) {
        char *copy = cpus ? strdup(cpus) : NULL;

        free(m->cpus); /* without memory: they are set once more */
        m->cpus = copy;
}

static void on_updated(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;

        m->moving = false;
        if (strcmp(m->id, op->text) != 0 || !member_has_process(m))
                return;
        if (err) {
                log_warning("pod %s/%s: container %s: cannot run on CPUs %s, trying again in %d s: %s",
                            m->host->pod->metadata.namespace, m->host->pod->metadata.name, m->spec->name,
                            (const char *)op->pointer, NODE_RETRY_MS / 1000, err_text(err));
                member_do_later(m);
                return;
        }
        member_note_cpus(m, op->pointer);
        member_update_cpus(m);
}

/* -ENOMEM. */
static int ask(struct member *m, const char *cpus, struct op *op, Cri__UpdateContainerResourcesRequest *request) {
        request->linux =
                arena_new_message(op->arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        op->text = request->container_id = arena_strdup(op->arena, m->id);
        op->pointer = arena_strdup(op->arena, cpus);
        if (!request->linux || !op->text || !op->pointer)
                return -ENOMEM;
        request->linux->cpuset_cpus = op->pointer;
        op->heard_always = true;
        op->aside = true;
        op->done = on_updated;
        return 0;
}

void member_update_cpus(struct member *m) {
        Cri__UpdateContainerResourcesRequest *request;
        struct node_grant grant = { 0 };
        _cleanup_op_ struct op *op = NULL;

        if (!m->host->world->ops->grant || m->moving || !member_has_process(m))
                return;
        op = OP_NEW(&m->scope, &request, cri__update_container_resources_request__init);
        if (!op || node_grant(m->host->world, m->host->pod, m->spec->name, op->arena, &grant, NULL) < 0) {
                member_do_later(m);
                return;
        }
        if (!grant.cpus || is_at(m, grant.cpus))
                return;
        if (ask(m, grant.cpus, op, request) < 0) {
                member_do_later(m);
                return;
        }
        m->moving = true;
        op_call(TAKE_PTR(op), CRI_UPDATE_CONTAINER_RESOURCES, request);
}
