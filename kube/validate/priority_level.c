/* PriorityLevelConfigurations (k8s.io/kubernetes/pkg/apis/flowcontrol/validation, pkg/registry/flowcontrol; those that
 * are mandatory are in k8s.io/apiserver's pkg/apis/flowcontrol/bootstrap). */
#include <string.h>

#include "kube/flowcontrol_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/flowcontrol.h"
#include "kube/validate/rules.h"
#include "lib/arena.h"

#define QUEUES_MAX 10000000
#define HASH_BITS_MAX 60
#define ZERO_SHARES_ANNOTATION "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares"

static bool given(const char *text) {
        return text && *text;
}

/* Whether hands of that many cards of the deck need more bits than a hash has: log2(deck) * hand, rounded up. */
static bool needs_too_many_bits(int32_t deck, int32_t hand) {
        unsigned bits = 0;
        double product = 1;

        for (int32_t i = 0; i < hand && bits <= HASH_BITS_MAX; i++) {
                product *= deck;
                for (; product >= 2; bits++)
                        product /= 2;
        }
        return bits > HASH_BITS_MAX || (bits == HASH_BITS_MAX && product > 1);
}

static void check_queuing(struct validation *v, const struct place *at,
                          const struct kube_flowcontrol_v1_queuing_configuration *q) {
        const struct place *hand = FIELD(at, "handSize");

        if (q->queue_length_limit <= 0)
                validate_invalid_int(v, FIELD(at, "queueLengthLimit"), q->queue_length_limit, "must be positive");
        if (q->queues <= 0)
                validate_invalid_int(v, FIELD(at, "queues"), q->queues, "must be positive");
        else if (q->queues > QUEUES_MAX)
                validate_invalid_int(v, FIELD(at, "queues"), q->queues, "must not be greater than 10000000");
        if (q->hand_size <= 0)
                validate_invalid_int(v, hand, q->hand_size, "must be positive");
        else if (q->hand_size > q->queues)
                validate_invalid_int(v, hand, q->hand_size,
                                     validate_text(v, "should not be greater than queues (%d)", q->queues));
        else if (needs_too_many_bits(q->queues, q->hand_size))
                validate_invalid_int(v, hand, q->hand_size,
                                     validate_text(v,
                                                   "required entropy bits of deckSize %d and handSize %d should not be "
                                                   "greater than %d",
                                                   q->queues, q->hand_size, HASH_BITS_MAX));
}

static void check_response(struct validation *v, const struct place *at,
                           const struct kube_flowcontrol_v1_limit_response *response) {
        static const char *const types[] = { "Queue", "Reject", NULL };
        const struct place *queuing = FIELD(at, "queuing");

        if (!given(response->type))
                validate_required(v, FIELD(at, "type"), "");
        else if (!validate_is_one(response->type, types))
                validate_unsupported(v, FIELD(at, "type"), response->type, types);
        else if (strcmp(response->type, "Reject") == 0 && response->queuing)
                validate_forbidden(v, queuing, "must be nil if limited.limitResponse.type is not Limited");
        else if (strcmp(response->type, "Queue") == 0 && !response->queuing)
                validate_required(v, queuing, "must not be empty if limited.limitResponse.type is Limited");
        else if (strcmp(response->type, "Queue") == 0)
                check_queuing(v, queuing, response->queuing);
}

static void check_lendable(struct validation *v, const struct place *at, const struct opt_int *percent) {
        if (percent->set && (percent->value < 0 || percent->value > 100))
                validate_invalid_int(v, FIELD(at, "lendablePercent"), percent->value,
                                     "must be between 0 and 100, inclusive");
}

static void check_shares(struct validation *v, const struct place *at, const struct opt_int *shares) {
        if (shares->set && shares->value < 0)
                validate_invalid_int(v, FIELD(at, "nominalConcurrencyShares"), shares->value,
                                     "must be a non-negative integer");
}

static void check_limited(struct validation *v, const struct place *at,
                          const struct kube_flowcontrol_v1_limited_priority_level_configuration *limited) {
        check_shares(v, at, &limited->nominal_concurrency_shares);
        check_response(v, FIELD(at, "limitResponse"), &limited->limit_response);
        check_lendable(v, at, &limited->lendable_percent);
        if (limited->borrowing_limit_percent.set && limited->borrowing_limit_percent.value < 0)
                validate_invalid_int(v, FIELD(at, "borrowingLimitPercent"), limited->borrowing_limit_percent.value,
                                     "if specified, must be a non-negative integer");
}

