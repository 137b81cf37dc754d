/* What was found from before the agent's start and nobody wants: ended as the pod said it should be. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/config/options.h"
#include "agent/pods/internal.h"
#include "agent/volumes/tree.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* A sandbox that no worker has: RemovePodSandbox ends what runs in it. */
struct leftover {
        struct arena *arena;
        char *id;
};

static void on_leftover_removed(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct leftover *l = data;

        if (err)
                log_warning("sandbox %s, left from before, was not removed: %s", l->id, err_text(err));
        arena_free(l->arena);
}

/* False without memory: again later. */
static bool remove_leftover(struct pods *pods, const char *id) {
        struct arena *arena = arena_new();
        struct leftover *l = arena ? arena_new_of(arena, struct leftover) : NULL;
        Cri__RemovePodSandboxRequest *request = arena ? arena_new_of(arena, Cri__RemovePodSandboxRequest) : NULL;

        if (!l || !request || !(l->id = arena_strdup(arena, id))) {
                log_error("sandbox %s, left from before, is not removed yet: out of memory", id);
                arena_free(arena);
                pods_retry_later(pods);
                return false;
        }
        log_info("sandbox %s, left from before, is removed", id);
        l->arena = arena;
        cri__remove_pod_sandbox_request__init(request);
        request->pod_sandbox_id = l->id;
        cri_call(pods->cri, CRI_REMOVE_POD_SANDBOX, &request->base, on_leftover_removed, l);
        return true;
}

static void remove_older(struct pods *pods, struct found_pod *found) {
        while (found->n_older > 0 && remove_leftover(pods, found->older_sandboxes[found->n_older - 1]))
                free(found->older_sandboxes[--found->n_older]);
}

/* What nothing is known of but its directory. */
static bool remove_directory(struct pods *pods, const struct found_pod *found) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/pods/%s", pods->options->root_dir, found->uid) < 0) {
                path = NULL;
                pods_retry_later(pods);
                return false;
        }
        pod_tree_remove(path, NULL);
        return true;
}

void pods_end_orphans(struct pods *pods) {
        for (size_t i = 0; i < pods->found.n; i++) {
                struct found_pod *found = &pods->found.items[i];

                remove_older(pods, found);
                if (found->taken)
                        continue;
                if (found->pod)
                        pods_take_up(pods, found, found->pod, false);
                else if (found->found.sandbox_id)
                        found->taken = remove_leftover(pods, found->found.sandbox_id);
                else
                        found->taken = remove_directory(pods, found);
        }
}
