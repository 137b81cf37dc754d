/* The arithmetic of pkg/kubelet/nodeshutdown/nodeshutdown_manager.go: migrateConfig(), groupByPriority(). */
#include "agent/shutdown/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/pod.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* Seconds are what pods' periods are in: less than one is none. */
static int check_period(const char *field, int64_t ms, struct err **err) {
        if (ms > 0 && ms < 1000)
                return err_set(err, EINVAL, "%s: %lldms is too short: it wants 0s, or 1s at least", field,
                               (long long)ms);
        return 0;
}

static int check_periods(const struct shutdown_settings *s, struct err **err) {
        int r;

        if (s->n_groups > 0 && (s->grace_ms > 0 || s->critical_ms > 0))
                return err_set(err, EINVAL,
                               "shutdownGracePeriodByPodPriority and shutdownGracePeriod are given both: one of them "
                               "has to go");
        if ((r = check_period("shutdownGracePeriod", s->grace_ms, err)) < 0 ||
            (r = check_period("shutdownGracePeriodCriticalPods", s->critical_ms, err)) < 0)
                return r;
        if (s->critical_ms > s->grace_ms)
                return err_set(err, EINVAL,
                               "shutdownGracePeriodCriticalPods: %llds is more than shutdownGracePeriod (%llds), of "
                               "which it is a part",
                               (long long)s->critical_ms / 1000, (long long)s->grace_ms / 1000);
        return 0;
}

static void make_groups(struct shutdown_settings *s) {
        if (s->grace_ms == 0)
                return;
        s->groups[0] = (struct shutdown_group){ 0, (s->grace_ms - s->critical_ms) / 1000 };
        s->groups[1] = (struct shutdown_group){ POD_PRIORITY_CRITICAL, s->critical_ms / 1000 };
        s->n_groups = 2;
}

static int compare(const void *a, const void *b) {
        const struct shutdown_group *x = a, *y = b;

        return x->priority < y->priority ? -1 : x->priority > y->priority;
}

int shutdown_settings_finish(struct shutdown_settings *s, struct err **err) {
        int r = check_periods(s, err);

        if (r < 0)
                return r;
        make_groups(s);
        qsort(s->groups, s->n_groups, sizeof(s->groups[0]), compare);
        if (shutdown_settings_total(s) > SHUTDOWN_TOTAL_MAX_S)
                return err_set(err, EINVAL, "shutdownGracePeriod: %lld s in all are more than a host may take (%d s)",
                               (long long)shutdown_settings_total(s), SHUTDOWN_TOTAL_MAX_S);
        return 0;
}

int64_t shutdown_settings_total(const struct shutdown_settings *s) {
        int64_t total = 0;

        for (size_t i = 0; i < s->n_groups; i++)
                total += s->groups[i].seconds;
        return total;
}

/* The priorities of Kubernetes' own classes (pkg/apis/scheduling/types.go). */
static const struct system_class {
        const char *name;
        int32_t priority;
} classes[] = {
        { "system-cluster-critical", POD_PRIORITY_CRITICAL },
        { "system-node-critical", POD_PRIORITY_CRITICAL + 1000 },
};

static int64_t priority_of(const struct pod *pod) {
        const char *name = pod->spec.priority_class_name;

        if (pod->spec.priority.set)
                return pod->spec.priority.value;
        for (size_t i = 0; name && i < ELEMENTS(classes); i++)
                if (strcmp(classes[i].name, name) == 0)
                        return classes[i].priority;
        return 0;
}

size_t shutdown_group_of(const struct shutdown_settings *s, const struct pod *pod) {
        int64_t priority = priority_of(pod);
        size_t found = 0;

        for (size_t i = 1; i < s->n_groups; i++)
                if (s->groups[i].priority <= priority && s->groups[i].priority > s->groups[found].priority)
                        found = i;
        return found;
}

int64_t shutdown_grace(const struct shutdown_group *group, const struct pod *pod) {
        const struct opt_int *own = &pod->spec.termination_grace_period_seconds;

        return own->set && own->value <= group->seconds ? own->value : group->seconds;
}