static void check_level_spec(struct validation *v, const struct place *at,
                             const struct kube_flowcontrol_v1_priority_level_configuration_spec *spec, bool exempt) {
        static const char *const types[] = { "Exempt", "Limited", NULL };
        const struct place *type = FIELD(at, "type");

        if (exempt != kube_is(spec->type, "Exempt"))
                validate_invalid_word(v, type, spec->type, "must be 'Exempt' if and only if `name` is 'exempt'");
        if (kube_is(spec->type, "Exempt")) {
                if (spec->limited)
                        validate_forbidden(v, FIELD(at, "limited"), "must be nil if the type is not Limited");
                if (spec->exempt) {
                        check_shares(v, FIELD(at, "exempt"), &spec->exempt->nominal_concurrency_shares);
                        check_lendable(v, FIELD(at, "exempt"), &spec->exempt->lendable_percent);
                }
        } else if (kube_is(spec->type, "Limited")) {
                if (spec->exempt)
                        validate_forbidden(v, FIELD(at, "exempt"), "must be nil if the type is Limited");
                if (spec->limited)
                        check_limited(v, FIELD(at, "limited"), spec->limited);
                else
                        validate_required(v, FIELD(at, "limited"), "must not be empty when type is Limited");
        } else if (given(spec->type)) {
                validate_unsupported(v, type, spec->type, types);
        } else {
                validate_required(v, type, "");
        }
}

static bool is_catch_all(const struct kube_flowcontrol_v1_priority_level_configuration_spec *spec) {
        const struct kube_flowcontrol_v1_limited_priority_level_configuration *l = spec->limited;

        return kube_is(spec->type, "Limited") && !spec->exempt && l && l->nominal_concurrency_shares.set &&
               l->nominal_concurrency_shares.value == 5 && l->lendable_percent.set && l->lendable_percent.value == 0 &&
               !l->borrowing_limit_percent.set && kube_is(l->limit_response.type, "Reject") &&
               !l->limit_response.queuing;
}

/* In Go the shares of what is limited are no pointer. */
static const char *level_text(struct validation *v,
                              const struct kube_flowcontrol_v1_priority_level_configuration_spec *spec) {
        struct kube_flowcontrol_v1_priority_level_configuration_spec told = *spec;
        struct kube_flowcontrol_v1_limited_priority_level_configuration limited;

        if (told.limited) {
                limited = *told.limited;
                limited.nominal_concurrency_shares.set = true;
                told.limited = &limited;
        }
        return validate_go_json(v, &kube_flowcontrol_v1_priority_level_configuration_spec_type, &told);
}

static void check_level_status(struct validation *v, const void *object, const void *old) {
        const kube_flowcontrol_v1_priority_level_configuration_condition_items *all =
                &((const struct kube_flowcontrol_v1_priority_level_configuration *)object)->status.conditions;
        const char **types = arena_alloc_array(v->arena, (size_t)all->count + 1, sizeof(*types));

        for (uint32_t i = 0; types && i < all->count; i++)
                types[i] = all->items[i].type;
        validate_condition_types(v, types, all->count);
}

static void check_level(struct validation *v, const void *object, const void *old) {
        const struct kube_flowcontrol_v1_priority_level_configuration *new = object;
        const struct place *at = FIELD(NULL, "spec");
        bool exempt = kube_is(new->metadata.name, "exempt");

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (string_map_get(&new->metadata.annotations, ZERO_SHARES_ANNOTATION))
                validate_forbidden(v, FIELD(FIELD(NULL, "metadata"), "annotations"),
                                   "annotation '" ZERO_SHARES_ANNOTATION "' is forbidden");
        check_level_spec(v, at, &new->spec, exempt);
        if (exempt && (new->spec.limited || !kube_is(new->spec.type, "Exempt")))
                validate_invalid_json(v, at, level_text(v, &new->spec),
                                      "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value");
        else if (kube_is(new->metadata.name, "catch-all") && !is_catch_all(&new->spec))
                validate_invalid_json(v, at, level_text(v, &new->spec),
                                      "spec of 'catch-all' must equal the fixed value");
        check_level_status(v, object, old);
}

static const struct validate_sub subs[] = { { "status", check_level_status }, { 0 } };

const struct validate_rules validate_priority_level_rules[] = {
        { "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", NAME_SUBDOMAIN, check_level, check_level,
          subs },
        { 0 },
};
