#include "kube/restart.h"

static bool matches(const struct pod_exit_codes *codes, int exit_code) {
        bool in = false;

        if (!codes)
                return false;
        list_for_each (value, &codes->values)
                in |= *value == exit_code;
        return codes->operator== EXIT_CODES_IN ? in : !in;
}

/* Every rule's action restarts at least this container. */
static bool any_rule_matches(const struct pod_container *container, int exit_code) {
        if (container->restart_policy == RESTART_UNSET)
                return false;
        list_for_each (rule, &container->restart_policy_rules)
                if (matches(rule->exit_codes, exit_code))
                        return true;
        return false;
}

enum pod_restart_policy pod_restart_policy(const struct pod *pod, const struct pod_container *container) {
        return container->restart_policy != RESTART_UNSET ? container->restart_policy : pod->spec.restart_policy;
}

bool pod_should_restart(const struct pod *pod, const struct pod_container *container, int exit_code) {
        enum pod_restart_policy policy = pod_restart_policy(pod, container);

        if (any_rule_matches(container, exit_code))
                return true;
        return policy == RESTART_NEVER ? false : policy == RESTART_ON_FAILURE ? exit_code != 0 : true;
}
