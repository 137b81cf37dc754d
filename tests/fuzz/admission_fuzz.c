/* A pod of any bytes: whatever is one is asked of all that admission decides by it alone. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/admission/account_token.h"
#include "api/admission/limits.h"
#include "api/admission/pod_security.h"
#include "api/admission/quota_check.h"
#include "api/admission/toleration.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(struct arena *arena, const struct kube_pod *pod) {
        for (int32_t minor = 0; minor < 37; minor += 3) {
                const struct pod_security_bar baseline = { POD_SECURITY_BASELINE, minor },
                                              restricted = { POD_SECURITY_RESTRICTED, minor };
                struct pod_security_verdict low, high;

                if (pod_security_evaluate(arena, &baseline, &pod->metadata, &pod->spec, &low) < 0 ||
                    pod_security_evaluate(arena, &restricted, &pod->metadata, &pod->spec, &high) < 0)
                        abort();
                /* What the lower bar stops, the higher one does, but of Windows. */
                if (low.reasons && !high.reasons && !pod->spec.os)
                        abort();
        }
}

/* The pod's own amounts as a range, and as a quota: they fit. */
static void compare(struct arena *arena, struct kube_pod *pod) {
        struct kube_limit_range_item item = { .type = "Container" };
        struct kube_limit_range range = { .spec.limits = { &item, 1 } };
        struct kube_resource_quota quota = { .metadata.name = "q" };
        struct quota_item counted = { quota_kind_of("", "pods"), "", "pods", pod };
        struct quota_change change = { .item = counted, .old = counted };
        struct quota_state state = { .quota = &quota };
        const char *text;
        int r;

        if (pod->spec.containers.count > 0) {
                item.default_ = pod->spec.containers.items[0].resources.limits;
                item.default_request = pod->spec.containers.items[0].resources.requests;
                item.max = item.default_;
        }
        r = limits_check_pod(arena, &range, pod, &text);
        if ((r < 0 && r != -E2BIG) || (limits_give(arena, &range, pod) < 0 && r == 0))
                abort();
        change.old.object = NULL;
        if (charge_measure(arena, &change) < 0)
                return;
        quota.status.hard = quota.status.used = state.used = change.usage;
        r = charge_quotas(arena, &change, &state, 1, true, &text);
        if (r < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct kube_service_account account = { .metadata.name = "a" };
        struct arena *arena = arena_new();
        struct kube_pod *pod = arena_new_of(arena, struct kube_pod);
        kube_toleration_items merged;
        const char *text;

        if (kube_json_read(arena, &kube_pod_type, (const char *)data, size, NULL, pod) == 0) {
                evaluate(arena, pod);
                compare(arena, pod);
                if (account_secrets_check(arena, &account, pod, false, &text) < 0 ||
                    account_token_mount(arena, pod, "kube-api-access-x") < 0)
                        abort();
                toleration_merge(arena, &pod->spec.tolerations, &pod->spec.tolerations, &merged);
        }
        arena_free(arena);
        return 0;
}
