/* LimitRanges and ResourceQuotas. */
#include <errno.h>
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"
#include "lib/cleanup.h"
#include "lib/texts.h"

static const struct place spec_place = { .name = "spec" }, status_place = { .name = "status" };

/* --- LimitRange --- */

static void check_type(struct validation *v, const struct place *at, const char *type) {
        static const char *const standard[] = { "Container", "PersistentVolumeClaim", "Pod", NULL };
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n = name_problems(NAME_QUALIFIED, type, problems);

        for (unsigned i = 0; i < n; i++)
                validate_invalid_word(v, at, type, problems[i]);
        if (n == 0 && !strchr(type, '/') && !validate_is_one(type, standard))
                validate_invalid_word(v, at, type, "must be a standard limit type or fully qualified");
}

static void check_names(struct validation *v, const struct place *at, const char *type, const resource_list *list) {
        bool of_pods = kube_is(type, "Pod") || kube_is(type, "Container");

        list_for_each (r, list) {
                if (of_pods)
                        validate_container_resource(v, ENTRY(at, r->name), r->name);
                else
                        validate_resource_name(v, ENTRY(at, r->name), r->name);
        }
}

/* All that is said of one resource; NULL: nothing. */
struct limits {
        const char *name;
        const struct quantity *min, *max, *usual, *request, *ratio;
};

/* @a is more than @b: @shown is what is told of. */
static void check_order(struct validation *v, const struct place *at, const struct quantity *a,
                        const struct quantity *b, const struct quantity *shown, const char *const words[2]) {
        if (a && b && quantity_compare(*a, *b) > 0)
                validate_invalid_quantity(v, at, *shown,
                                          validate_text(v, "%s value %s is greater than %s value %s", words[0],
                                                        validate_amount_text(v, *a), words[1],
                                                        validate_amount_text(v, *b)));
}

#define MILLI_MAX (INT64_MAX / 1000)

static void check_ratio(struct validation *v, const struct place *at, const struct limits *l) {
        int64_t min, max;
        double ratio, limit;

        if (quantity_compare(*l->ratio, quantity_from_units(1, QUANTITY_DECIMAL)) < 0)
                validate_invalid_quantity(
                        v, at, *l->ratio,
                        validate_text(v, "ratio %s is less than 1", validate_amount_text(v, *l->ratio)));
        if (!l->min || !l->max)
                return;
        ratio = (double)quantity_units(*l->ratio);
        min = quantity_units(*l->min);
        max = quantity_units(*l->max);
        if (quantity_units(*l->ratio) < MILLI_MAX && min < MILLI_MAX && max < MILLI_MAX) {
                ratio = (double)quantity_milli(*l->ratio) / 1000;
                min = quantity_milli(*l->min);
                max = quantity_milli(*l->max);
        }
        if (min == 0 && max >= 0)
                return;
        limit = min == 0 ? -1.0 / 0.0 : (double)max / (double)min;
        if (ratio > limit)
                validate_invalid_quantity(v, at, *l->ratio,
                                          validate_text(v, "ratio %s is greater than max/min = %f",
                                                        validate_amount_text(v, *l->ratio), limit));
}

static void check_limits(struct validation *v, const struct place *at, const struct limits *l) {
        const struct place *min = ENTRY(FIELD(at, "min"), l->name), *usual = ENTRY(FIELD(at, "default"), l->name),
                           *request = ENTRY(FIELD(at, "defaultRequest"), l->name);

        check_order(v, min, l->min, l->max, l->min, (const char *const[]){ "min", "max" });
        check_order(v, request, l->min, l->request, l->request, (const char *const[]){ "min", "default request" });
        check_order(v, request, l->request, l->max, l->request, (const char *const[]){ "default request", "max" });
        check_order(v, request, l->request, l->usual, l->request,
                    (const char *const[]){ "default request", "default limit" });
        check_order(v, usual, l->min, l->usual, l->min, (const char *const[]){ "min", "default" });
        check_order(v, usual, l->usual, l->max, l->max, (const char *const[]){ "default", "max" });
        if (l->ratio)
                check_ratio(v, ENTRY(FIELD(at, "maxLimitRequestRatio"), l->name), l);
        if (l->usual && l->request && !validate_is_overcommit(l->name) && quantity_compare(*l->usual, *l->request) != 0)
                validate_invalid_quantity(v, request, *l->request,
                                          validate_text(v,
                                                        "default value %s must equal to defaultRequest value %s in %s",
                                                        validate_amount_text(v, *l->usual),
                                                        validate_amount_text(v, *l->request), l->name));
}

