/* The pods that have a worker. */
#include <stdlib.h>
#include <string.h>

#include "agent/pods/internal.h"
#include "cri/cri.h"
#include "kube/pod/resources.h"
#include "lib/log.h"

static void on_slot_closed(uv_handle_t *handle) {
        free(handle->data);
}

void pods_slot_drop(struct pods_slot *slot) {
        pods_drop_sources(slot->pods, slot->uid);
        pods_slots_remove(slot);
        table_remove(&slot->pods->slots_by_uid, &slot->by_uid);
        worker_free(slot->worker);
        uv_close((uv_handle_t *)&slot->timer, on_slot_closed);
}

struct pods_slot *pods_slot_by_uid(struct pods *pods, const char *uid) {
        return table_object(table_find(&pods->slots_by_uid, uid), struct pods_slot, by_uid);
}

static bool has_sandbox(const struct pods_slot *slot, const char *id) {
        const char *sandbox = worker_sandbox(slot->worker);

        return !slot->gone && sandbox && strcmp(sandbox, id) == 0;
}

struct pods_slot *pods_slot_by_sandbox(struct pods *pods, const char *id) {
        struct cri_sandbox_info info;
        struct pods_slot *made_for = NULL;

        if (cri_sandbox_get(pods->cri, id, &info) == 0)
                made_for = pods_slot_by_uid(pods, info.uid);
        if (made_for && has_sandbox(made_for, id))
                return made_for;
        /* It has just been removed. */
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (has_sandbox(slot, id))
                        return slot;
        return NULL;
}

struct pods_slot *pods_slot_by_name(struct pods *pods, const struct pod *pod) {
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (desired_same_name(worker_pod(slot->worker), pod))
                        return slot;
        return NULL;
}

size_t pods_count(const struct pods *pods) {
        return pods->slots_by_uid.n;
}

size_t pods_count_active(const struct pods *pods) {
        size_t n = 0;

        LIST_EACH (pods_slots, slot, &pods->slots)
                n += worker_holds(slot->worker);
        return n;
}

/* CPU that burstable pods ask for while they hold it: their cgroup's shares. */
void pods_count_burstable(struct pods *pods) {
        pods->node.burstable_milli = 0;
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (worker_holds(slot->worker) && pod_qos(worker_pod(slot->worker)) == QOS_BURSTABLE)
                        pods->node.burstable_milli += quantity_milli(pod_request(worker_pod(slot->worker), "cpu"));
}

/* The slot in the table, without a worker; NULL without memory. */
static struct pods_slot *add_slot(struct pods *pods, const char *uid) {
        struct pods_slot *slot = calloc(1, sizeof(*slot) + strlen(uid) + 1);

        if (!slot)
                return NULL;
        strcpy(slot->uid, uid);
        if (table_add(&pods->slots_by_uid, &slot->by_uid, slot->uid) == 0)
                return slot;
        free(slot);
        return NULL;
}

struct pods_slot *pods_slot_new(struct pods *pods, struct pod *pod) {
        struct pods_slot *slot = add_slot(pods, pod->metadata.uid);

        if (!slot || pods_hold_sources(pods, pod) < 0 || !(slot->worker = worker_new(&pods->node, pod))) {
                log_error("pod %s/%s: out of memory", pod->metadata.namespace, pod->metadata.name);
                pods_drop_sources(pods, pod->metadata.uid);
                if (slot)
                        table_remove(&pods->slots_by_uid, &slot->by_uid);
                free(slot);
                return NULL;
        }
        slot->pods = pods;
        slot->timer.data = slot;
        uv_timer_init(pods->loop, &slot->timer);
        worker_set_owner(slot->worker, slot);
        pods_slots_prepend(&pods->slots, slot);
        pods_tell_static(pods, pod);
        if (pod_qos(pod) == QOS_BURSTABLE)
                pods->node.burstable_milli += quantity_milli(pod_request(pod, "cpu"));
        return slot;
}

void pods_each_worker(void *data, bool (*each)(void *each_data, struct worker *worker), void *each_data) {
        LIST_EACH (pods_slots, slot, &((struct pods *)data)->slots)
                if (!slot->gone && !each(each_data, slot->worker))
                        return;
}
