/* What the API service has for the pods that are its own: ConfigMaps, Secrets, tokens, Services. */
#include <errno.h>

#include "agent/cluster/cluster.h"
#include "agent/objects/objects.h"
#include "agent/pods/internal.h"
#include "lib/log.h"

static void on_changed(void *data, const char *uid) {
        struct pods_slot *slot = pods_slot_by_uid(data, uid);

        if (slot && !slot->gone)
                worker_sources_changed(slot->worker);
}

int pods_begin_sources(struct pods *pods, struct err **err) {
        const struct objects_events heard = { .changed = on_changed, .data = pods };

        pods->objects = objects_new(pods->loop, cluster_client(pods->cluster), &heard);
        return pods->objects ? 0 : err_set(err, ENOMEM, "out of memory");
}

void pods_ask_sources(void *data) {
        const struct pods *pods = data;

        if (objects_ask(pods->objects) < 0)
                log_error("ConfigMaps, Secrets and Services of pods: out of memory");
}

void pods_age_sources(void *data) {
        const struct pods *pods = data;

        if (pods->objects)
                objects_clock_set(pods->objects);
}

int pods_hold_sources(struct pods *pods, struct pod *pod) {
        const struct found_pod *found = found_pods_get(&pods->found, pod->metadata.uid);

        return pods->objects && pods_is_remote(pod) ? objects_hold(pods->objects, pod, found ? found->kept : NULL) : 0;
}

void pods_drop_sources(struct pods *pods, const char *uid) {
        if (pods->objects)
                objects_release(pods->objects, uid);
}

int pods_get_sources(void *data, const struct pod *pod, struct pod_sources **ret_sources) {
        const struct pods *pods = data;

        *ret_sources = NULL;
        return pods->objects ? objects_sources(pods->objects, pod->metadata.uid, ret_sources) : 0;
}

bool pods_know_sources(void *data, const struct pod *pod) {
        const struct pods *pods = data;

        return !pods->objects || objects_known(pods->objects, pod->metadata.uid);
}

int pods_get_services(void *data, const struct pod *pod, struct arena *arena, string_map *ret_variables,
                      struct err **err) {
        const struct pods *pods = data;
        int r;

        if (!pods->objects)
                return 0;
        if (pods_is_remote(pod))
                return objects_services(pods->objects, pod, arena, ret_variables, err);
        /* One of a file has those that are known: it waits for nobody (kubelet_pods.go, makeEnvironmentVariables()). */
        r = objects_services(pods->objects, pod, arena, ret_variables, NULL);
        return r == -EAGAIN ? 0 : r;
}
