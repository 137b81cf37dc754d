/* A seccomp profile as it is written: the runtime-spec's linux.seccomp with what Docker's profiles have besides. */
#pragma once

#include "lib/members.h"

#define SECCOMP_ARGUMENTS_MAX 6

struct seccomp_document_argument {
        struct member_number index, value, value_two;
        const char *op;
};

/* Docker's conditions on a rule. */
struct seccomp_document_conditions {
        struct member_list caps, arches;
        const char *min_kernel;
};

struct seccomp_document_rule {
        const char *name, *action, *comment;
        struct member_list names, args;
        struct member_number errno_ret;
        struct seccomp_document_conditions includes, excludes;
};

struct seccomp_document {
        const char *default_action, *listener_path, *listener_metadata;
        struct member_number default_errno;
        struct member_list architectures, flags, rules, arch_map;
};

extern const struct member_type seccomp_document;
