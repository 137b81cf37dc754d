/* A pod that is changed while it is there (kubelet's pod workers take each update; kube-apiserver's ValidatePodUpdate()
 * says what may be one). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "kube/pod/allocation.h"

void worker_set_deadline(struct worker *w) {
        const struct opt_int *seconds = &w->pod->spec.active_deadline_seconds;

        w->deadline = seconds->set ? node_later(w->start_time, seconds->value) : NODE_NEVER;
}

/* -- containers -------------------------------------------------------------------------------------------- */

size_t worker_count_members(const struct pod *pod) {
        return pod->spec.init_containers.count + pod->spec.containers.count + pod->spec.ephemeral_containers.count;
}

/* The part of @pod's spec that is its container at @i, in the order of members. */
static const struct kube_container *spec_at(const struct pod *pod, size_t i) {
        const struct kube_pod_spec *spec = &pod->spec;

        if (i < spec->init_containers.count)
                return &spec->init_containers.items[i];
        if ((i -= spec->init_containers.count) < spec->containers.count)
                return &spec->containers.items[i];
        return &spec->ephemeral_containers.items[i - spec->containers.count].container;
}

static enum member_role role_at(const struct pod *pod, size_t i) {
        size_t n_init = pod->spec.init_containers.count;

        if (i < n_init)
                return pod_container_is_sidecar(spec_at(pod, i)) ? MEMBER_SIDECAR : MEMBER_INIT;
        return i < n_init + pod->spec.containers.count ? MEMBER_MAIN : MEMBER_EPHEMERAL;
}

/* The worker's own, if it has it. */
static struct member *find(const struct worker *w, const char *name) {
        for (size_t i = 0; i < w->n_members; i++)
                if (strcmp(member_spec(w->members[i])->name, name) == 0)
                        return w->members[i];
        return NULL;
}

int worker_make_members(struct worker *w, const struct pod *pod, struct member **ret_members) {
        size_t n = worker_count_members(pod), i;

        for (i = 0; i < n; i++) {
                const struct kube_container *spec = spec_at(pod, i);

                if (!(ret_members[i] = find(w, spec->name)) &&
                    !(ret_members[i] = member_new(&w->host, spec, role_at(pod, i))))
                        break;
        }
        if (i == n)
                return 0;
        while (i-- > 0)
                if (!find(w, spec_at(pod, i)->name))
                        member_free(ret_members[i]);
        return -ENOMEM;
}

/* Containers neither come nor go, nor change what they are; ephemeral ones may come. */
static bool is_same_pod(const struct worker *w, const struct pod *pod) {
        size_t there = 0;

        if (pod->spec.init_containers.count != w->n_init || w->n_init + pod->spec.containers.count != w->n_lasting)
                return false;
        for (size_t i = 0; i < worker_count_members(pod); i++) {
                const struct member *m = i < w->n_lasting ? w->members[i] : find(w, spec_at(pod, i)->name);

                there += m != NULL;
                if (m && (member_role(m) != role_at(pod, i) || !member_is_same(member_spec(m), spec_at(pod, i))))
                        return false;
        }
        return there == w->n_members;
}

void worker_update_cpus(struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                member_update_cpus(w->members[i]);
}

/* -- all --------------------------------------------------------------------------------------------------- */

/* The worker's parts are those of @pod from here on. */
static void take(struct worker *w, struct pod *pod, struct member **members, struct pod_container_status *statuses) {
        struct pod *old = w->pod;

        w->pod = w->ops.pod = pod_ref(pod);
        w->host.pod = pod;
        free(w->members);
        w->members = members;
        w->n_members = worker_count_members(pod);
        w->status.init = w->status.containers = w->status.ephemeral = NULL; /* they lie in the old ones */
        free(w->statuses);
        w->statuses = statuses;
        for (size_t i = 0; i < w->n_members; i++)
                member_update(members[i], spec_at(pod, i));
        pod_unref(old);
}

int worker_adopt(struct worker *w, struct pod *pod) {
        size_t n = worker_count_members(pod);
        struct pod_container_status *statuses;
        struct member **members;

        members = calloc(n + 1, sizeof(struct member *));
        statuses = calloc(n + 1, sizeof(*statuses));
        if (!members || !statuses || worker_make_members(w, pod, members) < 0) {
                free(members);
                free(statuses);
                return -ENOMEM;
        }
        take(w, pod, members, statuses);
        worker_set_deadline(w);
        w->hint.pod_written = false;
        if (w->verdict != WORKER_REJECTED) /* nothing of it is on the disk */
                worker_keep_hint(w);
        w->update.due = true;
        return 0;
}

int worker_update(struct worker *w, struct pod *pod) {
        struct pod *allocated;
        int r;

        if (!is_same_pod(w, pod))
                return -EINVAL;
        if (pod_with_allocation(pod, w->pod, &allocated) < 0)
                return -ENOMEM;
        r = worker_adopt(w, allocated);
        pod_unref(allocated);
        if (r < 0)
                return r;
        pod_unref(w->resize.wanted);
        w->resize.wanted = pod_ref(pod);
        if (!worker_asks_resize(w))
                w->resize.pending.set = false;
        worker_step(w);
        return 0;
}
