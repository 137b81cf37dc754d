/* Pods that are too many go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/replicaset.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/texts.h"

struct deletion {
        const char *name, *uid;
};

static int on_deleted(struct task *task, const struct client_answer *answer, void *data) {
        const struct deletion *deletion = data;

        if (client_succeeded(answer) || answer->code == 404) {
                known_leave(replicaset_pods(task), task_namespace(task), deletion->name, deletion->uid);
                replicaset_tell(task, "Normal", "SuccessfulDelete",
                                arena_printf(task_arena(task), "Deleted pod: %s", deletion->name));
                return 0;
        }
        replicaset_note_failure(task, answer);
        replicaset_tell(task, "Warning", "FailedDelete",
                        arena_printf(task_arena(task), "Error deleting: %s", answer->message));
        return 0;
}

static int delete (struct task *task, const struct known_object *pod) {
        struct deletion *deletion = arena_new_of(task_arena(task), struct deletion);
        const char *options = client_delete_options(task_arena(task), pod->uid, NULL, NULL);
        const struct client_request request = { .verb = KUBE_VERB_DELETE,
                                                .kind = known_kind(replicaset_pods(task)),
                                                .namespace = task_namespace(task),
                                                .name = pod->name,
                                                .body = options,
                                                .length = options ? strlen(options) : 0 };

        if (!deletion || !options)
                return -ENOMEM;
        *deletion = (struct deletion){ arena_strdup(task_arena(task), pod->name),
                                       arena_strdup(task_arena(task), pod->uid) };
        if (!deletion->name || !deletion->uid)
                return -ENOMEM;
        task_send(task, &request, TASK_ALL_IS_FINE, on_deleted, deletion);
        return 0;
}

/* The nodes of pods, one each. */
struct nodes {
        const char **names; /* NULL: they are only counted */
        size_t n;
};

static void add_nodes(const struct known *pods, const struct known_object *set, struct nodes *nodes) {
        for (struct known_walk w = known_first_owned(pods, set->uid, set->namespace); w.object; known_next(&w)) {
                if (!known_is_active(w.object) || !*w.object->pod->node)
                        continue;
                if (nodes->names)
                        nodes->names[nodes->n] = w.object->pod->node;
                nodes->n++;
        }
}

/* Those of the sets that have its owner, itself among them. */
static void gather_nodes(const struct task *task, const struct known_object *owner, struct nodes *nodes) {
        for (struct known_walk w = known_first_owned(replicaset_sets(task), owner->owner, owner->namespace); w.object;
             known_next(&w))
                add_nodes(replicaset_pods(task), w.object, nodes);
}

/* How many stand before @node; with @also, those on it among them. */
static size_t place_of(const struct nodes *nodes, const char *node, bool also) {
        size_t low = 0, high = nodes->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(nodes->names[middle], node);

                if (c < 0 || (also && c == 0))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int rank(struct task *task, const struct known_object *owner, struct replicaset_ranked *pods, size_t n) {
        struct nodes nodes = { 0 };

        if (!*owner->owner) /* where a set is nobody's its pods do not count, as in kube-controller-manager */
                return 0;
        gather_nodes(task, owner, &nodes);
        nodes.names = arena_alloc_array(task_arena(task), nodes.n + 1, sizeof(*nodes.names));
        if (!nodes.names)
                return -ENOMEM;
        nodes.n = 0;
        gather_nodes(task, owner, &nodes);
        qsort(nodes.names, nodes.n, sizeof(*nodes.names), texts_order);
        for (size_t i = 0; i < n; i++)
                pods[i].rank = (unsigned)(place_of(&nodes, pods[i].pod->pod->node, true) -
                                          place_of(&nodes, pods[i].pod->pod->node, false));
        return 0;
}

int replicaset_delete(struct task *task, const struct known_object *owner, size_t n_active, size_t n) {
        struct replicaset_ranked *pods = arena_alloc_array(task_arena(task), n_active, sizeof(*pods));
        struct replicaset_sync *sync = task_data(task);
        size_t at = 0;
        int r;

        sync->deletes = true;
        if (!pods)
                return -ENOMEM;
        for (struct known_walk w = known_first_owned(replicaset_pods(task), owner->uid, owner->namespace); w.object;
             known_next(&w))
                if (known_is_active(w.object) && known_selects(&owner->selector, w.object))
                        pods[at++].pod = w.object;
        if (n < at) {
                r = rank(task, owner, pods, at);
                if (r < 0)
                        return r;
                replicaset_sort(pods, at, controller_wall(task_controller(task)));
        }
        for (size_t i = 0; i < n && task_has_room(task); i++)
                if ((r = delete (task, pods[i].pod)) < 0)
                        return r;
        task_then(task, replicaset_finish);
        return 0;
}
