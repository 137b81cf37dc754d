/* A pod's status: phase, conditions and container statuses, computed as kubelet computes them from what runs.
 *
 * The caller fills in the container statuses (all strings are borrowed and must outlive the status); phase, readiness
 * and conditions are functions of them and of the spec. Times are milliseconds since 1970; 0: not known.
 *
 * Rules: kubelet's getPhase() (kubelet_pods.go), status/generate.go.
 */
#pragma once

#include "kube/pod/pod.h"

struct arena;

enum pod_phase { PHASE_PENDING, PHASE_RUNNING, PHASE_SUCCEEDED, PHASE_FAILED, PHASE_UNKNOWN };

enum pod_state_kind { STATE_WAITING, STATE_RUNNING, STATE_TERMINATED };

struct pod_container_state {
        enum pod_state_kind kind;
        const char *reason, *message;    /* waiting, terminated */
        int exit_code, signal;           /* terminated; signal 0: none */
        int64_t started_at, finished_at; /* started_at -1: not known of one that did start */
        const char *container_id;        /* terminated: "nacelle://ID" */
};

/* What a container has of CPU, in thousandths, and memory, in bytes; 0: nothing asked for, no limit. */
struct pod_container_size {
        int64_t cpu_request, cpu_limit, memory_request, memory_limit;
};

struct pod_container_status {
        const struct kube_container *container;       /* its spec: name, image, resources */
        const struct pod_container_size *size;        /* while it runs: what it really has; NULL: as its spec says */
        struct pod_container_state state, last_state; /* last_state counts when @has_last */
        bool has_last;
        bool renewed; /* the node has ended it to make it anew: the pod goes on */
        bool exists;  /* the runtime has or had it; else state is waiting and nothing more is known */
        bool ready;   /* its readiness; for init containers: done with exit code 0, for sidecars: started and ready */
        enum tri started; /* startup probe passed and postStart done; TRI_UNSET: not written */
        uint32_t restart_count;
        const char *image; /* as the runtime names it; NULL: the spec's */
        const char *image_id, *container_id;
        bool has_user;
        uint32_t uid, gid;
        const uint32_t *supplemental_groups;
        uint32_t n_supplemental_groups;
        const char *stop_signal;            /* "SIGTERM"; NULL: not known */
        kube_resource_status_items devices; /* allocatedResourcesStatus */
};

#define POD_CONDITIONS_MAX 16

struct pod_condition {
        const char *type, *reason, *message; /* static or borrowed */
        char *owned_message;                 /* freed by pod_status_done(); @message points to it */
        bool status;
        int64_t last_transition;
        int64_t observed_generation; /* 0: the pod's */
};

/* A change of resources that waits for the node, or that is being made (KEP-1287). Texts are borrowed. */
struct pod_resize {
        bool set;
        const char *reason, *message; /* NULL: none */
        int64_t generation;           /* of the pod that asked for it */
};

struct pod_status {
        enum pod_phase phase;
        const char *reason, *message;           /* "Evicted", "DeadlineExceeded"; NULL */
        const char *disruption;                 /* the message of a condition DisruptionTarget; NULL: none */
        struct pod_resize pending, in_progress; /* conditions PodResizePending, PodResizeInProgress */
        const char *host_ip;
        const char *const *pod_ips; /* the first is podIP */
        uint32_t n_pod_ips;
        int64_t start_time;
        bool restarting_all; /* RestartAllContainers has been asked for, and is not done */
        struct pod_container_status *init, *containers, *ephemeral; /* in the spec's order, one each; written by name;
                                                                     * NULL: nothing of the pod was ever made */
        struct pod_condition conditions[POD_CONDITIONS_MAX];
        uint32_t n_conditions;
};

/* The phase from the containers' states; @terminal: the pod is over (deadline, eviction) or was before. Pure. */
enum pod_phase pod_phase(const struct pod *pod, const struct pod_container_status *init,
                         const struct pod_container_status *containers, bool terminal);

/* "Pending" and so on. */
const char *pod_phase_name(enum pod_phase phase);

/* True when no container of a finished phase may start again, so the pod's sandbox can go. */
bool pod_phase_is_final(enum pod_phase phase);

/* The pod's containers have ended for good, and this is told last of it: those without an end have an unknown one,
 * where
 * @initialized (the containers proper were due to begin), and the phase is final, but for a file's pod, which may be
 * there again. After pod_status_conditions(): what was not final when it ended has no conditions of an end. */
void pod_status_end(const struct pod *pod, struct pod_status *status, bool initialized);

/* Computes @status->conditions (PodReadyToStartContainers, Initialized, Ready, ContainersReady, PodScheduled, and where
 * they may come AllContainersRestarting, PodResizePending, PodResizeInProgress and DisruptionTarget) at time @now from
 * its phase and container statuses;
 * @sandbox_ready: sandbox and network are up. @before, the status computed last, lends the transition times of what did
 * not change; may be NULL. -ENOMEM or 0. */
int pod_status_conditions(const struct pod *pod, struct pod_status *status, bool sandbox_ready,
                          const struct pod_status *before, int64_t now);

/* The condition of that type; NULL when there is none. */
const struct pod_condition *pod_status_condition(const struct pod_status *status, const char *type);

/* Bytes of all termination messages of a pod, shared equally among its containers. */
#define POD_STATUS_MESSAGES_MAX (12 * 1024)

/* The status as the API has it; texts are borrowed, the rest is in @arena. -ENOMEM or 0. */
int pod_status_make(struct arena *arena, const struct pod *pod, const struct pod_status *status,
                    struct kube_pod_status *ret_status);

/* Frees what pod_status_conditions() allocated, not what was borrowed. */
void pod_status_done(struct pod_status *status);
