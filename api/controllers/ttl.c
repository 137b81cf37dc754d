/* For how long a kubelet may keep what it has read of ConfigMaps and Secrets: the more nodes, the longer. A size is
 * left only well below where it began, so that one node more or less changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define ANNOTATION "node.alpha.kubernetes.io/ttl"

static const struct step {
        unsigned least, most; /* nodes */
        const char *seconds;
} steps[] = {
        { 0, 100, "0" }, { 90, 500, "15" }, { 450, 1000, "30" }, { 900, 2000, "60" }, { 1800, UINT32_MAX, "300" }
};

struct ttl {
        unsigned nodes, step;
};

static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        struct ttl *ttl = controller_data(controller);
        bool there = informer_find(controller_informer(controller, 0), "", object->name);

        if (!there)
                ttl->nodes -= ttl->nodes > 0;
        else if (!old)
                ttl->nodes++;
        while (ttl->nodes > steps[ttl->step].most)
                ttl->step++;
        while (ttl->nodes < steps[ttl->step].least)
                ttl->step--;
        if (there)
                controller_add(controller, object->name);
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct ttl *ttl = controller_data(c);
        const struct client_object *object = informer_find(controller_informer(c, 0), "", task_name(task));
        const char *wanted = steps[ttl->step].seconds, *body;
        struct client_request patch = { .verb = KUBE_VERB_PATCH,
                                        .kind = informer_kind(controller_informer(c, 0)),
                                        .name = task_name(task),
                                        .patch = CLIENT_PATCH_MERGE };
        struct kube_node node = { 0 };
        int r = object ? client_object_read(task_arena(task), object, &kube_node_type, &node) : 0;

        if (r < 0 || !object || kube_is(string_map_get(&node.metadata.annotations, ANNOTATION), wanted))
                return r;
        body = arena_printf(task_arena(task), "{\"metadata\":{\"annotations\":{\"" ANNOTATION "\":\"%s\"}}}", wanted);
        if (!body)
                return -ENOMEM;
        patch.body = body;
        patch.length = strlen(body);
        task_send(task, &patch, TASK_GONE_IS_FINE, NULL, NULL);
        return 0;
}

static int start(struct controller *controller) {
        struct ttl *ttl = calloc(1, sizeof(*ttl));

        controller_set_data(controller, ttl);
        return ttl ? 0 : -ENOMEM;
}

static void stop(struct controller *controller) {
        free(controller_data(controller));
}

const struct controller_kind controller_ttl = {
        .name = "ttl-controller",
        .alias = "ttl",
        .account = "ttl-controller",
        .watches = { { "", "nodes", NULL, on_node, false, false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
