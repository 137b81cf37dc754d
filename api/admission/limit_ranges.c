/* LimitRanger: what the namespace's LimitRanges give to pods, and want of pods and claims. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/admission/limits.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/value.h"

/* A pod changes by its resize alone; what is going is left as it is. */
static bool is_due(const struct admission *a) {
        bool update = a->operation == ADMISSION_UPDATE, pod = strcmp(a->r->kind->resource, "pods") == 0;

        return !(update && pod && !a->r->sub) && !(!update && a->r->sub) &&
               !(update && value_find(a->r->current_tree, "metadata.deletionTimestamp"));
}

static int find(const struct admission *a, struct admission_list *ret_list) {
        *ret_list = (struct admission_list){ 0 };
        return is_due(a) ? admission_list(a, "", "limitranges", a->namespace, ret_list) : 0;
}

static enum api_step fail(struct admission *a, const struct kube_limit_range *range, int error) {
        if (error == -E2BIG)
                return admission_forbid(a, "limit range %s, or the pod, has more amounts than can be compared",
                                        range->metadata.name);
        return api_fail(a->r, error, NULL);
}

enum api_step admission_default_limits(struct admission *a) {
        struct admission_list ranges;
        struct kube_pod *pod;
        int error = strcmp(a->r->kind->resource, "pods") == 0 ? find(a, &ranges) : 0;

        if (error < 0)
                return api_fail(a->r, error, NULL);
        if (strcmp(a->r->kind->resource, "pods") != 0 || ranges.n == 0)
                return API_NEXT;
        if (!(pod = admission_object(a)))
                return API_END;
        for (size_t i = 0; i < ranges.n; i++) {
                error = limits_give(a->arena, ranges.items[i], pod);
                if (error < 0)
                        return fail(a, ranges.items[i], error);
                a->changed |= error > 0;
        }
        return API_NEXT;
}

enum api_step admission_check_limits(struct admission *a) {
        bool pod = strcmp(a->r->kind->resource, "pods") == 0;
        struct admission_list ranges;
        int error = find(a, &ranges);
        const void *object;

        if (error < 0)
                return api_fail(a->r, error, NULL);
        if (ranges.n == 0)
                return API_NEXT;
        if (!(object = admission_object(a)))
                return API_END;
        for (size_t i = 0; i < ranges.n; i++) {
                const char *text = NULL;

                error = pod ? limits_check_pod(a->arena, ranges.items[i], object, &text) :
                              limits_check_claim(a->arena, ranges.items[i], object, &text);
                if (error < 0)
                        return fail(a, ranges.items[i], error);
                if (text)
                        return admission_forbid(a, "%s", text);
        }
        return API_NEXT;
}
