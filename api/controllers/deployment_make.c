/* The set of a new template is made before all else. */
#include <errno.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "api/controllers/task_answers.h"
#include "kube/kinds.h"
#include "lib/arena.h"

#define SOON (WORK_SECOND / 100)

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

/* A set of another template has the name: the next hash is another. */
static int collide(struct task *task) {
        struct deployment_sync *sync = task_data(task);
        struct opt_int *count = &sync->d.status.collision_count;
        const struct task_change change = { .known = known_of(task, DEPLOYMENT_DEPLOYMENTS),
                                            .verb = KUBE_VERB_UPDATE,
                                            .namespace = task_namespace(task),
                                            .name = task_name(task),
                                            .sub = "status",
                                            .object = &sync->d,
                                            .fine = TASK_GONE_IS_FINE };

        *count = (struct opt_int){ (count->set ? count->value : 0) + 1, true };
        task_change(task, &change);
        task_again(task, SOON);
        return 0;
}

static int on_there(struct task *task, const struct client_answer *answer, void *data) {
        struct deployment_sync *sync = task_data(task);
        const struct known_object *there =
                answer->body ? known_assume(known_of(task, DEPLOYMENT_SETS), answer->body) : NULL;
        const struct kube_apps_v1_replica_set *set = there ? known_typed(known_of(task, DEPLOYMENT_SETS), there) : NULL;
        const char *a, *b;

        if (!client_succeeded(answer)) { /* it has gone again */
                task_again(task, SOON);
                return 0;
        }
        a = set ? deployment_template_text(task_arena(task), &set->spec.template) : NULL;
        b = deployment_template_text(task_arena(task), &sync->d.spec.template);
        if (!a || !b)
                return -ENOMEM;
        if (strcmp(there->owner, sync->d.metadata.uid) != 0 || strcmp(a, b) != 0)
                return collide(task);
        task_again(task, SOON); /* ours: it is known now */
        return 0;
}

static int look_who_is_there(struct task *task, const char *name) {
        const struct client_request get = { .verb = KUBE_VERB_GET,
                                            .kind = known_kind(known_of(task, DEPLOYMENT_SETS)),
                                            .namespace = task_namespace(task),
                                            .name = name };

        task_send(task, &get, TASK_GONE_IS_FINE, on_there, NULL);
        return 0;
}

/* It could not be made: of the plan nothing else is done. */
static int fail(struct task *task, const char *name, const char *why) {
        struct deployment_sync *sync = task_data(task);
        const char *message = arena_printf(task_arena(task), "Failed to create new replica set \"%s\": %s", name, why);

        if (!message)
                return -ENOMEM;
        sync->error = message;
        sync->plan.d.status = sync->d.status;
        sync->plan.d.metadata = sync->d.metadata;
        sync->plan.due = 0;
        if (deployment_has_deadline(&sync->d))
                deployment_set_condition(&sync->plan, "Progressing", "False", "ReplicaSetCreateError", message);
        deployment_tell(task, "Warning", "ReplicaSetCreateError", message);
        return sync->plan.no_memory ? -ENOMEM : deployment_finish(task);
}

static int on_made(struct task *task, const struct client_answer *answer, void *data) {
        const struct deployment_set *set = data;
        const char *name = set->set.metadata.name;

        if (client_succeeded(answer)) {
                deployment_tell_scaled(task, name, 0, set->before);
                return deployment_change_sets(task);
        }
        if (strcmp(answer->reason, "AlreadyExists") == 0)
                return look_who_is_there(task, name);
        return task_is_leaving(answer) ? 0 : fail(task, name, answer->message);
}

int deployment_carry_out(struct task *task) {
        struct deployment_sync *sync = task_data(task);
        struct task_change change = { .known = known_of(task, DEPLOYMENT_SETS),
                                      .verb = KUBE_VERB_CREATE,
                                      .namespace = task_namespace(task),
                                      .fine = TASK_ALL_IS_FINE,
                                      .answered = on_made };

        for (unsigned i = 0; i < sync->plan.n_sets; i++)
                if (sync->plan.sets[i].is_new) {
                        change.object = &sync->plan.sets[i].set;
                        change.data = &sync->plan.sets[i];
                        task_change(task, &change);
                        return 0;
                }
        return deployment_change_sets(task);
}
