/* Each namespace has the ConfigMap kube-root-ca.crt, by which its pods know the service. */
#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/namespaces.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

enum { NAMESPACES, MAPS };

#define NAME "kube-root-ca.crt"
#define KEY "ca.crt"
#define DESCRIPTION_KEY "kubernetes.io/description"
/* Kubernetes' own words: clients compare them. */
#define DESCRIPTION                                                                                                    \
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as "    \
        "the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "     \
        "Kubernetes clusters."

static void on_map(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        controller_add(controller, object->namespace);
}

static bool has_description(const struct kube_object_meta *meta) {
        list_for_each (entry, &meta->annotations)
                if (strcmp(entry->key, DESCRIPTION_KEY) == 0)
                        return *entry->value;
        return false;
}

static bool is_right(const struct kube_config_map *map, const char *authority) {
        return map->data.count == 1 && strcmp(map->data.items[0].key, KEY) == 0 &&
               strcmp(map->data.items[0].value, authority) == 0 && has_description(&map->metadata);
}

static int describe(struct task *task, struct kube_object_meta *meta) {
        struct string_pair *entries =
                arena_alloc_array(task_arena(task), meta->annotations.count + 1, sizeof(*entries));

        if (!entries)
                return -ENOMEM;
        for (uint32_t i = 0; i < meta->annotations.count; i++)
                entries[i] = meta->annotations.items[i];
        entries[meta->annotations.count] = (struct string_pair){ DESCRIPTION_KEY, DESCRIPTION };
        meta->annotations.items = entries;
        meta->annotations.count++;
        return 0;
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const char *authority = controller_config(c)->authority, *namespace = task_name(task);
        const struct informer *maps = controller_informer(c, MAPS);
        const struct client_object *there = informer_find(maps, namespace, NAME);
        struct string_pair data = { KEY, authority };
        struct kube_config_map map = { 0 };
        int r = 0;

        if (!authority || !namespaces_is_active(controller_informer(c, NAMESPACES), namespace))
                return 0;
        if (there)
                r = client_object_read(task_arena(task), there, &kube_config_map_type, &map);
        if (r < 0 || (there && is_right(&map, authority)))
                return r;
        map.metadata.name = NAME;
        map.metadata.namespace = namespace;
        map.data.items = &data;
        map.data.count = 1;
        r = has_description(&map.metadata) ? 0 : describe(task, &map.metadata);
        if (r == 0)
                task_write(task, there ? KUBE_VERB_UPDATE : KUBE_VERB_CREATE, informer_kind(maps), NULL, &map,
                           TASK_THERE_IS_FINE | TASK_LEAVING_IS_FINE);
        return r;
}

const struct controller_kind controller_root_ca = {
        .name = "root-ca-certificate-publisher-controller",
        .alias = "root-ca-cert-publisher",
        .account = "root-ca-cert-publisher",
        .watches = { { "", "namespaces", NULL, controller_add_object, .passes = false },
                     { "", "configmaps", "metadata.name=" NAME, on_map, .passes = false } },
        .reconcile = reconcile,
};
