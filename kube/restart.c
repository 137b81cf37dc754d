#include "kube/restart.h"

#include <string.h>

static bool matches(const struct pod_exit_codes *codes, int exit_code) {
        bool in = false;

        if (!codes)
                return false;
        list_for_each(value, &codes->values)
                in |= *value == exit_code;
        return codes->operator == EXIT_CODES_IN ? in : !in;
}

/* The first rule that matches counts. */
static const char *matching_action(const struct pod_container *container, int exit_code) {
        if (container->restart_policy == RESTART_UNSET)
                return NULL;
        list_for_each(rule, &container->restart_policy_rules)
                if (matches(rule->exit_codes, exit_code))
                        return rule->action;
        return NULL;
}

bool pod_should_restart_all(const struct pod_container *container, int exit_code) {
        const char *action = matching_action(container, exit_code);

        return action && strcmp(action, "RestartAllContainers") == 0;
}

bool pod_should_restart(const struct pod *pod, const struct pod_container *container, int exit_code) {
        enum pod_restart_policy policy = container->restart_policy;

        if (matching_action(container, exit_code))
                return true;
        if (policy == RESTART_UNSET)
                policy = pod->spec.restart_policy;
        return policy == RESTART_NEVER ? false : policy == RESTART_ON_FAILURE ? exit_code != 0 : true;
}
