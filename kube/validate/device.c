#include "kube/validate/device.h"

#include <ctype.h>
#include <string.h>

#include "kube/validate/pod.h"
#include "kube/validate/pod_rules.h"

#define COUNTERS_MAX 32 /* of a set */
#define POOL_NAME_MAX 253
#define IDENTIFIER_MAX 32
#define EXPRESSION_BYTES_MAX (10 * 1024)
#define CONDITIONS_MAX 4
#define UUID_LENGTH 36

bool validate_device_count(struct validation *v, const struct place *at, uint32_t count, int max) {
        if (count <= (uint32_t)max)
                return true;
        validate_too_many(v, at, (int)count, max);
        return false;
}

void validate_device_unique(struct validation *v, const struct place *at, const char *const *keys, uint32_t n) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < n; i++)
                if (!validate_set_add(v, &seen, keys[i]))
                        validate_duplicate(v, ITEM(at, i), keys[i]);
}

void validate_device_unique_texts(struct validation *v, const struct place *at, const string_list *texts) {
        validate_device_unique(v, at, texts->items, texts->count);
}

/* --- names --- */

void validate_device_counters(struct validation *v, const struct place *at,
                              const struct kube_resource_v1_counter_entry *counters, uint32_t n) {
        if (n == 0)
                validate_required(v, at, "");
        else if (validate_device_count(v, at, n, COUNTERS_MAX))
                for (uint32_t i = 0; i < n; i++)
                        validate_name(v, at, NAME_LABEL, counters[i].key);
}

void validate_pool_name(struct validation *v, const struct place *at, const char *name) {
        if (!name || !*name) {
                validate_required(v, at, "");
                return;
        }
        if (strlen(name) > POOL_NAME_MAX)
                validate_too_long(v, at, POOL_NAME_MAX);
        for (const char *part = name, *end; part; part = *end ? end + 1 : NULL) {
                end = part + strcspn(part, "/");
                validate_name(v, at, NAME_SUBDOMAIN, validate_copy(v, part, (size_t)(end - part)));
        }
}

static void check_identifier(struct validation *v, const struct place *at, const char *id) {
        if (strlen(id) > IDENTIFIER_MAX)
                validate_too_long(v, at, IDENTIFIER_MAX);
        validate_name(v, at, NAME_C_IDENTIFIER, id);
}

/* Of more than two parts nothing is said, as there. */
void validate_device_qualified(struct validation *v, const struct place *at, const char *name) {
        const char *slash = name ? strchr(name, '/') : NULL;

        if (!slash) {
                check_identifier(v, at, name ?: "");
                return;
        }
        if (strchr(slash + 1, '/'))
                return;
        if (slash == name)
                validate_invalid(v, at, "", "the domain must not be empty");
        else
                validate_driver_name(v, at, validate_copy(v, name, (size_t)(slash - name)));
        if (!slash[1])
                validate_invalid(v, at, "", "the name must not be empty");
        else
                check_identifier(v, at, slash + 1);
}

void validate_device_fully_qualified(struct validation *v, const struct place *at, const char *name) {
        validate_device_qualified(v, at, name);
        if (!name || !strchr(name, '/'))
                validate_invalid_word(v, at, name,
                                      "a fully qualified name must be a domain and a name separated by a slash");
}

/* --- UUIDs, in the words of github.com/google/uuid --- */

static bool has_uuid_form(const char *text) {
        for (size_t i = 0; i < UUID_LENGTH; i++)
                if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
                        return false;
        return true;
}

/* NULL where it is one, in any form. */
static const char *uuid_problem(struct validation *v, const char *text) {
        static const char urn[] = "urn:uuid:";
        size_t n = strlen(text);

        if (n == UUID_LENGTH + strlen(urn)) {
                const char *head = validate_copy(v, text, strlen(urn));

                if (strcasecmp(head, urn) != 0)
                        return validate_text(v, "invalid urn prefix: %s", validate_quoted(v, head));
                text += strlen(urn);
        } else if (n == UUID_LENGTH + 2) {
                if (text[0] != '{' || text[n - 1] != '}')
                        return "invalid bracketed UUID format";
                text++;
        } else if (n == UUID_LENGTH - 4) {
                return strspn(text, "0123456789abcdefABCDEF") == n ? NULL : "invalid UUID format";
        } else if (n != UUID_LENGTH) {
                return validate_text(v, "invalid UUID length: %zu", n);
        }
        return has_uuid_form(text) ? NULL : "invalid UUID format";
}

void validate_device_uid(struct validation *v, const struct place *at, const char *uid) {
        const char *text = uid ?: "", *problem = uuid_problem(v, text);

        if (problem)
                validate_invalid(v, at, text, validate_text(v, "error validating uid: %s", problem));
        else if (strlen(text) != UUID_LENGTH || strpbrk(text, "ABCDEF"))
                validate_invalid(v, at, text,
                                 "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with "
                                 "lowercase hexadecimal characters");
}

/* --- what is configured --- */

