/* Profiles as files: the JSON of Docker and Kubernetes, of which the OCI runtime-spec's linux.seccomp is a part. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"
#include "runtime/capability.h"
#include "runtime/seccomp_build.h"

static const struct {
        const char *name;
        uint32_t action; /* without its errno */
} actions[] = {
        { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
        { "SCMP_ACT_LOG", SCMP_ACT_LOG },
        { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
        { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
        { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
        { "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
        { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
        { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
};

static const struct {
        const char *name;
        enum scmp_compare compare;
} operators[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE },
        { "SCMP_CMP_LT", SCMP_CMP_LT },
        { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ },
        { "SCMP_CMP_GE", SCMP_CMP_GE },
        { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct {
        const char *name;
        uint32_t flag;
} flags[] = {
        { "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* the filter is loaded while there is one thread */
        { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
};

/* As profiles name them, and as uname(2) does. */
static const struct {
        const char *name, *machine;
} architectures[] = {
        { "amd64", "x86_64" }, { "x86", "i686" },        { "arm64", "aarch64" },   { "arm", "armv7l" },
        { "s390x", "s390x" },  { "riscv64", "riscv64" }, { "ppc64le", "ppc64le" },
};

#define ARGUMENTS_MAX 6

/* The action @key of @from with the errno @errno_key, or @fallback when there is none. */
static int read_action(const char *profile, const struct value *from, const char *key, const char *errno_key,
                       uint32_t *ret_action, struct err **err) {
        const char *name = value_string(value_get(from, key));
        int64_t number = EPERM;

        if (!name)
                return err_set(err, EINVAL, "seccomp profile %s:%u: %s is missing", profile, from->line, key);
        if (value_get(from, errno_key) &&
            (!value_integer(value_get(from, errno_key), &number) || number < 0 || number > 4095))
                return err_set(err, EINVAL, "seccomp profile %s:%u: %s is not an error number", profile, from->line,
                               errno_key);
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (strcmp(actions[i].name, name) != 0)
                        continue;
                bool numbered = actions[i].action == SCMP_ACT_ERRNO(0) || actions[i].action == SCMP_ACT_TRACE(0);
                *ret_action = actions[i].action | (numbered ? (uint32_t)number : 0);
                return 0;
        }
        return err_set(err, EINVAL, "seccomp profile %s:%u: %s \"%s\" is not supported", profile, from->line, key,
                       name);
}

static int read_flags(struct seccomp_build *build, const struct value *list, struct err **err) {
        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *name = value_string_or(value_at(list, i), "");
                bool known = false;

                for (size_t j = 0; j < ELEMENTS(flags); j++)
                        if (strcmp(flags[j].name, name) == 0) {
                                build->flags |= flags[j].flag;
                                known = true;
                        }
                if (!known)
                        return err_set(err, EINVAL, "seccomp profile %s:%u: flag \"%s\" is not supported", build->name,
                                       list->line, name);
        }
        return 0;
}

static bool lists_capability(const struct value *list, uint64_t bounding) {
        for (uint32_t i = 0; i < value_count(list); i++) {
                uint64_t mask = 0;

                if (capability_parse(value_string_or(value_at(list, i), ""), &mask, NULL) == 0 && (mask & bounding))
                        return true;
        }
        return false;
}

static bool lists_architecture(const struct value *list, const char *machine) {
        for (uint32_t i = 0; i < value_count(list); i++)
                for (size_t j = 0; j < ELEMENTS(architectures); j++)
                        if (strcmp(architectures[j].machine, machine) == 0 &&
                            strcmp(architectures[j].name, value_string_or(value_at(list, i), "")) == 0)
                                return true;
        return false;
}

static bool at_least(const char *release, const char *wanted) {
        unsigned a[2] = { 0 }, b[2] = { 0 };

        if (sscanf(release, "%u.%u", &a[0], &a[1]) != 2 || sscanf(wanted, "%u.%u", &b[0], &b[1]) != 2)
                return false;
        return a[0] > b[0] || (a[0] == b[0] && a[1] >= b[1]);
}

/* Docker's conditions on a rule: everything that @includes names, nothing that @excludes names. */
static bool applies(const struct value *rule, uint64_t bounding) {
        const struct value *includes = value_get(rule, "includes"), *excludes = value_get(rule, "excludes");
        struct utsname host;

        uname(&host);
        if (value_count(value_get(includes, "caps")) && !lists_capability(value_get(includes, "caps"), bounding))
                return false;
        if (value_count(value_get(includes, "arches")) &&
            !lists_architecture(value_get(includes, "arches"), host.machine))
                return false;
        if (value_string(value_get(includes, "minKernel")) &&
            !at_least(host.release, value_string(value_get(includes, "minKernel"))))
                return false;
        return !lists_capability(value_get(excludes, "caps"), bounding) &&
               !lists_architecture(value_get(excludes, "arches"), host.machine);
}

/* Numbers beyond int64 are kept as text by the reader. */
static uint64_t read_u64(const struct value *value) {
        int64_t number;

        if (value_integer(value, &number))
                return (uint64_t)number;
        return value_is(value, VALUE_NUMBER) ? strtoull(value->text, NULL, 10) : 0;
}

static int read_condition(const char *profile, const struct value *arg, struct scmp_arg_cmp *ret_condition,
                          struct err **err) {
        const char *op = value_string_or(value_get(arg, "op"), "");
        int64_t index = -1;

        if (!value_integer(value_get(arg, "index"), &index) || index < 0 || index >= ARGUMENTS_MAX)
                return err_set(err, EINVAL, "seccomp profile %s:%u: index of an argument is 0 to 5", profile,
                               arg->line);
        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strcmp(operators[i].name, op) == 0) {
                        *ret_condition = (struct scmp_arg_cmp){ .arg = (unsigned)index,
                                                                .op = operators[i].compare,
                                                                .datum_a = read_u64(value_get(arg, "value")),
                                                                .datum_b = read_u64(value_get(arg, "valueTwo")) };
                        return 0;
                }
        return err_set(err, EINVAL, "seccomp profile %s:%u: operator \"%s\" is not known", profile, arg->line, op);
}

/* Conditions on one argument twice are alternatives (the kernel's library refuses them in one rule): each becomes a
 * rule. */
static bool repeats_argument(const struct scmp_arg_cmp *conditions, uint32_t n) {
        unsigned seen = 0;

        for (uint32_t i = 0; i < n; i++) {
                if (seen & (1u << conditions[i].arg))
                        return true;
                seen |= 1u << conditions[i].arg;
        }
        return false;
}

static int add_rule(struct seccomp_build *build, uint32_t action, const char *name,
                    const struct scmp_arg_cmp *conditions, uint32_t n, struct err **err) {
        int r = 0;

        if (!repeats_argument(conditions, n))
                return seccomp_build_rule(build, action, name, conditions, n, err);
        for (uint32_t i = 0; i < n && r == 0; i++)
                r = seccomp_build_rule(build, action, name, &conditions[i], 1, err);
        return r;
}

static int read_rule(struct seccomp_build *build, const struct value *rule, uint64_t bounding, struct err **err) {
        const struct value *names = value_get(rule, "names"), *args = value_get(rule, "args");
        struct scmp_arg_cmp conditions[ARGUMENTS_MAX];
        const char *single = value_string(value_get(rule, "name"));
        uint32_t action;
        int r;

        if (!applies(rule, bounding))
                return 0;
        r = read_action(build->name, rule, "action", "errnoRet", &action, err);
        if (r == 0 && value_count(args) > ARGUMENTS_MAX)
                r = err_set(err, EINVAL, "seccomp profile %s:%u: more than %d arguments", build->name, rule->line,
                            ARGUMENTS_MAX);
        for (uint32_t i = 0; i < value_count(args) && r == 0; i++)
                r = read_condition(build->name, value_at(args, i), &conditions[i], err);
        if (r == 0 && single)
                r = add_rule(build, action, single, conditions, value_count(args), err);
        for (uint32_t i = 0; i < value_count(names) && r == 0; i++)
                r = add_rule(build, action, value_string_or(value_at(names, i), ""), conditions, value_count(args),
                             err);
        return r;
}

int seccomp_profile_rules(struct seccomp_build *build, const char *name, const struct value *profile, uint64_t bounding,
                          struct err **err) {
        const struct value *rules;
        uint32_t action;
        int r;

        /* A whole OCI config holds it deeper. */
        if (value_find(profile, "linux.seccomp"))
                profile = value_find(profile, "linux.seccomp");
        if (!value_is(profile, VALUE_MAP))
                return err_set(err, EINVAL, "seccomp profile %s: is %s, not a map", name, value_kind_name(profile));
        if (value_get(profile, "listenerPath"))
                return err_set(err, EINVAL, "seccomp profile %s: listenerPath is not supported", name);
        r = read_action(name, profile, "defaultAction", "defaultErrnoRet", &action, err);
        if (r == 0)
                r = seccomp_build_begin(build, name, action, err);
        if (r == 0)
                r = read_flags(build, value_get(profile, "flags"), err);
        rules = value_get(profile, "syscalls");
        for (uint32_t i = 0; i < value_count(rules) && r == 0; i++)
                r = read_rule(build, value_at(rules, i), bounding, err);
        /* Where all is allowed but what is listed, newer calls are allowed too. */
        if (action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG)
                build->highest = -1;
        return r;
}
