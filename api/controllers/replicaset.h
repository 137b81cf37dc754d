/* What the files of the ReplicaSets' and ReplicationControllers' controller share: one engine, since the two differ in
 * the form of their selector alone. A ReplicationController is read as a ReplicaSet; what it selects is known
 * (api/controllers/known.h).
 */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/known.h"
#include "kube/apps_v1.h"

#define REPLICASET_BURST 500                  /* pods that one sync makes, or deletes */
#define REPLICASET_GATHER (WORK_SECOND / 100) /* pods that change at once are one sync */

enum { REPLICASET_SETS, REPLICASET_PODS };

typedef struct kube_apps_v1_replica_set replica_set;

/* What the steps of one sync tell each other; all in the task's arena. */
struct replicaset_sync {
        replica_set set;      /* as it was when the sync began */
        unsigned left, batch; /* pods to be made; in the next batch */
        const char *pod;      /* one of them, as JSON */
        unsigned n_failed;
        bool deletes;      /* what has failed */
        const char *error; /* the first failure; NULL: none */
        int code;
};

/* What is known of sets, and of pods. */
static inline struct known *replicaset_sets(const struct task *task) {
        return controller_known(task_controller(task), REPLICASET_SETS);
}

static inline struct known *replicaset_pods(const struct task *task) {
        return controller_known(task_controller(task), REPLICASET_PODS);
}

/* The set that @task is about as it is known now; NULL: it has gone. */
const struct known_object *replicaset_of(struct task *task);

/* Has @n of the @n_active pods go, and goes on with the status. */
int replicaset_delete(struct task *task, const struct known_object *owner, size_t n_active, size_t n);

/* Goes on with the status. */
int replicaset_finish(struct task *task);

void replicaset_tell(struct task *task, const char *type, const char *reason, const char *message);
struct client_answer;
void replicaset_note_failure(struct task *task, const struct client_answer *answer);

/* --- which pods go first --- */

struct replicaset_ranked {
        const struct known_object *pod;
        unsigned rank; /* so many of its kind are on its node */
};

/* Sorts @pods, those that go first in front, as kube-controller-manager's ActivePodsWithRanks. @now: s since 1970. */
void replicaset_sort(struct replicaset_ranked *pods, size_t n, int64_t now);

/* --- status --- */

/* Has @status say that pods could not be made or deleted, or not any more (@reason NULL). 0 or -ENOMEM. */
int replicaset_set_failure(struct arena *arena, struct kube_apps_v1_replica_set_status *status, const char *reason,
                           const char *message, int64_t now);
