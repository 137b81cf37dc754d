/* What a device is and how much it has: attributes, and capacities with the amounts that may be asked of them
 * (k8s.io/kubernetes/pkg/apis/resource/validation). */
#include <string.h>

#include "kube/validate/device.h"

#define KEY_MAX 96 /* of a domain, a slash and a name: longer ones are told shortened */
#define VALUE_BYTES_MAX 64
#define VALID_VALUES_MAX 10

/* Its middle left out where it is too long to be told. In the arena. */
static const char *shown_key(struct validation *v, const char *key) {
        size_t n = strlen(key), remaining = KEY_MAX - strlen("...");

        if (n <= KEY_MAX)
                return key;
        return validate_key(v, "%.*s...%s", (int)((remaining + 1) / 2), key, key + n - remaining / 2);
}

/* --- versions: semver.org 2.0.0 --- */

/* A number without leading zeros. Returns what is behind it; NULL: there is none. */
static const char *skip_number(const char *text) {
        size_t n = strspn(text, "0123456789");

        return n == 0 ? NULL : *text == '0' ? text + 1 : text + n;
}

/* Identifiers with dots between them. @numbers: what is digits alone is a number. */
static const char *skip_identifiers(const char *text, bool numbers) {
        static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";

        for (;; text++) {
                size_t n = strspn(text, letters);

                if (n == 0 || (numbers && n > 1 && *text == '0' && strspn(text, "0123456789") == n))
                        return NULL;
                text += n;
                if (*text != '.')
                        return text;
        }
}

static bool is_version(const char *text) {
        for (int i = 0; i < 3; i++) {
                if (i > 0 && *text++ != '.')
                        return false;
                text = skip_number(text);
                if (!text)
                        return false;
        }
        if (*text == '-')
                text = skip_identifiers(text + 1, true);
        if (text && *text == '+')
                text = skip_identifiers(text + 1, false);
        return text && !*text;
}

/* --- attributes --- */

static void check_text(struct validation *v, const struct place *at, const char *text, bool version) {
        if (version && !is_version(text ?: ""))
                validate_invalid(v, at, text, "must be a string compatible with semver.org spec 2.0.0");
        if (strlen(text ?: "") > VALUE_BYTES_MAX)
                validate_too_long(v, at, VALUE_BYTES_MAX);
}

/* Whether there is one. */
static bool has_list(struct validation *v, const struct place *at, const void *items, uint32_t count) {
        if (items && count == 0)
                validate_invalid_json(v, at, "[]", "must not be empty if specified");
        return items;
}

static bool has_texts(struct validation *v, const struct place *at, const string_list *texts, bool version) {
        bool has = has_list(v, at, texts->items, texts->count);

        for (uint32_t i = 0; i < texts->count; i++)
                check_text(v, ITEM(at, i), texts->items[i], version);
        return has;
}

static void check_attribute(struct validation *v, const struct place *at,
                            const struct kube_resource_v1_device_attribute *a) {
        static const char one[] = "exactly one value must be specified";
        int n = (a->bool_ != TRI_UNSET) + a->int_.set + (a->string != NULL) + (a->version != NULL);

        if (a->string)
                check_text(v, FIELD(at, "string"), a->string, false);
        if (a->version)
                check_text(v, FIELD(at, "version"), a->version, true);
        n += has_list(v, FIELD(at, "bools"), a->bools.items, a->bools.count);
        n += has_list(v, FIELD(at, "ints"), a->ints.items, a->ints.count);
        n += has_texts(v, FIELD(at, "strings"), &a->strings, false);
        n += has_texts(v, FIELD(at, "versions"), &a->versions, true);
        if (n == 0)
                validate_invalid(v, at, "", one);
        else if (n > 1)
                validate_invalid_json(v, at, validate_go_json(v, &kube_resource_v1_device_attribute_type, a), one);
}

void validate_device_attributes(struct validation *v, const struct place *at,
                                const struct kube_resource_v1_device *device) {
        list_for_each (entry, &device->attributes) {
                validate_device_qualified(v, at, entry->key);
                check_attribute(v, ENTRY(at, shown_key(v, entry->key)), &entry->value);
        }
}

/* --- capacities --- */

static const char *amount_text(struct validation *v, struct quantity amount) {
        char text[QUANTITY_TEXT_MAX];

        return validate_key(v, "%s", quantity_format(amount, text));
}

static void check_values(struct validation *v, const struct place *at, struct quantity capacity,
                         const struct kube_resource_v1_capacity_request_policy *policy) {
        const char *keys[VALID_VALUES_MAX];
        uint32_t n = policy->valid_values.count;
        const struct quantity *values = policy->valid_values.items;
        bool found = false;

        for (uint32_t i = 1; i < n; i++)
                if (quantity_compare(values[i - 1], values[i]) > 0)
                        validate_invalid_quantity(v, ITEM(at, i), values[i],
                                                  "values must be sorted in ascending order");
        if (validate_device_count(v, at, n, VALID_VALUES_MAX)) {
                for (uint32_t i = 0; i < n; i++) {
                        if (quantity_compare(values[i], capacity) > 0)
                                validate_invalid_quantity(v, ITEM(at, i), values[i],
                                                          validate_text(v, "option is larger than capacity value: %s",
                                                                        amount_text(v, capacity)));
                        found |= quantity_compare(values[i], policy->default_.amount) == 0;
                        keys[i] = validate_key(v, "%lld", (long long)quantity_units(values[i]));
                }
                validate_device_unique(v, at, keys, n);
        }
        if (!found)
                validate_invalid_quantity(v, at, policy->default_.amount,
                                          "default value is not valid according to the requestPolicy");
}

