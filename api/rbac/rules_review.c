#include <errno.h>

#include "api/auth/user.h"
#include "api/rbac/rbac.h"
#include "lib/arena.h"

int rbac_review_rules(struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
                      struct kube_authorization_v1_subject_rules_review_status *ret_status) {
        struct kube_authorization_v1_subject_rules_review_status status = { 0 };
        rbac_rules rules;
        const char *error;
        int r = rbac_rules_for(rbac, user, namespace, arena, &rules, &error);

        if (r < 0)
                return r;
        status.resource_rules.items = arena_alloc_array(arena, rules.count + 1, sizeof(*status.resource_rules.items));
        status.non_resource_rules.items =
                arena_alloc_array(arena, rules.count + 1, sizeof(*status.non_resource_rules.items));
        if (!status.resource_rules.items || !status.non_resource_rules.items)
                return -ENOMEM;
        list_for_each (rule, &rules) {
                if (rule->resources.count > 0)
                        status.resource_rules.items[status.resource_rules.count++] =
                                (struct kube_authorization_v1_resource_rule){
                                        .verbs = rule->verbs,
                                        .api_groups = rule->api_groups,
                                        .resources = rule->resources,
                                        .resource_names = rule->resource_names,
                                };
                if (rule->non_resource_urls.count > 0)
                        status.non_resource_rules.items[status.non_resource_rules.count++] =
                                (struct kube_authorization_v1_non_resource_rule){
                                        .verbs = rule->verbs,
                                        .non_resource_urls = rule->non_resource_urls,
                                };
        }
        status.evaluation_error = error;
        if (auth_user_node(user)) /* what its pods need is no rule */
                error = status.evaluation_error = "node authorizer does not support user rule resolution";
        status.incomplete = error[0];
        *ret_status = status;
        return 0;
}