void validate_device_raw(struct validation *v, const struct place *at, const struct kube_raw *raw, bool stored) {
        if (!raw->text || strcmp(raw->text, "null") == 0)
                validate_required(v, at, "");
        else if (!stored && raw->length > DEVICE_RAW_BYTES_MAX)
                validate_too_long(v, at, DEVICE_RAW_BYTES_MAX);
        else if (raw->text[0] != '{')
                validate_invalid(v, at, "<value omitted>", "must be a valid JSON object");
}

void validate_device_config(struct validation *v, const struct place *at,
                            const struct kube_resource_v1_opaque_device_configuration *opaque, bool stored) {
        const struct place *here = FIELD(at, "opaque");

        if (!opaque) {
                validate_required(v, here, "");
                return;
        }
        validate_driver_name(v, FIELD(here, "driver"), opaque->driver);
        validate_device_raw(v, FIELD(here, "parameters"), &opaque->parameters, stored);
}

void validate_device_selectors(struct validation *v, const struct place *at,
                               const kube_resource_v1_device_selector_items *selectors) {
        if (!validate_device_count(v, at, selectors->count, DEVICE_SELECTORS_MAX))
                return;
        for (uint32_t i = 0; i < selectors->count; i++) {
                const struct kube_resource_v1_cel_device_selector *cel = selectors->items[i].cel;
                const struct place *here = FIELD(ITEM(at, i), "cel");

                if (!cel)
                        validate_required(v, here, "");
                else if (strlen(cel->expression ?: "") > EXPRESSION_BYTES_MAX)
                        validate_too_long(v, FIELD(here, "expression"), EXPRESSION_BYTES_MAX);
        }
}

/* --- taints --- */

static const char *const effects[] = { "NoExecute", "NoSchedule", "None", NULL };

void validate_device_taint(struct validation *v, const struct place *at,
                           const struct kube_resource_v1_device_taint *taint) {
        validate_name(v, FIELD(at, "key"), NAME_QUALIFIED, taint->key);
        validate_name(v, FIELD(at, "value"), NAME_LABEL_VALUE, taint->value);
        if (!taint->effect || !*taint->effect)
                validate_required(v, FIELD(at, "effect"), "");
        else
                validate_choice(v, FIELD(at, "effect"), taint->effect, effects);
}

static void check_toleration(struct validation *v, const struct place *at,
                             const struct kube_resource_v1_device_toleration *t) {
        const char *operator= t->operator?: "";

        if (t->key && *t->key)
                validate_name(v, FIELD(at, "key"), NAME_QUALIFIED, t->key);
        if (strcmp(operator, "Equal") == 0)
                validate_name(v, FIELD(at, "value"), NAME_LABEL_VALUE, t->value);
        else if (!*operator)
                validate_required(v, FIELD(at, "operator"), "");
        else if (strcmp(operator, "Exists") != 0)
                validate_unsupported(v, FIELD(at, "operator"), operator, POD_TEXTS("Equal", "Exists"));
        else if (t->value && *t->value)
                validate_invalid(v, FIELD(at, "value"), t->value, "must be empty for operator `Exists`");
        if (t->effect && *t->effect)
                validate_choice(v, FIELD(at, "effect"), t->effect, effects);
}

void validate_device_tolerations(struct validation *v, const struct place *at,
                                 const kube_resource_v1_device_toleration_items *tolerations) {
        for (uint32_t i = 0; i < tolerations->count; i++)
                check_toleration(v, ITEM(at, i), &tolerations->items[i]);
}

/* --- conditions of a binding --- */

static void check_condition_names(struct validation *v, const struct place *at, const string_list *names) {
        if (!validate_device_count(v, at, names->count, CONDITIONS_MAX))
                return;
        for (uint32_t i = 0; i < names->count; i++)
                validate_name(v, ITEM(at, i), NAME_QUALIFIED, names->items[i]);
}

static void check_failures(struct validation *v, const struct place *at, const string_list *conditions,
                           const string_list *failures) {
        _cleanup_validate_set_ struct validate_set good = { 0 }, seen = { 0 };

        list_for_each (name, conditions)
                validate_set_add(v, &good, *name);
        for (uint32_t i = 0; i < failures->count; i++) {
                if (!validate_set_add(v, &seen, failures->items[i]))
                        validate_duplicate(v, ITEM(at, i), failures->items[i]);
                if (validate_set_has(&good, failures->items[i]))
                        validate_invalid(v, ITEM(at, i), failures->items[i],
                                         "bindingFailureConditions must not overlap with bindingConditions");
        }
}

void validate_device_conditions(struct validation *v, const struct place *at, const string_list *conditions,
                                const string_list *failures) {
        const struct place *good = FIELD(at, "bindingConditions"), *bad = FIELD(at, "bindingFailureConditions");

        check_condition_names(v, good, conditions);
        check_condition_names(v, bad, failures);
        validate_device_unique_texts(v, good, conditions);
        check_failures(v, bad, conditions, failures);
        if (conditions->count == 0 && failures->count > 0)
                validate_invalid_json(v, good, validate_json_strings(v, conditions),
                                      "bindingConditions are required to use bindingFailureConditions");
        if (failures->count == 0 && conditions->count > 0)
                validate_invalid_json(v, bad, validate_json_strings(v, failures),
                                      "bindingFailureConditions are required to use bindingConditions");
}
