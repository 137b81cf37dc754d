/* Each namespace has the service account "default". */
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/namespaces.h"
#include "kube/core_v1.h"
#include "lib/cleanup.h"

enum { NAMESPACES, ACCOUNTS };

#define NAME "default"

static void on_account(struct controller *controller, const struct client_object *object,
                       const struct client_object *old) {
        if (strcmp(object->name, NAME) == 0)
                controller_add(controller, object->namespace);
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct informer *accounts = controller_informer(c, ACCOUNTS);
        const char *namespace = task_name(task);
        const struct kube_service_account account = { .metadata = { .name = NAME, .namespace = namespace } };

        if (!namespaces_is_active(controller_informer(c, NAMESPACES), namespace) ||
            informer_find(accounts, namespace, NAME))
                return 0;
        task_write(task, KUBE_VERB_CREATE, informer_kind(accounts), NULL, &account,
                   TASK_THERE_IS_FINE | TASK_LEAVING_IS_FINE);
        return 0;
}

const struct controller_kind controller_account = {
        .name = "serviceaccount-controller",
        .alias = "serviceaccount",
        .account = "service-account-controller",
        .watches = { { "", "namespaces", NULL, controller_add_object, .passes = false },
                     { "", "serviceaccounts", NULL, on_account, .passes = false } },
        .reconcile = reconcile,
};
