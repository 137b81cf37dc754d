/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/directory/desired.h"
#include "agent/directory/manifest_files.h"
#include "agent/node/facts.h"
#include "agent/pod/worker.h"
#include "agent/pods/found.h"
#include "agent/pods/pods.h"
#include "cri/node.h"
#include "lib/list.h"
#include "lib/table.h"

struct admission_node;
struct cluster;
struct cpus;
struct devices;
struct pods_grant;
struct pods_resources;
struct rejection;
struct cri_event;
struct eviction;
struct objects;
struct shutdown;
struct source;

/* How long a second file for a pod may be there without a word, and a file away before its pod is another's. */
#define PODS_SETTLE_MS 300

/* A pod that has a worker. */
struct pods_slot {
        struct pods *pods;
        struct list_node in_slots;
        struct table_node by_uid;
        struct worker *worker;
        uv_timer_t timer;
        bool gone;
        bool removed; /* the API service has it no more, though it still ends here */
        bool late;    /* it was refused since the host goes down */
        char uid[];
};

LIST_DEFINE(pods_slots, struct pods_slot, in_slots)

LIST_TYPE(pods_grants);

/* What cri has answered last; the lists lie in their arenas. */
struct pods_runtime {
        struct arena *images_arena, *handlers_arena; /* NULL: nothing was answered yet */
        kube_container_image_items images;
        kube_node_runtime_handler_items handlers;
        struct kube_node_features features;
        int64_t asked_at; /* 0: never */
        bool asks;        /* ListImages is under way */
        bool asks_status; /* Status */
};

struct pods {
        uv_loop_t *loop;
        struct pool *pool;
        struct cri *cri;
        const struct options *options;
        struct cgroups *cgroups;
        struct worker_node node;
        struct node_facts facts;
        int64_t clock_base; /* wall minus monotonic time at the start, ms */
        struct cri_subscription *subscription;
        struct eviction *eviction;
        struct shutdown *shutdown; /* NULL: the host goes down without waiting for pods */
        struct source *source;
        struct kubelet *kubelet; /* NULL: it is not there yet, or not any more */
        struct cluster *cluster; /* NULL: the node belongs to none */
        struct objects *objects; /* likewise */
        struct cpus *cpus;
        struct devices *devices;          /* of plugins */
        struct pods_resources *resources; /* NULL: they are not told */
        struct pods_grants grants;        /* pods that are being given some */
        size_t n_grants;
        struct desired_pods desired;
        struct broken_files broken;
        struct cri_node told; /* to the command */
        uv_timer_t *settle;   /* until duplicates are told */
        uv_timer_t *retry;    /* until what there was no memory for is tried again */
        uv_timer_t *look;     /* what waits for pods that hold less is looked at */
        struct pods_slots slots;
        struct table slots_by_uid;
        struct found_pods found;
        struct pods_runtime runtime;
        bool synced, leaving;
        bool waits; /* a pod, or its resize, for others to hold less */
};

/* slots.c: the pods that have a worker */
struct pods_slot *pods_slot_new(struct pods *pods, struct pod *pod); /* NULL without memory, which it tells */
void pods_slot_drop(struct pods_slot *slot);
struct pods_slot *pods_slot_by_uid(struct pods *pods, const char *uid);
struct pods_slot *pods_slot_by_name(struct pods *pods, const struct pod *pod);
struct pods_slot *pods_slot_by_sandbox(struct pods *pods, const char *id); /* which it has now */
size_t pods_count(const struct pods *pods);
size_t pods_count_active(const struct pods *pods); /* those that hold something of the node, or are about to */
void pods_count_burstable(struct pods *pods);
void pods_each_worker(void *data, bool (*each)(void *each_data, struct worker *worker), void *each_data);

/* What is said of the pod with @uid; -ENOENT without one. */
int pods_status_of(void *pods, const char *uid, struct arena *arena, struct kube_pod_status *ret_status);

/* metrics.c: texts for Prometheus, allocated; NULL without memory */
char *pods_metrics(void *pods);
char *pods_probe_metrics(void *pods);

/* world.c: what workers reach */
void pods_set_world(struct pods *pods, struct events *events);
int64_t pods_now(void *data);
void pods_heard(void *data, const struct cri_event *event);

/* want.c: brings the workers to what is wanted; may be called again at any time. */
void pods_reconcile(struct pods *pods);
void pods_settle_later(struct pods *pods); /* files that change are looked at again in PODS_SETTLE_MS */
void pods_retry_later(struct pods *pods);
void pods_give_up(struct pods_slot *slot); /* there was no memory to begin with it: as if it had not been tried */