enum { MIN, MAX, USUAL, REQUEST, RATIO, LISTS };

/* What is said of one resource. */
struct amounts {
        struct table_node by_name;
        const struct quantity *of[LISTS];
        bool checked;
};

static struct amounts *amounts_of(struct validation *v, struct table *all, const char *name) {
        struct amounts *a = table_object(table_find(all, name), struct amounts, by_name);

        if (a || !(a = validate_alloc(v, 1, sizeof(*a))))
                return a;
        if (table_add(all, &a->by_name, name) < 0)
                v->error = -ENOMEM;
        return a;
}

static void check_all_limits(struct validation *v, const struct place *at, const struct kube_limit_range_item *i) {
        static const resource_list none;
        bool pod = kube_is(i->type, "Pod");
        const resource_list *const lists[LISTS] = { [MIN] = &i->min,
                                                    [MAX] = &i->max,
                                                    [USUAL] = pod ? &none : &i->default_,
                                                    [REQUEST] = pod ? &none : &i->default_request,
                                                    [RATIO] = &i->max_limit_request_ratio };
        struct table all = { 0 };
        struct amounts *a;

        for (size_t n = 0; n < LISTS; n++)
                list_for_each (r, lists[n])
                        if ((a = amounts_of(v, &all, r->name)))
                                a->of[n] = &r->amount;
        for (size_t n = 0; n < LISTS && v->error == 0; n++)
                list_for_each (r, lists[n]) {
                        if (!(a = amounts_of(v, &all, r->name)) || a->checked)
                                continue;
                        a->checked = true;
                        check_limits(v, at,
                                     &(struct limits){ r->name, a->of[MIN], a->of[MAX], a->of[USUAL], a->of[REQUEST],
                                                       a->of[RATIO] });
                }
        table_clear(&all);
}

static void check_limit_item(struct validation *v, const struct place *at, const struct kube_limit_range_item *i) {
        check_names(v, FIELD(at, "max"), i->type, &i->max);
        check_names(v, FIELD(at, "min"), i->type, &i->min);
        if (!kube_is(i->type, "Pod")) {
                check_names(v, FIELD(at, "default"), i->type, &i->default_);
                check_names(v, FIELD(at, "defaultRequest"), i->type, &i->default_request);
        } else {
                if (i->default_.count > 0)
                        validate_forbidden(v, FIELD(at, "default"), "may not be specified when `type` is 'Pod'");
                if (i->default_request.count > 0)
                        validate_forbidden(v, FIELD(at, "defaultRequest"), "may not be specified when `type` is 'Pod'");
        }
        if (kube_is(i->type, "PersistentVolumeClaim") && !resource_get(&i->min, "storage") &&
            !resource_get(&i->max, "storage"))
                validate_required(v, FIELD(at, "limits"),
                                  "either minimum or maximum storage value is required, but neither was provided");
        check_names(v, FIELD(at, "maxLimitRequestRatio"), i->type, &i->max_limit_request_ratio);
        check_all_limits(v, at, i);
}

