#include "kube/pod/restart.h"

static bool matches(const struct kube_container_restart_rule_on_exit_codes *codes, int exit_code) {
        bool in = false;

        if (!codes)
                return false;
        list_for_each (value, &codes->values)
                in |= *value == exit_code;
        return kube_is(codes->operator, "In") ? in : !in;
}

/* The first counts; NULL: none. */
static const struct kube_container_restart_rule *matching_rule(const struct kube_container *container, int exit_code) {
        if (!container->restart_policy)
                return NULL;
        list_for_each (rule, &container->restart_policy_rules)
                if (matches(rule->exit_codes, exit_code))
                        return rule;
        return NULL;
}

static bool is_for_all(const struct kube_container_restart_rule *rule) {
        return rule && kube_is(rule->action, RESTART_ALL_ACTION);
}

bool pod_restarts_all(const struct kube_container *container, int exit_code) {
        return is_for_all(matching_rule(container, exit_code));
}

static bool any_may_restart_all(const kube_container_items *containers) {
        list_for_each (container, containers)
                list_for_each (rule, &container->restart_policy_rules)
                        if (is_for_all(rule))
                                return true;
        return false;
}

bool pod_may_restart_all(const struct pod *pod) {
        return any_may_restart_all(&pod->spec.init_containers) || any_may_restart_all(&pod->spec.containers);
}

const char *pod_restart_policy(const struct pod *pod, const struct kube_container *container) {
        return container->restart_policy ?: pod->spec.restart_policy;
}

bool pod_should_restart(const struct pod *pod, const struct kube_container *container, int exit_code) {
        const char *policy = pod_restart_policy(pod, container);

        if (matching_rule(container, exit_code)) /* every action restarts at least this container */
                return true;
        return kube_is(policy, "Never") ? false : kube_is(policy, "OnFailure") ? exit_code != 0 : true;
}