/* @value has to be some steps away from the least. */
static void check_step(struct validation *v, const struct place *at, struct quantity value,
                       const struct kube_resource_v1_capacity_request_policy_range *range) {
        int64_t step = quantity_units(range->step.amount);
        int64_t distance = (int64_t)((uint64_t)quantity_units(value) - (uint64_t)quantity_units(range->min.amount));

        /* There a step of 0 is divided by, and the request fails. */
        if (step == 0 || (step != -1 && distance % step != 0))
                validate_invalid_quantity(v, at, value,
                                          validate_text(v, "value is not a multiple of a given step (%s) from (%s)",
                                                        amount_text(v, range->step.amount),
                                                        amount_text(v, range->min.amount)));
}

static void check_max(struct validation *v, const struct place *at, struct quantity capacity, struct quantity preset,
                      const struct kube_resource_v1_capacity_request_policy_range *range) {
        struct quantity max = range->max.amount;

        if (quantity_compare(range->min.amount, max) > 0)
                validate_invalid_quantity(v, at, range->min.amount,
                                          validate_text(v, "min is larger than max: %s", amount_text(v, max)));
        if (quantity_compare(max, capacity) > 0)
                validate_invalid_quantity(
                        v, at, max,
                        validate_text(v, "max is larger than capacity value: %s", amount_text(v, capacity)));
        if (quantity_compare(preset, max) > 0)
                validate_invalid_quantity(v, at, preset,
                                          validate_text(v, "default is more than max: %s", amount_text(v, max)));
}

static void check_steps(struct validation *v, const struct place *at, struct quantity capacity, struct quantity preset,
                        const struct kube_resource_v1_capacity_request_policy_range *range) {
        struct quantity first = quantity_add(range->min.amount, range->step.amount);

        if (quantity_compare(first, capacity) > 0)
                validate_invalid_quantity(v, at, range->step.amount,
                                          validate_text(v, "one step %s is larger than capacity value: %s",
                                                        amount_text(v, first), amount_text(v, capacity)));
        check_step(v, at, preset, range);
        if (range->max.set)
                check_step(v, at, range->max.amount, range);
}

static void check_range(struct validation *v, const struct place *at, struct quantity capacity, struct quantity preset,
                        const struct kube_resource_v1_capacity_request_policy_range *range) {
        const struct place *min = FIELD(at, "min");

        if (!range->min.set) {
                validate_required(v, min, "required when validRange is defined");
                return;
        }
        if (quantity_compare(range->min.amount, capacity) > 0)
                validate_invalid_quantity(
                        v, min, range->min.amount,
                        validate_text(v, "min is larger than capacity value: %s", amount_text(v, capacity)));
        if (quantity_compare(preset, range->min.amount) < 0)
                validate_invalid_quantity(
                        v, min, preset,
                        validate_text(v, "default is less than min: %s", amount_text(v, range->min.amount)));
        if (range->max.set)
                check_max(v, FIELD(at, "max"), capacity, preset, range);
        if (range->step.set)
                check_steps(v, FIELD(at, "step"), capacity, preset, range);
}

static void check_policy(struct validation *v, const struct place *at, struct quantity capacity,
                         const struct kube_resource_v1_capacity_request_policy *policy) {
        bool values = policy->valid_values.count > 0;

        if (values && policy->valid_range)
                validate_forbidden(v, at,
                                   "exactly one policy can be specified, cannot specify \"validValues\" and "
                                   "\"validRange\" at the same time");
        else if (!values && !policy->valid_range)
                return;
        else if (!policy->default_.set)
                validate_required(v, FIELD(at, "default"),
                                  values ? "required when validValues is defined" :
                                           "required when validRange is defined");
        else if (values)
                check_values(v, FIELD(at, "validValues"), capacity, policy);
        else
                check_range(v, FIELD(at, "validRange"), capacity, policy->default_.amount, policy->valid_range);
}

void validate_device_capacity(struct validation *v, const struct place *at,
                              const struct kube_resource_v1_device *device, bool shared) {
        list_for_each (entry, &device->capacity) {
                const struct place *policy = FIELD(ENTRY(at, shown_key(v, entry->key)), "requestPolicy");

                validate_device_qualified(v, at, entry->key);
                if (entry->value.request_policy && shared)
                        check_policy(v, policy, entry->value.value, entry->value.request_policy);
                else if (entry->value.request_policy)
                        validate_forbidden(v, policy, "allowMultipleAllocations must be true");
        }
}
