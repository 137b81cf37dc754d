/* What objects gain on their way through the version that kube-apiserver converts all versions to: fields that are two
 * names of one thing become the same. */
#include <errno.h>
#include <string.h>

#include "kube/apiextensions_v1.h"
#include "kube/apps_v1.h"
#include "kube/autoscaling_v1.h"
#include "kube/core_v1.h"
#include "kube/defaults/rules.h"
#include "lib/arena.h"

#define METRICS "autoscaling.alpha.kubernetes.io/metrics" /* all but the CPU's, in an annotation */
#define CPU_PERCENT 80

static bool is_empty(const char *text) {
        return !text || !*text;
}

static int join_service_accounts(struct defaults_work *w, void *object) {
        struct kube_pod_spec *spec = object;

        (void)w;
        if (is_empty(spec->service_account_name))
                spec->service_account_name = spec->service_account;
        spec->service_account = spec->service_account_name;
        return 0;
}

static int join_addresses(struct defaults_work *w, void *object) {
        struct kube_pod_status *status = object;
        struct kube_pod_ip *first = status->pod_ips.items;

        if (!is_empty(status->pod_ip) && (status->pod_ips.count == 0 || strcmp(first->ip ?: "", status->pod_ip) != 0)) {
                first = arena_new_of(w->arena, struct kube_pod_ip);
                if (!first)
                        return -ENOMEM;
                first->ip = status->pod_ip;
                status->pod_ips.items = first;
                status->pod_ips.count = 1;
        }
        if (status->pod_ips.count > 0)
                status->pod_ip = status->pod_ips.items[0].ip;
        return 0;
}

static int join_ranges(struct defaults_work *w, void *object) {
        struct kube_node_spec *spec = object;
        string_list *ranges = &spec->pod_cidrs;

        if (!is_empty(spec->pod_cidr) && (ranges->count == 0 || strcmp(ranges->items[0], spec->pod_cidr) != 0)) {
                ranges->items = arena_alloc_array(w->arena, 1, sizeof(char *));
                if (!ranges->items)
                        return -ENOMEM;
                ranges->items[0] = spec->pod_cidr;
                ranges->count = 1;
        }
        if (ranges->count > 0)
                spec->pod_cidr = ranges->items[0];
        return 0;
}

/* Text is data like other; both are sorted. */
static int join_data(struct defaults_work *w, void *object) {
        struct kube_secret *secret = object;
        const uint32_t n_data = secret->data.count, n_text = secret->string_data.count;
        __typeof__(secret->data.items) items;
        uint32_t n = 0, i = 0, k = 0;

        if (n_text == 0) {
                secret->string_data.items = NULL;
                return 0;
        }
        items = arena_alloc_array(w->arena, (size_t)n_data + n_text, sizeof(*items));
        if (!items)
                return -ENOMEM;
        while (i < n_data || k < n_text) {
                const struct string_pair *text = &secret->string_data.items[k];
                int order = i >= n_data ? 1 : k >= n_text ? -1 : strcmp(secret->data.items[i].key, text->key);

                if (order < 0) {
                        items[n++] = secret->data.items[i++];
                        continue;
                }
                items[n].key = text->key;
                items[n].value = (struct kube_bytes){ (const uint8_t *)text->value, (uint32_t)strlen(text->value) };
                n++;
                k++;
                i += order == 0;
        }
        secret->data.items = items;
        secret->data.count = n;
        secret->string_data.items = NULL;
        secret->string_data.count = 0;
        return 0;
}

static int name_claims(struct defaults_work *w, void *object) {
        struct kube_apps_v1_stateful_set_spec *spec = object;

        (void)w;
        list_for_each (claim, &spec->volume_claim_templates) {
                claim->kind = "PersistentVolumeClaim";
                claim->api_version = "v1";
        }
        return 0;
}

static int fill_cpu(struct defaults_work *w, void *object) {
        struct kube_autoscaling_v1_horizontal_pod_autoscaler *scaler = object;
        struct opt_int *percent = &scaler->spec.target_cpu_utilization_percentage;

        (void)w;
        if (!percent->set && !string_map_get(&scaler->metadata.annotations, METRICS))
                *percent = (struct opt_int){ CPU_PERCENT, true };
        return 0;
}

/* A webhook that says nothing is none. */
static int drop_webhook(struct defaults_work *w, void *object) {
        struct kube_apiextensions_v1_custom_resource_conversion *conversion = object;

        (void)w;
        if (conversion->webhook && !conversion->webhook->client_config &&
            conversion->webhook->conversion_review_versions.count == 0)
                conversion->webhook = NULL;
        return 0;
}

const struct defaults_rule defaults_hub_rules[] = {
        { &kube_apiextensions_v1_custom_resource_conversion_type, drop_webhook },
        { &kube_apps_v1_stateful_set_spec_type, name_claims },
        { &kube_autoscaling_v1_horizontal_pod_autoscaler_type, fill_cpu },
        { &kube_node_spec_type, join_ranges },
        { &kube_pod_spec_type, join_service_accounts },
        { &kube_pod_status_type, join_addresses },
        { &kube_secret_type, join_data },
        { .type = NULL },
};
