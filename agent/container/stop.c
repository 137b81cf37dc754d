/* A container's end: preStop, StopContainer, and the removal for a restart of all (kuberuntime_container.go,
 * killContainer(); kuberuntime_manager.go, ContainersToReset). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "kube/pod/restart.h"
#include "lib/cleanup.h"

static void say_killing(const struct member *m) {
        const char *reason = m->kill_reason ?: "";
        bool again = !kube_is(pod_restart_policy(m->host->pod, m->spec), "Never");

        if (strcmp(reason, "liveness") == 0 || strcmp(reason, "startup") == 0)
                member_say(m, false, "Killing", "Container %s failed %s probe%s", m->spec->name, reason,
                           again ? ", will be restarted" : "");
        else if (strcmp(reason, "definition") == 0)
                member_say(m, false, "Killing", "Container %s definition changed, will be restarted", m->spec->name);
        else if (strcmp(reason, "resize") == 0)
                member_say(m, false, "Killing", "Container %s resize requires restart", m->spec->name);
        else if (reason[0])
                member_say(m, false, "Killing", "%s", reason);
        else
                member_say(m, false, "Killing", "Stopping container %s", m->spec->name);
}

enum member_event member_pre_stop(struct member *m) {
        const struct kube_lifecycle *lifecycle = m->spec->lifecycle;

        say_killing(m);
        if (!lifecycle || !lifecycle->pre_stop || node_now(m->host->world) >= m->stop_deadline)
                return MEMBER_EVENT_OK;
        return hook_run(m, lifecycle->pre_stop, m->stop_deadline);
}

/* -- StopContainer ----------------------------------------------------------------------------------------- */

static void on_stopped(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;

        member_event(m, err && err_code(err) != ENOENT ? member_failed(m, err) : MEMBER_EVENT_OK);
}

enum member_event member_stop(struct member *m) {
        Cri__StopContainerRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__stop_container_request__init);
        int64_t left = (m->stop_deadline - node_now(m->host->world) + 999) / 1000;

        if (!op || !(request->container_id = arena_strdup(op->arena, m->id)))
                return member_failed(m, NULL);
        request->timeout = left < MEMBER_STOP_MIN_S ? MEMBER_STOP_MIN_S : left;
        op->done = on_stopped;
        op_call(TAKE_PTR(op), CRI_STOP_CONTAINER, request);
        return MEMBER_EVENT_NONE;
}

/* -- RemoveContainer --------------------------------------------------------------------------------------- */

static const char removed_text[] = "The container is removed because RestartAllContainers in place";

/* The newest one is gone, which counts as a restart; what is told already of an end goes on to be told. */
static void newest_removed(struct member *m) {
        m->id[0] = '\0';
        m->restarts++;
        if (m->waiting_reason)
                return;
        ending_clear(&m->end);
        ending_set(&m->last, "", RESTARTING_ALL_REASON);
        m->last.message = strdup(removed_text);
        m->last.exit_code = 137;
        m->last.started_at = -1;
}

static void on_removed(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;

        if (err && err_code(err) != ENOENT) {
                member_event(m, member_failed(m, err));
                return;
        }
        if (m->previous_id[0])
                m->previous_id[0] = '\0';
        else
                newest_removed(m);
        member_event(m, MEMBER_EVENT_OK);
}

enum member_event member_remove_next(struct member *m) {
        const char *id = m->previous_id[0] ? m->previous_id : m->id;
        Cri__RemoveContainerRequest *request;
        _cleanup_op_ struct op *op = NULL;

        if (!id[0])
                return MEMBER_EVENT_MISSING;
        op = OP_NEW(&m->scope, &request, cri__remove_container_request__init);
        if (!op || !(request->container_id = arena_strdup(op->arena, id)))
                return member_failed(m, NULL);
        op->done = on_removed;
        op_call(TAKE_PTR(op), CRI_REMOVE_CONTAINER, request);
        return MEMBER_EVENT_NONE;
}
