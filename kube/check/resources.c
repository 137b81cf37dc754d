#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "kube/pod/resources.h"

static bool is_huge_page(const char *name) {
        return strncmp(name, "hugepages-", 10) == 0;
}

/* Without a domain or with kubernetes.io: resources of Kubernetes' own. */
static bool is_native(const char *name) {
        return !strchr(name, '/') || strstr(name, "kubernetes.io/");
}

static bool is_standard(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 || strcmp(name, "ephemeral-storage") == 0 ||
               is_huge_page(name);
}

static void check_resource_name(struct check *c, const char *name, bool pod_level) {
        const char *problem = name_problem(NAME_QUALIFIED, name);

        if (problem)
                check_invalid(c, "", name, problem);
        else if (pod_level && (!is_standard(name) || strcmp(name, "ephemeral-storage") == 0))
                check_unsupported(c, "", name, (const char *const[]){ "cpu", "hugepages-", "memory", NULL });
        else if (!strchr(name, '/') && !is_standard(name))
                check_invalid(c, "", name, "must be a standard resource for containers");
        else if (strncmp(name, "requests.", 9) == 0)
                check_invalid(c, "", name, "doesn't follow extended resource name standard");
}

static void check_amount(struct check *c, const struct resource_amount *r) {
        char text[QUANTITY_TEXT_MAX], detail[160];
        struct quantity page;

        quantity_format(r->amount, text);
        if (quantity_sign(r->amount) < 0)
                check_invalid(c, "", text, "must be greater than or equal to 0");
        else if (!is_native(r->name) && r->amount.exponent != 0)
                check_invalid(c, "", text, "must be an integer");
        if (!is_huge_page(r->name))
                return;
        if (quantity_parse(r->name + 10, &page, NULL) < 0 || page.exponent != 0 || page.value <= 0 ||
            r->amount.exponent != 0 || r->amount.value % page.value != 0) {
                snprintf(detail, sizeof(detail), "%s is not positive integer multiple of %.64s", text, r->name);
                check_invalid(c, "", text, detail);
        }
}

static void check_list(struct check *c, const resource_list *list, const char *child, bool pod_level) {
        list_for_each (r, list) {
                size_t before = TRAIL_ENTER(c, "%s[%s]", child, r->name);

                check_resource_name(c, r->name, pod_level);
                check_amount(c, r);
                TRAIL_LEAVE(c, before);
        }
}

/* A request is no more than its limit, and equal to it where there is nothing to overcommit. */
static void check_request(struct check *c, const struct resource_amount *request, const resource_list *limits) {
        const struct quantity *limit = resource_get(limits, request->name);
        bool overcommit = is_native(request->name) && !is_huge_page(request->name);
        char text[QUANTITY_TEXT_MAX], limit_text[QUANTITY_TEXT_MAX], detail[256];
        int order;

        if (!limit) {
                if (!overcommit)
                        check_required(c, ".limits", "Limit must be set for non overcommitable resources");
                return;
        }
        order = quantity_compare(request->amount, *limit);
        if (order == 0 || (overcommit && order < 0))
                return;
        snprintf(detail, sizeof(detail), "must be %s %.128s limit of %s",
                 overcommit ? "less than or equal to" : "equal to", request->name, quantity_format(*limit, limit_text));
        check_invalid(c, ".requests", quantity_format(request->amount, text), detail);
}

static bool has_compute(const struct kube_resource_requirements *r) {
        return resource_get(&r->requests, "cpu") || resource_get(&r->requests, "memory") ||
               resource_get(&r->limits, "cpu") || resource_get(&r->limits, "memory");
}

static bool has_huge_pages(const resource_list *list) {
        list_for_each (r, list)
                if (is_huge_page(r->name))
                        return true;
        return false;
}

static bool has_claim(const struct pod *pod, const char *name) {
        list_for_each (claim, &pod->spec.resource_claims)
                if (kube_is(claim->name, name))
                        return true;
        return false;
}

/* Each is one of the pod's. */
static void check_claims(struct check *c, const kube_resource_claim_items *claims) {
        for (uint32_t i = 0; i < claims->count; i++) {
                size_t before = TRAIL_ENTER(c, ".claims[%u]", i);

                if (!claims->items[i].name)
                        check_required(c, "", "");
                else if (!has_claim(c->pod, claims->items[i].name))
                        check_not_found(c, "", claims->items[i].name);
                TRAIL_LEAVE(c, before);
        }
}

void check_resources(struct check *c, const struct kube_resource_requirements *resources, bool pod_level) {
        size_t before = TRAIL_ENTER(c, ".resources");

        check_no_effect(c, ".claims", resources->claims.items);
        if (!pod_level)
                check_claims(c, &resources->claims);
        check_list(c, &resources->limits, ".limits", pod_level);
        check_list(c, &resources->requests, ".requests", pod_level);
        list_for_each (request, &resources->requests)
                check_request(c, request, &resources->limits);
        if (!has_compute(resources) && (has_huge_pages(&resources->limits) || has_huge_pages(&resources->requests)))
                check_forbidden(c, "", "HugePages require cpu or memory");
        if (pod_level && resources->claims.items)
                check_forbidden(c, ".claims", "claims may not be set for Resources at pod-level");
        TRAIL_LEAVE(c, before);
}

/* A container's limit is no more than the pod's. */
static void check_container_limits(struct check *c, const kube_container_items *list, const char *name) {
        char text[QUANTITY_TEXT_MAX], limit_text[QUANTITY_TEXT_MAX], detail[96];

        for (uint32_t i = 0; i < list->count; i++) {
                list_for_each (limit, &list->items[i].resources.limits) {
                        const struct quantity *whole = resource_get(&c->pod->spec.resources->limits, limit->name);
                        size_t before;

                        if (!whole || quantity_compare(limit->amount, *whole) <= 0)
                                continue;
                        snprintf(detail, sizeof(detail), "must be less than or equal to pod limits of %s",
                                 quantity_format(*whole, limit_text));
                        before = TRAIL_ENTER(c, ".%s[%u].resources.limits[%s]", name, i, limit->name);
                        check_invalid(c, "", quantity_format(limit->amount, text), detail);
                        TRAIL_LEAVE(c, before);
                }
        }
}

void check_pod_resources(struct check *c) {
        char text[QUANTITY_TEXT_MAX], total_text[QUANTITY_TEXT_MAX], detail[128];
        const struct pod *pod = c->pod;

        if (!pod->spec.resources)
                return;
        check_resources(c, pod->spec.resources, true);
        check_container_limits(c, &pod->spec.containers, "containers");
        check_container_limits(c, &pod->spec.init_containers, "initContainers");
        list_for_each (request, &pod->spec.resources->requests) {
                struct quantity total = pod_containers_request(pod, request->name);
                size_t before;

                if (quantity_compare(request->amount, total) >= 0)
                        continue;
                snprintf(detail, sizeof(detail), "must be greater than or equal to aggregate container requests of %s",
                         quantity_format(total, total_text));
                before = TRAIL_ENTER(c, ".resources.requests[%s]", request->name);
                check_invalid(c, "", quantity_format(request->amount, text), detail);
                TRAIL_LEAVE(c, before);
        }
}
