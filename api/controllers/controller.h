/* What a controller is made of, and what its functions may call: for the files that are one. */
#pragma once

#include "api/controllers/controllers.h"
#include "client/informer.h"
#include "client/recorder.h"
#include "lib/work.h"

struct controller;
struct known;
struct task;
struct value;

#define CONTROLLER_WATCHES_MAX 6
#define CONTROLLER_KEY_MAX WORK_KEY_MAX

/* A kind that a controller looks at. @keys, which may be NULL (its objects are only looked up), adds what is due for a
 * change of @object; @old NULL: not known. "NAMESPACE/NAME", or "NAME" in the cluster, is controller_add_object()'s. */
struct controller_watch {
        const char *group, *resource;
        const char *fields; /* only those that it selects; NULL: all */
        void (*keys)(struct controller *controller, const struct client_object *object,
                     const struct client_object *old);
        bool passes; /* nothing is kept of them: controller_informer() has none to look up */
        bool known;  /* controller_known() has what is known of them, before keys() is called */
};

struct controller_kind {
        const char *name, *alias; /* as kube-controller-manager has them: "namespace-controller", "namespace" */
        const char *component;    /* as whom it tells events; NULL: @name */
        const char *account;      /* whose rights it has, system:controller:ACCOUNT; NULL: the client's own */
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
struct known *controller_known(const struct controller *controller, unsigned watch); /* api/controllers/known.h */
bool controller_is_synced(const struct controller *controller); /* all that was there at first has been told */
void controller_set_data(struct controller *controller, void *data);
void *controller_data(const struct controller *controller);
uint64_t controller_now(const struct controller *controller); /* ns, monotonic */
int64_t controller_wall(const struct controller *controller); /* s since 1970 */

void controller_add(struct controller *controller, const char *key);
void controller_add_after(struct controller *controller, const char *key, uint64_t ns);
void controller_add_named(struct controller *controller, const char *namespace, const char *name, uint64_t ns);
void controller_add_object(struct controller *controller, const struct client_object *object,
                           const struct client_object *old); /* fits controller_watch.keys */

/* All kinds whose objects come and go, each once, in the version that stands first in the registry. */
#define CONTROLLER_KINDS_MAX 256
const struct kube_kind *const *controller_all_kinds(const struct controller *controller, unsigned *ret_n);

/* Has @handler told of @kind's objects, which are not kept for it. For start(). 0 or -ENOMEM. */
int controller_follow(struct controller *controller, const struct kube_kind *kind, struct informer_handler *handler);

/* The kind of @group and @resource, and what "apps/v1" and "Deployment" name, as controller_all_kinds() has it; NULL:
 * none. */
const struct kube_kind *controller_kind_of(const struct controller *controller, const char *group,
                                           const char *resource);
const struct kube_kind *controller_kind_named(const struct controller *controller, const char *api_version,
                                              const char *kind);

/* Tells an event about @object, as the controller's. */
void controller_tell(struct controller *controller, const struct recorder_object *object,
                     const struct recorder_note *note);

/* --- a key that is worked on --- */

struct controller *task_controller(const struct task *task);
const char *task_key(const struct task *task);
struct arena *task_arena(struct task *task);         /* its memory, until it is done */
const char *task_namespace(const struct task *task); /* of the key; "": of the cluster */
const char *task_name(const struct task *task);

/* Failures that are as good as success. */
enum {
        TASK_GONE_IS_FINE = 1 << 0,
        TASK_THERE_IS_FINE = 1 << 1,
        TASK_LEAVING_IS_FINE = 1 << 2, /* the namespace is not there, or is being deleted */
        TASK_ALL_IS_FINE = 1 << 3,     /* answered() decides */
};

/* Told on the loop, @task still being worked on; 0, or a negative errno: again, after a back-off. */
typedef int (*task_answered)(struct task *task, const struct client_answer *answer, void *data);

/* Sends a request; the key is done when all that it sent was answered. @answered may be NULL. What cannot be sent, and
 * what fails otherwise than is fine, makes the key due again. */
void task_send(struct task *task, const struct client_request *request, unsigned fine, task_answered answered,
               void *data);

/* @object is a struct of @of's type, with its own name and namespace: KUBE_VERB_CREATE, or _UPDATE, also of @sub. */
void task_write(struct task *task, uint16_t verb, const struct kube_kind *of, const char *sub, const void *object,
                unsigned fine);

/* The same with a tree. */
void task_write_tree(struct task *task, uint16_t verb, const struct kube_kind *of, const char *sub,
                     const struct value *tree, unsigned fine);

/* A change of an object that is known: what it is answered is known at once. */
struct task_change {
        struct known *known;
        uint16_t verb;
        const char *namespace, *name, *sub; /* name NULL: of a creation; sub NULL: the object itself */
        const void *object;                 /* the kind's struct; NULL: @text is sent, with a patch a strategic one */
        const char *text;
        unsigned fine;
        task_answered answered; /* behind that; may be NULL */
        void *data;
};
void task_change(struct task *task, const struct task_change *change);

struct task_removal {
        const struct kube_kind *kind;
        const char *namespace, *name;
        const char *uid, *revision, *propagation; /* NULL: whatever it is */
        unsigned fine;                            /* beside TASK_GONE_IS_FINE */
        task_answered answered;                   /* may be NULL */
};
void task_remove(struct task *task, const struct task_removal *removal); /* that it is gone already is fine */

/* Lists @scope; of what there is no such kind there are no objects. */
typedef void (*task_listed)(struct task *task, const struct kube_kind *kind, struct client_object *object);
void task_list(struct task *task, const struct client_scope *scope, task_listed listed);

/* A listed object becomes due. */
void task_add_listed(struct task *task, const struct kube_kind *kind, struct client_object *object);

/* When all that was sent until then is answered, and nothing has failed, goes on with @next, as with reconcile(). */
void task_then(struct task *task, int (*next)(struct task *task));

/* What the steps of one task tell each other. */
void task_set_data(struct task *task, void *data);
void *task_data(const struct task *task);

/* Whether it may send more now: so many are under way at most. */
#define TASK_SENDS_MAX 256
bool task_has_room(const struct task *task);

/* The key is due again, after a back-off: the errno @code, because of @why, which is logged. */
void task_fail(struct task *task, int code, const char *why);

/* Makes the key due again, @ns from now. */
void task_again(struct task *task, uint64_t ns);

/* The same at @at, s since 1970 and not yet over; within a day, since clocks are set. */
void task_again_at(struct task *task, int64_t at);
