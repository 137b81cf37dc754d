/* Devices of the node that plugins have (device plugin API v1beta1): who they are, which are healthy, whose they are.
 *
 * A plugin registers at DIR/kubelet.sock, which is made anew at each start, since plugins watch for it; the agent calls
 * it back at the socket beside it that it names, and hears from then on which devices there are. A plugin that goes has
 * none that is healthy from that moment on. What containers were given is on the disk before they are started, and is
 * theirs until the pod has ended, whatever becomes of plugin and agent.
 *
 * Rules and words are kubelet's (pkg/kubelet/cm/devicemanager), with no topology manager. Plugins are the node's own
 * but may be wrong: what they send is bounded, and a call that one does not answer holds up its own pod alone.
 *
 * All is for the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/node/grant.h"
#include "kube/core_v1.h"
#include "lib/err.h"

struct arena;
struct devices;
struct devices_request;
struct pod;
struct pool;

#define DEVICES_PLUGINS_MAX 64          /* resources that plugins may have */
#define DEVICES_OF_PLUGIN_MAX 65536     /* devices of one; a longer list is refused */
#define DEVICES_ID_MAX 255              /* bytes of a device's name; the API asks for 63 */
#define DEVICES_NAME_MAX 255            /* of a plugin's socket */
#define DEVICES_GIVEN_MAX (1u << 20)    /* bytes that a plugin gives a container with its devices */
#define DEVICES_GIVEN_ITEMS_MAX 4096    /* variables, mounts, device nodes, annotations and CDI devices of those */
#define DEVICES_GRANTED_MAX (32u << 20) /* bytes of what all pods have: what more is would not be read back */
#define DEVICES_CALL_MS 30000           /* a plugin's time to answer: KubeletPreStartContainerRPCTimeoutInSecs */
#define DEVICES_CONNECT_MS 10000        /* likewise while it registers */
#define DEVICES_GONE_MS (5 * 60 * 1000) /* until what a plugin had that is gone counts as capacity no more */
#define DEVICES_RECORD_MAX (64u << 20)  /* bytes of the record */

struct devices_world {
        uv_loop_t *loop;
        struct pool *pool;
        const char *dir;                               /* the plugins' sockets */
        const char *found;                             /* and those of plugins that wait to be found */
        const char *record;                            /* the file of what is whose */
        void (*changed)(void *data);                   /* what the node has may be another amount */
        void (*told)(void *data, const char *pod_uid); /* a device of that pod has become healthy, or is no more */
        void *data;
};

/* Reads the record, removes old sockets, listens: may block. @world's texts are copied. A record that cannot be read is
 * set aside with a warning; where no socket can be had, that is told, and no plugin comes. */
int devices_new(const struct devices_world *world, struct devices **ret_devices, struct err **err);

/* Plugins are let go; requests under way are forgotten without a word. NULL is fine. */
void devices_free(struct devices *devices);

/* There was no record, or a broken one: what the Node says from before does not hold
 * (ShouldResetExtendedResourceCapacity()). */
bool devices_is_new(const struct devices *devices);

/* -- what there is ----------------------------------------------------------------------------------------- */

/* How many of resource @name are healthy; -1: no plugin has or had it. */
int64_t devices_healthy(const struct devices *devices, const char *name);

/* Appends each resource to the two lists, in @arena. -ENOMEM. */
int devices_capacity(const struct devices *devices, struct arena *arena, resource_list *capacity,
                     resource_list *allocatable);

/* -- what pods get ----------------------------------------------------------------------------------------- */

/* Gives @pod's containers what they ask for. 1: they have all of it already, or ask for nothing; 0: done() will be
 * called, once, not from within this call, with NULL or with why not; -ENOMEM. */
int devices_ask(struct devices *devices, struct pod *pod, void (*done)(void *data, const struct err *err), void *data,
                struct devices_request **ret_request);

/* done() is not called any more; what was given so far is the pod's until devices_release(). */
void devices_cancel(struct devices_request *request);

/* The pod has ended, or is not to run: what it had is free. Any uid. */
void devices_release(struct devices *devices, const char *pod_uid);

/* Whether the pod has some. */
bool devices_has(const struct devices *devices, const char *pod_uid);

/* Frees what pods have that @has does not know. */
void devices_keep_only(struct devices *devices, bool (*has)(void *data, const char *pod_uid), void *data);

/* What the container gets with its devices, added to @grant, in @arena. -ENOMEM; -EBADMSG: what its plugin gave cannot
 * be read. */
int devices_grant(const struct devices *devices, const char *pod_uid, const char *container, struct arena *arena,
                  struct node_grant *grant, struct err **err);

/* Before each start of a container: calls the plugins that want to be. 1: none does; 0: done() follows, once, not from
 * within this call; -ENOMEM. */
int devices_pre_start(struct devices *devices, const char *pod_uid, const char *container,
                      void (*done)(void *data, const struct err *err), void *data);

/* Calls @each for each of its resources, with the names of its devices. */
struct devices_held {
        const char *resource;
        const char *const *ids;
        const int64_t *numa_nodes; /* of each; -1: none */
        size_t n;
};
void devices_each_held(const struct devices *devices, const char *pod_uid, const char *container,
                       void (*each)(void *data, const struct devices_held *held), void *data);

/* The same of all devices that are healthy, by resource. -ENOMEM. */
int devices_each_healthy(const struct devices *devices, void (*each)(void *data, const struct devices_held *held),
                         void *data);

/* allocatedResourcesStatus of the container, in @arena (KEP-4680). -ENOMEM. */
int devices_status(const struct devices *devices, const char *pod_uid, const char *container, struct arena *arena,
                   kube_resource_status_items *ret_status);
