/* A pod's conditions: pkg/kubelet/status/generate.go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/restart.h"
#include "kube/pod/status.h"
#include "lib/cleanup.h"

/* Names in brackets, divided by blanks, as Go prints them. */
struct names {
        char text[1024];
        size_t length;
        unsigned count;
};

static void add_name(struct names *names, const char *name) {
        size_t room = sizeof(names->text) - names->length;
        int n = snprintf(names->text + names->length, room, "%s%s", names->count > 0 ? " " : "", name ?: "");

        if (n > 0)
                names->length += (size_t)n < room ? (size_t)n : room - 1;
        names->count++;
}

static struct pod_condition *add(struct pod_status *status, const char *type, bool value, const char *reason) {
        struct pod_condition *c = &status->conditions[status->n_conditions++];

        *c = (struct pod_condition){ .type = type, .status = value, .reason = reason };
        return c;
}

static int set_message(struct pod_condition *c, const char *what, const struct names *names) {
        if (asprintf(&c->owned_message, "containers with %s status: [%s]", what, names->text) < 0) {
                c->owned_message = NULL;
                return -ENOMEM;
        }
        c->message = c->owned_message;
        return 0;
}

static bool any_started(const struct pod *pod, const struct pod_status *status) {
        for (uint32_t i = 0; i < pod->spec.containers.count; i++)
                if (status->containers[i].state.kind != STATE_WAITING)
                        return true;
        return false;
}

/* What was initialized stays so, also while its init containers run again. */
static bool was_initialized(const struct pod_status *before) {
        const struct pod_condition *c = before ? pod_status_condition(before, "Initialized") : NULL;

        return c && c->status;
}

static int add_initialized(const struct pod *pod, struct pod_status *status, const struct pod_status *before) {
        struct names incomplete = { .text = "" };

        for (uint32_t i = 0; i < pod->spec.init_containers.count; i++) {
                const struct kube_container *c = &pod->spec.init_containers.items[i];
                const struct pod_container_status *s = &status->init[i];

                if (pod_container_is_sidecar(c) ? s->started != TRI_TRUE : !s->ready)
                        add_name(&incomplete, c->name);
        }
        if (status->phase == PHASE_SUCCEEDED)
                add(status, "Initialized", true, "PodCompleted");
        else if (incomplete.count == 0 || any_started(pod, status) || was_initialized(before))
                add(status, "Initialized", true, NULL);
        else
                return set_message(add(status, "Initialized", false, "ContainersNotInitialized"), "incomplete",
                                   &incomplete);
        return 0;
}

static void find_unready(const struct pod *pod, const struct pod_status *status, struct names *unready) {
        for (uint32_t i = 0; i < pod->spec.init_containers.count; i++) {
                const struct kube_container *c = &pod->spec.init_containers.items[i];

                if (pod_container_is_sidecar(c) && !status->init[i].ready)
                        add_name(unready, c->name);
        }
        for (uint32_t i = 0; i < pod->spec.containers.count; i++)
                if (!status->containers[i].ready)
                        add_name(unready, pod->spec.containers.items[i].name);
}

/* The condition @type from the containers' readiness; *@ret_condition is it. */
static int add_ready(const struct pod *pod, struct pod_status *status, const char *type,
                     struct pod_condition **ret_condition) {
        struct names unready = { .text = "" };

        if (pod_phase_is_final(status->phase)) {
                *ret_condition = add(status, type, false, status->phase == PHASE_FAILED ? "PodFailed" : "PodCompleted");
                return 0;
        }
        find_unready(pod, status, &unready);
        if (unready.count == 0) {
                *ret_condition = add(status, type, true, NULL);
                return 0;
        }
        *ret_condition = add(status, type, false, "ContainersNotReady");
        return set_message(*ret_condition, "unready", &unready);
}

static void add_restarting(struct pod_status *status) {
        bool over = pod_phase_is_final(status->phase);
        struct pod_condition *c = add(status, "AllContainersRestarting", status->restarting_all && !over, NULL);

        if (over) {
                c->reason = status->phase == PHASE_FAILED ? "PodFailed" : "PodCompleted";
        } else if (status->restarting_all) {
                c->reason = "RestartAllContainersStarted";
                c->message = "container exited with restart policy rule";
        }
}

