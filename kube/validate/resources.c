#include "kube/validate/resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/scalar.h"
#include "kube/validate/validate.h"
#include "lib/texts.h"

#define HUGE_PAGES "hugepages-"
#define REQUESTS "requests."
#define NOT_INTEGER "must be an integer"

/* --- names --- */

static const char *const of_containers[] = { "cpu", "ephemeral-storage", "memory", NULL };

static const char *const of_quotas[] = { "configmaps",
                                         "cpu",
                                         "ephemeral-storage",
                                         "limits.cpu",
                                         "limits.ephemeral-storage",
                                         "limits.memory",
                                         "memory",
                                         "persistentvolumeclaims",
                                         "pods",
                                         "replicationcontrollers",
                                         "requests.cpu",
                                         "requests.ephemeral-storage",
                                         "requests.memory",
                                         "requests.storage",
                                         "resourcequotas",
                                         "secrets",
                                         "services",
                                         "services.loadbalancers",
                                         "services.nodeports",
                                         NULL };

static const char *const whole[] = { "configmaps",
                                     "persistentvolumeclaims",
                                     "pods",
                                     "replicationcontrollers",
                                     "resourcequotas",
                                     "secrets",
                                     "services",
                                     "services.loadbalancers",
                                     "services.nodeports",
                                     NULL };

