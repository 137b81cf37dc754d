/* Who controls what: an object whose selector matches others, and that is not going, controls those that nobody else
 * does, and gives up those that it does not select any more. As kube-controller-manager's ControllerRefManager.
 */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/known.h"
#include "kube/meta_v1.h"

struct claim {
        struct known *dependents; /* of the task's namespace */
        const struct kube_kind *kind;
        const struct known_object *owner;
        int (*next)(struct task *task);
};

/* Adopts and gives up, and goes on with @claim->next when that is done: at once where there is nothing to do. Before it
 * adopts it asks whether the owner is there still. */
int claim_settle(struct task *task, const struct claim *claim);

/* Makes those due, after @ns, whom @change of a dependent concerns: who had it, who has it, who may adopt it. */
void claim_add(struct controller *controller, const struct known *owners, const struct known_change *change,
               uint64_t ns);

/* Whether @owner has @dependent now. */
bool claim_has(const struct known_object *owner, const struct known_object *dependent);

/* As it stands in what @owner makes; "apps/v1" is in @arena. False without memory. */
bool claim_reference(struct arena *arena, const struct kube_kind *kind, const struct known_object *owner,
                     struct kube_owner_reference *ret_reference);
