/* Profiles as files: the JSON of Docker and Kubernetes, of which the OCI runtime-spec's linux.seccomp is a part. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"
#include "runtime/capability.h"
#include "runtime/seccomp/build.h"
#include "runtime/seccomp/document.h"

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

/* The action @name with @number as its errno, where that is given and the action has one. */
static int read_action(const char *profile, const char *key, const char *name, const struct member_number *number,
                       uint32_t *ret_action, struct err **err) {
        if (!name)
                return err_set(err, EINVAL, "seccomp profile %s: %s is missing", profile, key);
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (strcmp(actions[i].name, name) != 0)
                        continue;
                bool numbered = actions[i].action == SCMP_ACT_ERRNO(0) || actions[i].action == SCMP_ACT_TRACE(0);
                uint32_t code = number->set ? (uint32_t)number->u : EPERM;
                *ret_action = actions[i].action | (numbered ? code : 0);
                return 0;
        }
        return err_set(err, EINVAL, "seccomp profile %s: %s \"%s\" is not supported", profile, key, name);
}

static int read_flags(struct seccomp_build *build, const struct member_list *list, struct err **err) {
        for (size_t i = 0; i < list->n; i++) {
                const char *name = *MEMBER_AT(*list, const char *, i);
                bool known = false;

                for (size_t j = 0; j < ELEMENTS(flags); j++)
                        if (strcmp(flags[j].name, name) == 0) {
                                build->flags |= flags[j].flag;
                                known = true;
                        }
                if (!known)
                        return err_set(err, EINVAL, "seccomp profile %s: flag \"%s\" is not supported", build->name,
                                       name);
        }
        return 0;
}

static bool lists_capability(const struct member_list *list, uint64_t bounding) {
        for (size_t i = 0; i < list->n; i++) {
                uint64_t mask = 0;

                if (capability_parse(*MEMBER_AT(*list, const char *, i), &mask, NULL) == 0 && (mask & bounding))
                        return true;
        }
        return false;
}

static bool lists_architecture(const struct member_list *list, const char *machine) {
        for (size_t i = 0; i < list->n; i++)
                for (size_t j = 0; j < ELEMENTS(architectures); j++)
                        if (strcmp(architectures[j].machine, machine) == 0 &&
                            strcmp(architectures[j].name, *MEMBER_AT(*list, const char *, i)) == 0)
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
static bool applies(const struct seccomp_document_rule *rule, uint64_t bounding) {
        const struct seccomp_document_conditions *includes = &rule->includes, *excludes = &rule->excludes;
        struct utsname host;

        uname(&host);
        if (includes->caps.n > 0 && !lists_capability(&includes->caps, bounding))
                return false;
        if (includes->arches.n > 0 && !lists_architecture(&includes->arches, host.machine))
                return false;
        if (includes->min_kernel && !at_least(host.release, includes->min_kernel))
                return false;
        return !lists_capability(&excludes->caps, bounding) && !lists_architecture(&excludes->arches, host.machine);
}

static int read_condition(const char *profile, const struct seccomp_document_argument *arg,
                          struct scmp_arg_cmp *ret_condition, struct err **err) {
        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strcmp(operators[i].name, arg->op) == 0) {
                        *ret_condition = (struct scmp_arg_cmp){ .arg = (unsigned)arg->index.u,
                                                                .op = operators[i].compare,
                                                                .datum_a = arg->value.u,
                                                                .datum_b = arg->value_two.u };
                        return 0;
                }
        return err_set(err, EINVAL, "seccomp profile %s: operator \"%s\" is not known", profile, arg->op);
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

static int read_rule(struct seccomp_build *build, const struct seccomp_document_rule *rule, uint64_t bounding,
                     struct err **err) {
        struct scmp_arg_cmp conditions[SECCOMP_ARGUMENTS_MAX];
        uint32_t action, n = (uint32_t)rule->args.n;
        int r;

        if (!applies(rule, bounding))
                return 0;
        if ((r = read_action(build->name, "action", rule->action, &rule->errno_ret, &action, err)) < 0)
                return r;
        if (n > SECCOMP_ARGUMENTS_MAX)
                return err_set(err, EINVAL, "seccomp profile %s: more than %d arguments", build->name,
                               SECCOMP_ARGUMENTS_MAX);
        for (uint32_t i = 0; i < n; i++)
                if ((r = read_condition(build->name, MEMBER_AT(rule->args, struct seccomp_document_argument, i),
                                        &conditions[i], err)) < 0)
                        return r;
        if (rule->name && (r = add_rule(build, action, rule->name, conditions, n, err)) < 0)
                return r;
        for (size_t i = 0; i < rule->names.n; i++)
                if ((r = add_rule(build, action, *MEMBER_AT(rule->names, const char *, i), conditions, n, err)) < 0)
                        return r;
        return 0;
}

int seccomp_profile_rules(struct seccomp_build *build, const char *name, struct arena *arena,
                          const struct value *profile, uint64_t bounding, struct err **err) {
        struct seccomp_document document = { 0 };
        uint32_t action;
        int r;

        /* A whole OCI config holds it deeper. */
        if (value_find(profile, "linux.seccomp"))
                profile = value_find(profile, "linux.seccomp");
        if (!value_is(profile, VALUE_MAP))
                return err_set(err, EINVAL, "seccomp profile %s: is %s, not a map", name, value_kind_name(profile));
        r = members_read(arena, &(struct members_source){ name, "", profile }, &seccomp_document, &document, err);
        if (r < 0)
                return err_wrap(err, r, "seccomp profile");
        r = read_action(name, "defaultAction", document.default_action, &document.default_errno, &action, err);
        if (r < 0 || (r = seccomp_build_begin(build, name, action, err)) < 0 ||
            (r = read_flags(build, &document.flags, err)) < 0)
                return r;
        for (size_t i = 0; i < document.rules.n; i++) {
                r = read_rule(build, MEMBER_AT(document.rules, struct seccomp_document_rule, i), bounding, err);
                if (r < 0)
                        return r;
        }
        /* Where all is allowed but what is listed, newer calls are allowed too. */
        if (action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG)
                build->highest = -1;
        return 0;
}
