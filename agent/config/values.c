#include "agent/config/values.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"

int config_want(const struct value *value, const char *name, const char *what, struct err **err) {
        return err_set(err, EINVAL, "line %u: %s: wants %s, not %s", value->line, name, what, value_kind_name(value));
}

int config_set_text(const struct value *value, const char *name, char **field, struct err **err) {
        const char *text = value_string(value);
        char *copy;

        if (!text)
                return config_want(value, name, "a string", err);
        if (!text[0])
                return 0;
        if (!(copy = strdup(text)))
                return err_set(err, ENOMEM, "out of memory");
        free(*field);
        *field = copy;
        return 0;
}

char *config_append(char *all, const char *key, const char *text) {
        char *longer = NULL;

        if (asprintf(&longer, "%s%s%s%s%s", all, *all ? "," : "", key ?: "", key ? "=" : "", text) < 0)
                longer = NULL;
        free(all);
        return longer;
}

int config_take(char *all, char **field, struct err **err) {
        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        free(*field);
        *field = all;
        return 0;
}

/* {NAME: VALUE, ...} as flags have it: NAME=VALUE,... */
int config_set_pairs(const struct value *value, const char *name, char **field, struct err **err) {
        _cleanup_free_ char *all = strdup("");

        if (!value_is(value, VALUE_MAP))
                return config_want(value, name, "a map", err);
        for (uint32_t i = 0; all && i < value->count; i++) {
                const struct value_member *member = &value->members[i];
                const char *text = value_string(&member->value);

                if (!text || strpbrk(text, ",=") || strpbrk(member->key, ",="))
                        return config_want(&member->value, name, "a string for each key", err);
                all = config_append(all, member->key, text);
        }
        return config_take(TAKE_PTR(all), field, err);
}

int config_get_count(const struct value *value, const char *name, int64_t most, int64_t *ret, struct err **err) {
        int64_t number;

        if (!value_integer(value, &number))
                return config_want(value, name, "a number", err);
        if (number < -1 || number > most)
                return err_set(err, EINVAL, "line %u: %s: %lld is out of range", value->line, name, (long long)number);
        *ret = number;
        return 0;
}

/* Sizes as kubelet's containerLogMaxSize has them: digits and k, M, G, Ki, Mi or Gi. */
int config_set_bytes(const struct value *value, const char *name, int64_t *field, struct err **err) {
        static const struct {
                const char *suffix;
                int64_t factor;
        } units[] = { { "", 1 },      { "k", 1000 },     { "M", 1000000 },    { "G", 1000000000 },
                      { "Ki", 1024 }, { "Mi", 1048576 }, { "Gi", 1073741824 } };
        const char *text = value_string(value);
        char *end = NULL;
        long long number = 0;

        if (!text && value_integer(value, field))
                return 0;
        errno = 0;
        if (text)
                number = strtoll(text, &end, 10);
        if (!text || errno || end == text || number <= 0 || number > INT_MAX)
                return config_want(value, name, "a size like 10Mi", err);
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strcmp(end, units[i].suffix) == 0) {
                        *field = number * units[i].factor;
                        return 0;
                }
        return err_set(err, EINVAL, "line %u: %s: \"%s\" is not a size like 10Mi", value->line, name, text);
}

int config_set_bool(const struct value *value, const char *name, bool *field, struct err **err) {
        if (!value_is(value, VALUE_BOOL))
                return config_want(value, name, "true or false", err);
        *field = value_bool_or(value, false);
        return 0;
}

int config_set_signed(const struct value *value, const char *name, int *field, struct err **err) {
        int64_t number;

        if (!value_integer(value, &number))
                return config_want(value, name, "a number", err);
        if (number < INT_MIN || number > INT_MAX)
                return err_set(err, EINVAL, "line %u: %s: %lld is out of range", value->line, name, (long long)number);
        *field = (int)number;
        return 0;
}

static int set_duration(const struct value *value, const char *name, int64_t least, int64_t *field, struct err **err) {
        const char *text = value_string(value);
        int64_t ns;

        if (!text)
                return config_want(value, name, "a duration like 1m30s", err);
        if (duration_parse(text, &ns) < 0 || ns < least)
                return err_set(err, EINVAL, "line %u: %s: \"%s\" is not a duration like 1m30s", value->line, name,
                               text);
        if (ns != 0)
                *field = ns / 1000000 ?: -(ns < 0);
        return 0;
}

int config_set_duration(const struct value *value, const char *name, int64_t *field, struct err **err) {
        return set_duration(value, name, 0, field, err);
}

int config_set_period(const struct value *value, const char *name, int64_t *field, struct err **err) {
        return set_duration(value, name, INT64_MIN, field, err);
}
