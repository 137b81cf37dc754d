/* Labels of nodes that have other names today, and who selects by them (k8s.io/kubernetes/pkg/api/node). */
#include <string.h>

#include "kube/validate/warnings.h"
#include "lib/cleanup.h"

static const struct {
        const char *label, *text;
} old_labels[] = {
        { "beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead" },
        { "beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead" },
        { "failure-domain.beta.kubernetes.io/region",
          "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead" },
        { "failure-domain.beta.kubernetes.io/zone",
          "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead" },
        { "beta.kubernetes.io/instance-type",
          "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead" },
        { "app.kubernetes.io/created-by", "deprecated since v1.9" },
        { "scheduler.alpha.kubernetes.io/preferAvoidPods",
          "deprecated since v1.22; use Taints and Tolerations instead" },
        { "node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead" },
};

const char *validate_old_label(const char *key) {
        for (size_t i = 0; key && i < ELEMENTS(old_labels); i++)
                if (strcmp(old_labels[i].label, key) == 0)
                        return old_labels[i].text;
        return NULL;
}

static void warn_key(struct validation *v, const struct place *at, const char *key) {
        const char *text = validate_old_label(key);

        if (text)
                validate_warn(v, FIELD(at, "key"), "%s is %s", key, text);
}

void validate_warn_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector) {
        for (uint32_t i = 0; selector && i < selector->match_expressions.count; i++)
                warn_key(v, ITEM(FIELD(at, "matchExpressions"), i), selector->match_expressions.items[i].key);
        for (uint32_t i = 0; selector && i < selector->match_labels.count; i++) {
                const char *key = selector->match_labels.items[i].key, *text = validate_old_label(key);

                if (text)
                        validate_warn(v, FIELD(FIELD(at, "matchLabels"), key), "%s", text);
        }
}

static void warn_values(struct validation *v, const struct place *at, const string_list *values) {
        const char *problems[NAME_PROBLEMS_MAX];

        for (uint32_t i = 0; i < values->count && !validate_has_warned(v); i++) {
                unsigned n = name_problems(NAME_LABEL_VALUE, values->items[i] ?: "", problems);

                for (unsigned k = 0; k < n; k++)
                        validate_warn(v, ITEM(at, i), "%s is invalid, %s", values->items[i] ?: "", problems[k]);
        }
}

void validate_warn_term(struct validation *v, const struct place *at, const struct kube_node_selector_term *term,
                        bool values) {
        for (uint32_t i = 0; i < term->match_expressions.count; i++) {
                const struct kube_node_selector_requirement *r = &term->match_expressions.items[i];
                const struct place *place = ITEM(FIELD(at, "matchExpressions"), i);

                warn_key(v, place, r->key);
                if (values)
                        warn_values(v, FIELD(place, "values"), &r->values);
        }
}
