/* What a controller is made of, and what its functions may call: for the files that are one. */
#pragma once

#include "api/controllers/controllers.h"
#include "client/informer.h"
#include "lib/work.h"

struct controller;
struct task;

#define CONTROLLER_WATCHES_MAX 6
#define CONTROLLER_KEY_MAX WORK_KEY_MAX

/* A kind that a controller looks at. @keys, which may be NULL (its objects are only looked up), adds what is due for a
 * change of @object; @old NULL: not known. "NAMESPACE/NAME", or "NAME" in the cluster, is controller_add_object()'s. */
struct controller_watch {
        const char *group, *resource;
        void (*keys)(struct controller *controller, const struct client_object *object,
                     const struct client_object *old);
};

struct controller_kind {
        const char *name, *alias; /* as kube-controller-manager has them: "namespace-controller", "namespace" */
        const char *account;      /* whose rights it has: a role system:controller:ACCOUNT */
        struct controller_watch watches[CONTROLLER_WATCHES_MAX];
        /* Makes @task's key as it has to be. 0; a negative errno: again, after a back-off. */
        int (*reconcile)(struct task *task);
        /* State of its own: controller_data(). Any may be NULL. */
        int (*start)(struct controller *controller);
        void (*stop)(struct controller *controller);
        unsigned at_once; /* keys that are worked on at a time; 0: CONTROLLER_AT_ONCE */
};

#define CONTROLLER_AT_ONCE 16

/* --- a controller --- */

const struct controllers_config *controller_config(const struct controller *controller);
struct informer *controller_informer(const struct controller *controller, unsigned watch);
void controller_set_data(struct controller *controller, void *data);
void *controller_data(const struct controller *controller);
uint64_t controller_now(const struct controller *controller); /* ns, monotonic */
int64_t controller_wall(const struct controller *controller); /* s since 1970 */

void controller_add(struct controller *controller, const char *key);
void controller_add_after(struct controller *controller, const char *key, uint64_t ns);
void controller_add_object(struct controller *controller, const struct client_object *object,
                           const struct client_object *old); /* fits controller_watch.keys */

/* --- a key that is worked on --- */

struct controller *task_controller(const struct task *task);
const char *task_key(const struct task *task);
struct arena *task_arena(struct task *task);         /* its memory, until it is done */
const char *task_namespace(const struct task *task); /* of the key; "": of the cluster */
const char *task_name(const struct task *task);

/* Failures that are as good as success. */
enum { TASK_GONE_IS_FINE = 1 << 0, TASK_THERE_IS_FINE = 1 << 1, TASK_REFUSED_IS_FINE = 1 << 2 };

/* Told on the loop, @task still being worked on; 0, or a negative errno: again, after a back-off. */
typedef int (*task_answered)(struct task *task, const struct client_answer *answer);

/* Sends a change; the key is done when all that it sent was answered. @answered may be NULL. What cannot be sent makes
 * the key due again. */
void task_send(struct task *task, const struct client_request *request, unsigned fine, task_answered answered);

/* Makes the key due again, @ns from now. */
void task_again(struct task *task, uint64_t ns);
