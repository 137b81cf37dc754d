/* shutdownGracePeriodByPodPriority: a list of {priority: N, shutdownGracePeriodSeconds: N}. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "agent/config/parts.h"
#include "agent/config/values.h"
#include "lib/err.h"

#define FIELD "shutdownGracePeriodByPodPriority"

static int read_number(const struct value_member *member, int64_t least, int64_t most, int64_t *ret_number,
                       struct err **err) {
        int64_t number;

        if (!value_integer(&member->value, &number))
                return config_want(&member->value, member->key, "a number", err);
        if (number < least || number > most)
                return err_set(err, EINVAL, "line %u: " FIELD ": %s: %lld is not within %lld to %lld", member->line,
                               member->key, (long long)number, (long long)least, (long long)most);
        *ret_number = number;
        return 0;
}

static int read_group(const struct value *value, struct shutdown_group *ret_group, struct err **err) {
        int64_t priority = 0, seconds = 0;
        int r = 0;

        if (!value_is(value, VALUE_MAP))
                return config_want(value, FIELD, "a map for each group", err);
        for (uint32_t i = 0; i < value->count && r == 0; i++) {
                const struct value_member *member = &value->members[i];

                if (strcmp(member->key, "priority") == 0)
                        r = read_number(member, INT32_MIN, INT32_MAX, &priority, err);
                else if (strcmp(member->key, "shutdownGracePeriodSeconds") == 0)
                        r = read_number(member, 0, SHUTDOWN_TOTAL_MAX_S, &seconds, err);
                else
                        r = err_set(err, EINVAL, "line %u: " FIELD ": %s: unknown field", member->line, member->key);
        }
        *ret_group = (struct shutdown_group){ (int32_t)priority, seconds };
        return r;
}

int config_set_shutdown(const struct value *value, struct options *o, struct err **err) {
        int r;

        if (!value_is(value, VALUE_LIST))
                return config_want(value, FIELD, "a list", err);
        if (value_count(value) > SHUTDOWN_GROUPS_MAX)
                return err_set(err, EINVAL, "line %u: " FIELD ": more than %d groups", value->line,
                               SHUTDOWN_GROUPS_MAX);
        o->shutdown.n_groups = value_count(value);
        for (uint32_t i = 0; i < value_count(value); i++)
                if ((r = read_group(value_at(value, i), &o->shutdown.groups[i], err)) < 0)
                        return r;
        return 0;
}
