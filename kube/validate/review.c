#include "kube/validate/review.h"

#include "kube/names.h"
#include "kube/problem.h"
#include "kube/validate/common.h"
#include "kube/validate/field.h"

/* One of the two forms in which a selector is written. */
static void check_form(struct validation *v, const struct place *at, const char *raw, uint32_t requirements) {
        if (raw && *raw && requirements > 0)
                validate_invalid(v, FIELD(at, "rawSelector"), raw,
                                 "may not specified at the same time as requirements");
        if (!(raw && *raw) && requirements == 0)
                validate_required(v, FIELD(at, "requirements"),
                                  validate_text(v, "when %s is specified, requirements or rawSelector is required",
                                                validate_place_text(v, at)));
}

/* ValidateFieldSelectorRequirement. */
static void check_field(struct validation *v, const struct place *at, const struct kube_field_selector_requirement *r) {
        if (!r->key || !*r->key)
                validate_required(v, FIELD(at, "key"), "must be specified");
        if ((kube_is(r->operator, "In") || kube_is(r->operator, "NotIn")) && r->values.count == 0)
                validate_required(v, FIELD(at, "values"), "must be specified when `operator` is 'In' or 'NotIn'");
        if ((kube_is(r->operator, "Exists") || kube_is(r->operator, "DoesNotExist")) && r->values.count > 0)
                validate_forbidden(v, FIELD(at, "values"),
                                   "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

static void check_fields(struct validation *v, const struct place *at,
                         const struct kube_authorization_v1_field_selector_attributes *selector) {
        check_form(v, at, selector->raw_selector, selector->requirements.count);
        for (uint32_t i = 0; i < selector->requirements.count; i++)
                check_field(v, ITEM(FIELD(at, "requirements"), i), &selector->requirements.items[i]);
}

static void check_labels(struct validation *v, const struct place *at,
                         const struct kube_authorization_v1_label_selector_attributes *selector) {
        static const struct validate_selector_options options = { .any_operator = true };

        check_form(v, at, selector->raw_selector, selector->requirements.count);
        for (uint32_t i = 0; i < selector->requirements.count; i++)
                validate_requirement(v, ITEM(FIELD(at, "requirements"), i), &selector->requirements.items[i], &options);
}

int validate_review_selectors(const struct kube_authorization_v1_resource_attributes *attributes,
                              struct problems *problems) {
        struct validation v = { .problems = problems, .arena = problems->arena };
        const struct place *at = FIELD(FIELD(NULL, "spec"), "resourceAttributes");

        if (attributes && attributes->field_selector)
                check_fields(&v, FIELD(at, "fieldSelector"), attributes->field_selector);
        if (attributes && attributes->label_selector)
                check_labels(&v, FIELD(at, "labelSelector"), attributes->label_selector);
        return v.error;
}
