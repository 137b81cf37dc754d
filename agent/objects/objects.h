/* What the API's objects hold for the pods of the node: the ConfigMaps and Secrets that they name, their service
 * account tokens, and Services as variables.
 *
 * As kubelet's managers: one watch for each object that a pod names, by its name, as the Node authorizer allows it;
 * begun for the first pod, ended with the last, or when the object says that it never changes
 * (pkg/kubelet/util/manager/watch_based_manager.go). Tokens are asked for each pod, and anew after 80 % of their life
 * (pkg/kubelet/token/token_manager.go). With the service away the last that was known stays. All is on the loop;
 * changes are told from a turn of their own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kube/pod/sources.h"
#include "kube/types.h"

struct arena;
struct client;
struct err;
struct objects;
struct pod;

#define OBJECTS_WATCHED_MAX 3072             /* at a time, of all pods; the client has room for a few more exchanges */
#define OBJECTS_PER_POD_MAX 1024             /* that a pod names; more are never known */
#define OBJECTS_TOKENS_PER_POD_MAX 64        /* different ones */
#define OBJECTS_SERVICES_MAX (64 * 1024)     /* that have an address; more give no variables */
#define OBJECTS_TOKEN_MAX ((size_t)64 << 10) /* bytes of a token */
#define OBJECTS_AGED_MS 5000                 /* in which all tokens are asked for anew */
#define OBJECTS_AWAY_MS 500                  /* after the start: the service is away if it has not answered */

/* @uid: of a pod that is held, whose sources are others now, or all of what there is to know. */
struct objects_events {
        void (*changed)(void *data, const char *uid);
        void *data;
};

/* @client outlives it. NULL without memory. */
struct objects *objects_new(uv_loop_t *loop, struct client *client, const struct objects_events *events);
void objects_free(struct objects *objects); /* NULL is fine; nothing more is told */

/* Begins to wait for the service's answers: OBJECTS_AWAY_MS, from now. */
void objects_start(struct objects *objects);

/* The service may be asked from now on: it is. 0 or -ENOMEM. */
int objects_ask(struct objects *objects);

/* The wall clock was set: what the service has signed by another one (it may be on this host) may be over, so all
 * tokens are asked for anew within OBJECTS_AGED_MS. */
void objects_clock_set(struct objects *objects);

/* From now on what @pod names is kept up with, until objects_release(). Again: what it names now, too. @kept: what was
 * known of it before the agent's start; it stands in for what the service does not say within OBJECTS_AWAY_MS, and the
 * pod goes on without its tokens then. NULL: nothing was. 0 or -ENOMEM. */
int objects_hold(struct objects *objects, struct pod *pod, struct pod_sources *kept);
void objects_release(struct objects *objects, const char *uid); /* one that is not held, too */

/* What is known for the pod of this uid, with a reference; NULL: it is not held. -ENOMEM or 0. */
int objects_sources(const struct objects *objects, const char *uid, struct pod_sources **ret_sources);

/* Whether the service has said of all that the pod names what it has, and which Services there are; so it is for a pod
 * that is not held. */
bool objects_known(const struct objects *objects, const char *uid);

/* The variables of the Services that @pod sees: `kubernetes` of default, and unless enableServiceLinks is false those
 * of its own namespace (pkg/kubelet/envvars). In @arena. -EAGAIN: they have not been read yet, with *err; -ENOMEM. */
int objects_services(const struct objects *objects, const struct pod *pod, struct arena *arena,
                     string_map *ret_variables, struct err **err);