/* admit.c: the node as admission sees it for @pod: all others that hold something of it, or that others end for. */
struct pods_others {
        const struct worker *except; /* NULL: none; set by who asks */
        bool without_ending;         /* those that have ended, or end for a critical pod, hold nothing; likewise */
        const struct pod **pods, **before;
        struct worker **workers; /* NULL: it has none yet */
};
int pods_others_init(const struct pods *pods, struct pods_others *ret_others); /* -ENOMEM */
void pods_others_clear(struct pods_others *others);
struct admission_node pods_admission(const struct pods *pods, const struct pod *pod, struct pods_others *others);

/* Starts the pod if the node takes it, at once or when those that go for it hold nothing any more; or it has failed. */
void pods_start_one(struct pods *pods, struct desired *d);
bool pods_displace(struct pods *pods, struct desired *d, struct pods_others *others); /* others end, perhaps for it */

/* grants.c: what pods get of the node beside its amounts */
int pods_begin_grants(struct pods *pods, struct err **err);
void pods_end_grants(struct pods *pods);
void pods_set_grant_ops(struct node_world_ops *ops);
/* 1: @pod has all that it is to have, and may start; 0: later: pods_reconcile() comes back to it; negative: it is
 * refused. */
int pods_grant(struct pods *pods, struct pod *pod, struct rejection *ret_rejection);
void pods_take_cpus(struct pods *pods, const struct pod *pod); /* it ran before, perhaps without its own */
void pods_update_cpus(struct pods *pods);                      /* all containers run where they may */
void pods_release(struct pods *pods, const char *uid);         /* it holds nothing any more; any uid */
void pods_drop_grants(struct pods *pods);                      /* of those that nobody wants any more */
/* Those that wait for theirs, n_grants at most. */
size_t pods_list_grants(const struct pods *pods, const struct pod *except, const struct pod **ret_pods);
int64_t pods_extended(void *data, const char *name); /* admission_node.extended */
int pods_tell_devices(const struct pods *pods, struct arena *arena, struct kube_node_status *status); /* -ENOMEM */

/* resources.c: what containers have, told to monitoring */
int pods_serve_resources(struct pods *pods, struct err **err);
void pods_end_resources(struct pods *pods);

/* resize.c: asks for all pods that wait for other resources than they have. */
void pods_resize(struct pods *pods);
void pods_look(struct pods *pods); /* at what waits for others to hold less, as soon as it may be different */

/* runtime.c: what cri says of itself and its images, for the node's status */
void pods_ask_runtime(struct pods *pods); /* when it has not been asked for a while */
void pods_tell_runtime(const struct pods *pods, struct kube_node_status *status);

/* shutdown.c: the host's */
int pods_await_shutdown(struct pods *pods, struct err **err);

/* leftovers.c: what was found from before and nobody wants */
void pods_end_orphans(struct pods *pods);

/* want.c: goes on with what was found of a pod. */
void pods_take_up(struct pods *pods, struct found_pod *found, struct pod *pod, bool wanted);

/* watch.c: the directory */
int pods_watch(struct pods *pods, struct err **err);

/* join.c: the API service */
int pods_join(struct pods *pods, struct err **err);
void pods_tell_static(struct pods *pods,
                      struct pod *pod); /* it has a worker: the service is told, unless it is its own */
bool pods_await_network(struct pods *pods, struct desired *d); /* no pod can be attached yet; it is told once */
void pods_keep_joined(struct pods *pods); /* its pods from before are wanted, until it says otherwise */

bool pods_is_remote(const struct pod *pod); /* it is the service's */

/* sources.c: what the API service has for its pods */
int pods_begin_sources(struct pods *pods, struct err **err);
void pods_ask_sources(void *data);                         /* the service may be asked */
void pods_age_sources(void *data);                         /* the wall clock was set */
int pods_hold_sources(struct pods *pods, struct pod *pod); /* from now on; -ENOMEM */
void pods_drop_sources(struct pods *pods, const char *uid);
int pods_get_sources(void *data, const struct pod *pod, struct pod_sources **ret_sources); /* and these, for workers */
bool pods_know_sources(void *data, const struct pod *pod);
int pods_get_services(void *data, const struct pod *pod, struct arena *arena, string_map *ret_variables,
                      struct err **err);

/* tell.c: what others may know */
void pods_tell(void *data, void (*part)(void *data, enum cri_node_part kind, const char *json), void *part_data);