void validate_limit_range(struct validation *v, const void *object, const void *old) {
        const struct kube_limit_range *range = object;
        _cleanup_validate_set_ struct validate_set types = { 0 };

        validate_meta(v, &range->metadata, NAME_SUBDOMAIN);
        for (uint32_t i = 0; i < range->spec.limits.count; i++) {
                const struct kube_limit_range_item *item = &range->spec.limits.items[i];
                const struct place *at = ITEM(FIELD(&spec_place, "limits"), i);

                check_type(v, FIELD(at, "type"), item->type ?: "");
                if (!validate_set_add(v, &types, item->type))
                        validate_duplicate(v, FIELD(at, "type"), item->type);
                check_limit_item(v, at, item);
        }
}

/* --- ResourceQuota --- */

static void check_hard(struct validation *v, const struct place *at, const resource_list *list) {
        list_for_each (r, list) {
                validate_quota_resource(v, ENTRY(at, r->name), r->name);
                validate_amount(v, ENTRY(at, r->name), r->name, r->amount);
        }
}

static const char *const of_pods[] = { "cpu",  "limits.cpu",   "limits.memory",   "memory",
                                       "pods", "requests.cpu", "requests.memory", NULL };
static const char *const of_best_effort[] = { "pods", NULL };
static const char *const of_volumes[] = { "persistentvolumeclaims", "requests.storage", NULL };

/* Which resources can be counted by which scope. */
static const struct scope {
        const char *name;
        const char *const *resources;
        bool exists; /* its operator is Exists */
} scopes[] = {
        { "BestEffort", of_best_effort, true },
        { "CrossNamespacePodAffinity", of_pods, true },
        { "NotBestEffort", of_pods, true },
        { "NotTerminating", of_pods, true },
        { "PriorityClass", of_pods, false },
        { "Terminating", of_pods, true },
        { "VolumeAttributesClass", of_volumes, false },
};

static const struct scope *find_scope(const char *name) {
        for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++)
                if (kube_is(name, scopes[i].name))
                        return &scopes[i];
        return NULL;
}

/* How many resources each of the scopes cannot count: looked for once, however often a scope is named. */
struct uncountable {
        uint32_t of[ELEMENTS(scopes)];
};

static struct uncountable find_uncountable(const resource_list *hard) {
        struct uncountable found = { 0 };

        list_for_each (r, hard)
                for (size_t i = 0; validate_is_quota_resource(r->name) && i < ELEMENTS(scopes); i++)
                        found.of[i] += !validate_is_one(r->name, scopes[i].resources);
        return found;
}

static uint32_t uncountable_by(const struct uncountable *found, const struct scope *scope) {
        return scope ? found->of[scope - scopes] : 0;
}

/* An error for each. */
static void check_countable(struct validation *v, const struct place *at, uint32_t n, const char *json) {
        for (uint32_t i = 0; i < n && !validate_is_full(v); i++)
                validate_invalid_json(v, at, json, "unsupported scope applied to resource");
}

static void check_conflicts(struct validation *v, const struct place *at, const struct validate_set *set,
                            const char *json) {
        if (validate_set_has(set, "BestEffort") && validate_set_has(set, "NotBestEffort"))
                validate_invalid_json(v, at, json, "conflicting scopes");
        if (validate_set_has(set, "Terminating") && validate_set_has(set, "NotTerminating"))
                validate_invalid_json(v, at, json, "conflicting scopes");
}

static void check_scopes(struct validation *v, const struct kube_resource_quota_spec *spec, const char *json) {
        _cleanup_validate_set_ struct validate_set set = { 0 };
        const struct uncountable uncountable = find_uncountable(&spec->hard);
        const struct place *at = FIELD(&spec_place, "scopes");

        for (uint32_t i = 0; i < spec->scopes.count && !validate_is_full(v); i++) {
                const struct scope *scope = find_scope(spec->scopes.items[i]);

                if (!scope)
                        validate_invalid_json(v, at, json, "unsupported scope");
                if (validate_set_add(v, &set, spec->scopes.items[i]) || !validate_is_full(v))
                        check_countable(v, at, uncountable_by(&uncountable, scope), json);
        }
        check_conflicts(v, at, &set, json);
}

