/* What a set says of itself. */
#include <errno.h>
#include <string.h>

#include "api/controllers/replicaset.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value_edit.h"

#define FAILURE "ReplicaFailure"

typedef struct kube_apps_v1_replica_set_status own_status;
typedef struct kube_apps_v1_replica_set_condition condition;

/* --- counting --- */

static bool has_labels(const struct known_object *pod, const string_map *labels) {
        list_for_each (l, labels)
                if (!kube_is(string_map_get(&pod->labels, l->key), l->value))
                        return false;
        return true;
}

static void count_one(const struct known_object *pod, const replica_set *set, int64_t now, own_status *status,
                      int64_t *due) {
        int64_t at = known_available_at(pod, set->spec.min_ready_seconds);

        status->replicas++;
        status->fully_labeled_replicas += has_labels(pod, &set->spec.template.metadata.labels);
        if (at == INT64_MAX)
                return;
        status->ready_replicas++;
        if (at <= now)
                status->available_replicas++;
        else if (at < *due)
                *due = at;
}

/* Counts the pods of @owner, and says when the next one will have been ready for long enough; INT64_MAX: none. */
static void count_pods(const struct known *pods, const struct known_object *owner, const replica_set *set, int64_t now,
                       own_status *status, int64_t *ret_due) {
        int64_t due = INT64_MAX;
        int64_t terminating = 0;

        status->replicas = status->fully_labeled_replicas = status->ready_replicas = status->available_replicas = 0;
        for (struct known_walk w = known_first_owned(pods, owner->uid, owner->namespace); w.object; known_next(&w)) {
                if (!known_selects(&owner->selector, w.object))
                        continue;
                if (known_is_active(w.object))
                        count_one(w.object, set, now, status, &due);
                terminating += known_is_terminating(w.object);
        }
        status->terminating_replicas = (struct opt_int){ terminating, true };
        *ret_due = due;
}

/* --- conditions --- */

int replicaset_set_failure(struct arena *arena, own_status *status, const char *reason, const char *message,
                           int64_t now) {
        uint32_t n = status->conditions.count, kept = 0;
        condition *all = arena_alloc_array(arena, n + 1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                bool failure = kube_is(status->conditions.items[i].type, FAILURE);

                if (failure && reason)
                        return 0;
                if (!failure)
                        all[kept++] = status->conditions.items[i];
        }
        if (reason)
                all[kept++] = (condition){ .type = FAILURE,
                                           .status = "True",
                                           .last_transition_time = { .seconds = now, .set = true },
                                           .reason = reason,
                                           .message = message };
        status->conditions.items = all;
        status->conditions.count = kept;
        return 0;
}

/* --- writing --- */

static int status_text(struct arena *arena, const own_status *s, const char **ret_text) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        int r;

        kube_json_write(&w, &kube_apps_v1_replica_set_status_type, s);
        r = json_writer_finish(&w, &json, NULL);
        if (r < 0)
                return r;
        *ret_text = arena_strdup(arena, json);
        return *ret_text ? 0 : -ENOMEM;
}

/* All else of the object stays as it is known. */
static int write_status(struct task *task, const struct known_object *owner, const char *text) {
        const struct client_object object = { .namespace = owner->namespace, .name = owner->name, .json = owner->json };
        struct task_change change = { .known = controller_known(task_controller(task), REPLICASET_SETS),
                                      .verb = KUBE_VERB_UPDATE,
                                      .namespace = task_namespace(task),
                                      .name = task_name(task),
                                      .sub = "status",
                                      .fine = TASK_GONE_IS_FINE };
        _cleanup_free_ char *json = NULL;
        const struct value *tree, *as_tree;
        struct value_edit edit;
        int r = json_parse(task_arena(task), text, strlen(text), NULL, &as_tree, NULL);

        if (r < 0 || (r = client_object_tree(task_arena(task), &object, &tree)) < 0)
                return r;
        value_edit_begin(&edit, task_arena(task), tree);
        r = value_edit_set(&edit, "/status", as_tree, NULL);
        tree = r == 0 ? value_edit_end(&edit) : NULL;
        if (!tree || json_format(tree, false, &json, NULL) < 0)
                return -ENOMEM;
        change.text = json;
        task_change(task, &change);
        return 0;
}

int replicaset_finish(struct task *task) {
        struct controller *c = task_controller(task);
        const struct replicaset_sync *sync = task_data(task);
        const struct known_object *owner = replicaset_of(task);
        bool is_set = *known_kind(controller_known(c, REPLICASET_SETS))->group;
        int64_t now = controller_wall(c), due;
        own_status s = sync->set.status;
        const char *failure = !sync->error ? NULL : sync->deletes ? "FailedDelete" : "FailedCreate";
        const char *before, *after;
        int r;

        if (!owner)
                return 0;
        if ((r = status_text(task_arena(task), &s, &before)) < 0)
                return r;
        count_pods(controller_known(c, REPLICASET_PODS), owner, &sync->set, now, &s, &due);
        if (!is_set)
                s.terminating_replicas.set = false;
        s.observed_generation = sync->set.metadata.generation;
        if ((r = replicaset_set_failure(task_arena(task), &s, failure, sync->error, now)) < 0 ||
            (r = status_text(task_arena(task), &s, &after)) < 0 ||
            (strcmp(before, after) != 0 && (r = write_status(task, owner, after)) < 0))
                return r;
        if (due != INT64_MAX)
                task_again(task, (uint64_t)(due - now) * WORK_SECOND);
        if (sync->error)
                task_fail(task, sync->code, sync->error);
        return 0;
}