static bool begins(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool validate_is_native(const char *name) {
        return !strchr(name, '/') || strstr(name, "kubernetes.io/");
}

bool validate_is_huge_page(const char *name) {
        return begins(name, HUGE_PAGES);
}

/* A quota of it is called "requests." and the name. */
bool validate_is_extended(const char *name) {
        char of_quota[400];

        if (validate_is_native(name) || begins(name, REQUESTS))
                return false;
        if (snprintf(of_quota, sizeof(of_quota), REQUESTS "%s", name) >= (int)sizeof(of_quota))
                return false;
        return !name_problem(NAME_QUALIFIED, of_quota);
}

bool validate_is_overcommit(const char *name) {
        return validate_is_native(name) && !validate_is_huge_page(name);
}

bool validate_is_divisible(const char *name, struct quantity amount) {
        struct quantity page;

        if (!validate_is_huge_page(name) || quantity_parse(name + strlen(HUGE_PAGES), &page, NULL) < 0)
                return false;
        if (quantity_sign(page) <= 0 || quantity_milli(page) % 1000 != 0)
                return false;
        return quantity_units(amount) % quantity_units(page) == 0;
}

bool validate_is_quota_resource(const char *name) {
        return validate_is_one(name, of_quotas) || validate_is_huge_page(name) || begins(name, REQUESTS HUGE_PAGES);
}

/* False when it is wrong. */
static bool check_name(struct validation *v, const struct place *at, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n = name_problems(NAME_QUALIFIED, name, problems);

        for (unsigned i = 0; i < n; i++)
                validate_invalid_word(v, at, name, problems[i]);
        if (n > 0)
                return false;
        if (strchr(name, '/') || validate_is_quota_resource(name) || strcmp(name, "storage") == 0)
                return true;
        validate_invalid_word(v, at, name, "must be a standard resource type or fully qualified");
        return false;
}

void validate_resource_name(struct validation *v, const struct place *at, const char *name) {
        check_name(v, at, name);
}

void validate_container_resource(struct validation *v, const struct place *at, const char *name) {
        check_name(v, at, name);
        if (!strchr(name, '/')) {
                if (!validate_is_one(name, of_containers) && !validate_is_huge_page(name))
                        validate_invalid_word(v, at, name, "must be a standard resource for containers");
        } else if (!validate_is_native(name) && !validate_is_extended(name)) {
                validate_invalid_word(v, at, name, "doesn't follow extended resource name standard");
        }
}

void validate_pod_resource(struct validation *v, const struct place *at, const char *name) {
        static const char *const supported[] = { "cpu", "hugepages-", "memory", NULL };

        if (check_name(v, at, name) && strcmp(name, "cpu") != 0 && strcmp(name, "memory") != 0 &&
            !validate_is_huge_page(name))
                validate_unsupported(v, at, name, supported);
}

void validate_quota_resource(struct validation *v, const struct place *at, const char *name) {
        check_name(v, at, name);
        if (!strchr(name, '/') && !validate_is_quota_resource(name))
                validate_invalid_word(v, at, name, "must be a standard resource for quota");
}

/* --- amounts --- */

void validate_amount(struct validation *v, const struct place *at, const char *name, struct quantity amount) {
        validate_quantity_not_negative(v, at, amount);
        if (quantity_milli(amount) % 1000 != 0 && (validate_is_one(name, whole) || validate_is_extended(name)))
                validate_invalid_quantity(v, at, amount, NOT_INTEGER);
}

static void check_pages(struct validation *v, const struct place *at, const struct resource_amount *r,
                        bool indivisible) {
        if (validate_is_huge_page(r->name) && !indivisible && !validate_is_divisible(r->name, r->amount))
                validate_invalid_quantity(v, at, r->amount,
                                          validate_text(v, "%s is not positive integer multiple of %s",
                                                        validate_amount_text(v, r->amount), r->name));
}

static void check_request(struct validation *v, const struct place *at, const struct resource_amount *request,
                          const struct quantity *limit) {
        bool over = validate_is_overcommit(request->name);
        int order = limit ? quantity_compare(request->amount, *limit) : 0;

        if (!limit && !over)
                validate_required(v, FIELD(at, "limits"), "Limit must be set for non overcommitable resources");
        else if (order != 0 && !over)
                validate_invalid_quantity(v, FIELD(at, "requests"), request->amount,
                                          validate_text(v, "must be equal to %s limit of %s", request->name,
                                                        validate_amount_text(v, *limit)));
        else if (order > 0)
                validate_invalid_quantity(v, FIELD(at, "requests"), request->amount,
                                          validate_text(v, "must be less than or equal to %s limit of %s",
                                                        request->name, validate_amount_text(v, *limit)));
}

static bool is_cpu_or_memory(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0;
}

/* Huge pages alone make no class of service. */
static void check_kinds(struct validation *v, const struct place *at, const struct kube_resource_requirements *r) {
        const resource_list *const lists[] = { &r->limits, &r->requests };
        bool common = false, pages = false;

        for (size_t i = 0; i < 2; i++)
                list_for_each (one, lists[i]) {
                        common |= is_cpu_or_memory(one->name);
                        pages |= validate_is_huge_page(one->name);
                }
        if (pages && !common)
                validate_forbidden(v, at, "HugePages require cpu or memory");
}

/* --- claims --- */

struct names {
        const char **texts;
        size_t n;
};

static void gather(struct table_node *node, struct names *names) {
        for (; node; node = node->next)
                names->texts[names->n++] = node->key;
}

static const char *claims_told(struct validation *v, const struct validate_set *claims) {
        struct names names = { 0 };

        if (!claims || claims->n == 0)
                return "must be one of the names in pod.spec.resourceClaims which is empty";
        if (validate_is_full(v) || !(names.texts = validate_alloc(v, claims->n, sizeof(char *))))
                return "";
        for (size_t i = 0; i < claims->table.n_buckets; i++)
                gather(claims->table.buckets[i], &names);
        qsort(names.texts, names.n, sizeof(*names.texts), texts_order);
        return validate_text(v, "must be one of the names in pod.spec.resourceClaims: %s",
                             validate_join(v, names.texts, names.n, false));
}

/* Requests of one claim that came before the whole of it: an error for each. */
static void check_parts(struct validation *v, const struct place *at, const kube_resource_claim_items *claims,
                        uint32_t i) {
        for (uint32_t j = 0; j < i && !validate_is_full(v); j++)
                if (kube_is(claims->items[j].name, claims->items[i].name) && claims->items[j].request &&
                    *claims->items[j].request)
                        validate_duplicate(v, at, claims->items[i].name);
}

static void check_claim(struct validation *v, const struct place *at, const kube_resource_claim_items *claims,
                        uint32_t i, struct validate_set *seen) {
        const struct kube_resource_claim *claim = &claims->items[i];
        bool part = claim->request && *claim->request;
        const char *key = claim->name;

        if (validate_set_has(seen, claim->name)) {
                validate_duplicate(v, at, claim->name);
                return;
        }
        if (part) {
                validate_name(v, FIELD(at, "request"), NAME_LABEL, claim->request);
                key = validate_key(v, "%s/%s", claim->name, claim->request);
        }
        if (validate_set_has(seen, key))
                validate_duplicate(v, at, key);
        else if (!part && validate_set_has(seen, validate_key(v, "%s/", claim->name)))
                check_parts(v, at, claims, i);
        validate_set_add(v, seen, key);
        if (part)
                validate_set_add(v, seen, validate_key(v, "%s/", claim->name));
}

static void check_claims(struct validation *v, const struct place *at, const kube_resource_claim_items *claims,
                         const struct validate_set *of_pod) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < claims->count; i++) {
                const char *name = claims->items[i].name;

                if (!name || !*name) {
                        validate_required(v, ITEM(at, i), "");
                        continue;
                }
                check_claim(v, ITEM(at, i), claims, i, &seen);
                if (!of_pod || !validate_set_has(of_pod, name))
                        validate_not_found(v, ITEM(at, i), name, claims_told(v, of_pod));
        }
}

void validate_requirements(struct validation *v, const struct place *at, const struct kube_resource_requirements *r,
                           const struct validate_requirements *rules) {
        list_for_each (limit, &r->limits) {
                const struct place *here = ENTRY(FIELD(at, "limits"), limit->name);

                rules->name(v, here, limit->name);
                validate_amount(v, here, limit->name, limit->amount);
                check_pages(v, here, limit, rules->indivisible);
        }
        list_for_each (request, &r->requests) {
                const struct place *here = ENTRY(FIELD(at, "requests"), request->name);

                rules->name(v, here, request->name);
                validate_amount(v, here, request->name, request->amount);
                check_request(v, at, request, resource_get(&r->limits, request->name));
                check_pages(v, here, request, rules->indivisible);
        }
        check_kinds(v, at, r);
        check_claims(v, FIELD(at, "claims"), &r->claims, rules->claims);
}
