#include "agent/kubelet/log_choice.h"

#include <errno.h>
#include <string.h>

#include "kube/core_v1.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static const struct kube_container_status *find(const struct kube_pod_status *status, const char *name) {
        const kube_container_status_items *const lists[] = { &status->container_statuses,
                                                             &status->init_container_statuses,
                                                             &status->ephemeral_container_statuses };

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                list_for_each (s, lists[i])
                        if (strcmp(s->name, name) == 0)
                                return s;
        return NULL;
}

static int refuse(const struct kubelet_log_choice *c, const char *is, const char *more, struct err **err) {
        return err_set(err, ENOENT, "container \"%s\" in pod \"%s\" is %s%s", c->container, c->pod, is, more);
}

static int refuse_waiting(const struct kubelet_log_choice *c, const char *reason, struct err **err) {
        if (!reason)
                return refuse(c, "waiting to start - no logs yet", "", err);
        if (strcmp(reason, "ErrImagePull") == 0)
                reason = "image can't be pulled";
        else if (strcmp(reason, "ImagePullBackOff") == 0)
                reason = "trying and failing to pull image";
        return refuse(c, "waiting to start: ", reason, err);
}

static const char *id_of(const struct kube_container_state_terminated *t) {
        return t && t->container_id && *t->container_id ? t->container_id : NULL;
}

int kubelet_log_choose(const struct kubelet_log_choice *c, const struct kube_pod_status *status, const char **ret_id,
                       struct err **err) {
        const struct kube_container_status *s = find(status, c->container);
        const struct kube_container_state_terminated *last = s ? s->last_state.terminated : NULL;

        if (!s)
                return refuse(c, "not available", "", err);
        if (c->previous) {
                if (!id_of(last))
                        return err_set(err, ENOENT, "previous terminated container \"%s\" in pod \"%s\" not found",
                                       c->container, c->pod);
                *ret_id = id_of(last);
                return 0;
        }
        if (s->state.running) {
                *ret_id = s->container_id;
                return 0;
        }
        if (s->state.terminated || last) {
                *ret_id = id_of(s->state.terminated) ?: id_of(last);
                return *ret_id ? 0 : refuse(c, "terminated", "", err);
        }
        return refuse_waiting(c, s->state.waiting ? s->state.waiting->reason ?: "" : NULL, err);
}