/* As kubelet keeps them: nothing is waited for once the pod is over. */
static void add_resizes(struct pod_status *status) {
        const struct {
                const char *type;
                const struct pod_resize *resize;
        } resizes[] = { { "PodResizePending", &status->pending }, { "PodResizeInProgress", &status->in_progress } };

        for (size_t i = 0; i < ELEMENTS(resizes) && !pod_phase_is_final(status->phase); i++) {
                const struct pod_resize *r = resizes[i].resize;
                struct pod_condition *c = r->set ? add(status, resizes[i].type, true, r->reason) : NULL;

                if (!c)
                        continue;
                c->message = r->message;
                c->observed_generation = r->generation;
        }
}

/* What a gate lacks, behind what those before it do, in *@text; -ENOMEM. */
static int add_unready_gate(const struct pod *pod, const char *gate, char **text) {
        const char *status = string_map_get(&pod->gates, gate), *before = *text ?: "", *comma = *text ? ", " : "";
        char *longer;
        int r;

        if (status && strcmp(status, "True") == 0)
                return 0;
        if (status)
                r = asprintf(&longer, "%s%sthe status of pod readiness gate \"%s\" is not \"True\", but %s", before,
                             comma, gate, status);
        else
                r = asprintf(&longer, "%s%scorresponding condition of pod readiness gate \"%s\" does not exist.",
                             before, comma, gate);
        if (r < 0)
                return -ENOMEM;
        free(*text);
        *text = longer;
        return 0;
}

/* Gates are conditions that somebody else sets. */
static int apply_gates(const struct pod *pod, struct pod_condition *ready) {
        if (!ready->status)
                return 0;
        list_for_each (gate, &pod->spec.readiness_gates)
                if (add_unready_gate(pod, gate->condition_type ?: "", &ready->owned_message) < 0)
                        return -ENOMEM;
        if (!ready->owned_message)
                return 0;
        ready->status = false;
        ready->reason = "ReadinessGatesNotReady";
        ready->message = ready->owned_message;
        return 0;
}

const struct pod_condition *pod_status_condition(const struct pod_status *status, const char *type) {
        for (uint32_t i = 0; i < status->n_conditions; i++)
                if (strcmp(status->conditions[i].type, type) == 0)
                        return &status->conditions[i];
        return NULL;
}

static void set_transitions(struct pod_status *status, const struct pod_status *before, int64_t now) {
        for (uint32_t i = 0; i < status->n_conditions; i++) {
                struct pod_condition *c = &status->conditions[i];
                const struct pod_condition *old = before ? pod_status_condition(before, c->type) : NULL;

                c->last_transition = old && old->status == c->status ? old->last_transition : now;
        }
}

int pod_status_conditions(const struct pod *pod, struct pod_status *status, bool sandbox_ready,
                          const struct pod_status *before, int64_t now) {
        struct pod_condition *ready = NULL, *containers_ready = NULL;
        int r;

        pod_status_done(status);
        add(status, "PodReadyToStartContainers", sandbox_ready, NULL);
        if ((r = add_initialized(pod, status, before)) < 0 || (r = add_ready(pod, status, "Ready", &ready)) < 0 ||
            (r = apply_gates(pod, ready)) < 0 ||
            (r = add_ready(pod, status, "ContainersReady", &containers_ready)) < 0) {
                pod_status_done(status);
                return r;
        }
        add(status, "PodScheduled", true, NULL);
        if (pod_may_restart_all(pod))
                add_restarting(status);
        add_resizes(status);
        if (status->disruption)
                add(status, "DisruptionTarget", true, "TerminationByKubelet")->message = status->disruption;
        set_transitions(status, before, now);
        return 0;
}

void pod_status_done(struct pod_status *status) {
        for (uint32_t i = 0; i < status->n_conditions; i++)
                free(status->conditions[i].owned_message);
        status->n_conditions = 0;
}