static void check_requirement(struct validation *v, const struct place *at,
                              const struct kube_scoped_resource_selector_requirement *r, const struct scope *scope) {
        if (scope && scope->exists && !kube_is(r->operator, "Exists"))
                validate_invalid_word(v, FIELD(at, "operator"), r->operator,
                                      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                                      "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                                      "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
        if (kube_is(r->operator, "In") || kube_is(r->operator, "NotIn")) {
                if (r->values.count == 0)
                        validate_required(
                                v, FIELD(at, "values"),
                                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
        } else if (kube_is(r->operator, "Exists") || kube_is(r->operator, "DoesNotExist")) {
                if (r->values.count > 0)
                        validate_invalid_json(
                                v, FIELD(at, "values"), validate_json_strings(v, &r->values),
                                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
        } else {
                validate_invalid_word(v, FIELD(at, "operator"), r->operator, "not a valid selector operator");
        }
}

static void check_scope_selector(struct validation *v, const struct kube_resource_quota_spec *spec, const char *json) {
        _cleanup_validate_set_ struct validate_set set = { 0 };
        const struct uncountable uncountable = find_uncountable(&spec->hard);
        const struct place *at = FIELD(FIELD(&spec_place, "scopeSelector"), "matchExpressions");
        const char *whole = NULL; /* the selector's text: each error has it */

        if (!spec->scope_selector)
                return;
        list_for_each (r, &spec->scope_selector->match_expressions) {
                const struct scope *scope = find_scope(r->scope_name);
                uint32_t n = uncountable_by(&uncountable, scope);

                if (validate_is_full(v))
                        break;
                if (!scope)
                        validate_invalid_word(v, FIELD(at, "scopeName"), r->scope_name, "unsupported scope");
                if (n > 0 && !whole)
                        whole = validate_go_json(v, &kube_scope_selector_type, spec->scope_selector);
                check_countable(v, at, n, whole);
                check_requirement(v, at, r, scope);
                validate_set_add(v, &set, r->scope_name);
        }
        check_conflicts(v, at, &set, json);
}

static void check_quota_spec(struct validation *v, const struct kube_resource_quota_spec *spec) {
        const char *json = validate_json_strings(v, &spec->scopes);

        check_hard(v, FIELD(&spec_place, "hard"), &spec->hard);
        check_scopes(v, spec, json);
        check_scope_selector(v, spec, json);
}

static void check_quota_status(struct validation *v, const struct kube_resource_quota_status *status) {
        check_hard(v, FIELD(&status_place, "hard"), &status->hard);
        check_hard(v, FIELD(&status_place, "used"), &status->used);
}

static bool covers(struct validation *v, const string_list *list, const string_list *other) {
        _cleanup_validate_set_ struct validate_set set = { 0 };

        list_for_each (item, list)
                validate_set_add(v, &set, *item);
        list_for_each (item, other)
                if (!validate_set_has(&set, *item))
                        return false;
        return true;
}

void validate_quota(struct validation *v, const void *object, const void *old_object) {
        const struct kube_resource_quota *quota = object, *old = old_object;

        if (!old) {
                validate_meta(v, &quota->metadata, NAME_SUBDOMAIN);
                check_quota_spec(v, &quota->spec);
                check_quota_status(v, &quota->status);
                return;
        }
        validate_meta_update(v, &quota->metadata, &old->metadata);
        check_quota_spec(v, &quota->spec);
        if (!covers(v, &quota->spec.scopes, &old->spec.scopes) || !covers(v, &old->spec.scopes, &quota->spec.scopes))
                validate_invalid_json(v, FIELD(&spec_place, "scopes"), validate_json_strings(v, &quota->spec.scopes),
                                      VALIDATE_IMMUTABLE);
}

void validate_quota_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_resource_quota *quota = object, *old = old_object;

        validate_meta_update(v, &quota->metadata, &old->metadata);
        check_quota_status(v, &quota->status);
}
