/* The static policy's options (cpumanager/policy_options.go). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "lib/cleanup.h"

enum option { FULL_CORES, STRICT, BY_UNCORE, DISTRIBUTE, ALPHA };

static const struct {
        const char *name;
        enum option option;
} options[] = {
        { "full-pcpus-only", FULL_CORES },
        { "strict-cpu-reservation", STRICT },
        { "prefer-align-cpus-by-uncorecache", BY_UNCORE },
        { "distribute-cpus-across-numa", DISTRIBUTE },
        { "align-by-socket", ALPHA },
        { "distribute-cpus-across-cores", ALPHA },
};

/* As Go's strconv.ParseBool() has it. -1: it is neither. */
static int read_bool(const char *text) {
        static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" }, *const no[] = { "0",     "f",
                                                                                                    "F",     "FALSE",
                                                                                                    "false", "False" };

        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                if (strcmp(text, yes[i]) == 0)
                        return 1;
                if (strcmp(text, no[i]) == 0)
                        return 0;
        }
        return -1;
}

static int set_one(struct cpus *cpus, const char *name, const char *text, struct err **err) {
        int value = read_bool(text);
        size_t i = 0;

        while (i < ELEMENTS(options) && strcmp(options[i].name, name) != 0)
                i++;
        if (i == ELEMENTS(options))
                return err_set(err, EINVAL, "unknown CPU Manager Policy option: \"%.100s\"", name);
        if (options[i].option == ALPHA)
                return err_set(err, EINVAL,
                               "CPU Manager Policy Alpha-level Options not enabled, but option \"%s\" provided", name);
        if (value < 0)
                return err_set(err, EINVAL, "bad value for option \"%s\": \"%.100s\" is neither true nor false", name,
                               text);
        cpus->full_cores |= options[i].option == FULL_CORES && value;
        cpus->strict |= options[i].option == STRICT && value;
        cpus->how.by_uncore |= options[i].option == BY_UNCORE && value;
        cpus->how.distribute |= options[i].option == DISTRIBUTE && value;
        return 0;
}

int cpus_options_set(struct cpus *cpus, const char *list, struct err **err) {
        _cleanup_free_ char *copy = strdup(list ?: "");
        char *rest = copy, *one;
        int r;

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        while ((one = strsep(&rest, ","))) {
                char *value = strchr(one, '=');

                if (!*one)
                        continue;
                if (!value)
                        return err_set(err, EINVAL, "\"%.100s\" is not NAME=VALUE", one);
                *value++ = '\0';
                if ((r = set_one(cpus, one, value, err)) < 0)
                        return r;
        }
        if (cpus->how.by_uncore && cpus->how.distribute)
                return err_set(err, EINVAL,
                               "static policy options prefer-align-cpus-by-uncorecache and distribute-cpus-across-numa "
                               "can not be used at the same time");
        return 0;
}

int cpus_check(const char *policy, const char *policy_options, struct err **err) {
        _cleanup_free_ struct cpus *scratch = NULL;

        if (strcmp(policy, "none") == 0)
                return policy_options && *policy_options ?
                               err_set(err, EINVAL, "None policy: received unsupported options=%.200s",
                                       policy_options) :
                               0;
        if (strcmp(policy, "static") != 0)
                return err_set(err, EINVAL, "unknown policy: \"%.100s\"; there are none and static", policy);
        if (!(scratch = calloc(1, sizeof(*scratch))))
                return err_set(err, ENOMEM, "out of memory");
        return cpus_options_set(scratch, policy_options, err);
}
