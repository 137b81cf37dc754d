#include "runtime/seccomp/document.h"

#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

static const struct member_row argument_members[] = {
        MEMBER_ROW_NUMBER("index", NUMBER, MEMBER_REQUIRED, seccomp_document_argument, index, 0,
                          SECCOMP_ARGUMENTS_MAX - 1),
        MEMBER_ROW_NUMBER("value", NUMBER, 0, seccomp_document_argument, value, 0, UINT64_MAX),
        MEMBER_ROW_NUMBER("valueTwo", NUMBER, 0, seccomp_document_argument, value_two, 0, UINT64_MAX),
        MEMBER_ROW("op", STRING, MEMBER_REQUIRED, seccomp_document_argument, op),
};
static const struct member_type argument = MEMBER_TYPE(seccomp_document_argument, argument_members);

static const struct member_row condition_members[] = {
        MEMBER_ROW("caps", STRINGS, 0, seccomp_document_conditions, caps),
        MEMBER_ROW("arches", STRINGS, 0, seccomp_document_conditions, arches),
        MEMBER_ROW("minKernel", STRING, 0, seccomp_document_conditions, min_kernel),
};
static const struct member_type conditions = MEMBER_TYPE(seccomp_document_conditions, condition_members);

static const struct member_row rule_members[] = {
        MEMBER_ROW("name", STRING, 0, seccomp_document_rule, name),
        MEMBER_ROW("names", STRINGS, 0, seccomp_document_rule, names),
        MEMBER_ROW("action", STRING, 0, seccomp_document_rule, action),
        MEMBER_ROW_NUMBER("errnoRet", NUMBER, 0, seccomp_document_rule, errno_ret, 0, ERRNO_MAX),
        MEMBER_ROW_OF("args", OBJECTS, 0, seccomp_document_rule, args, argument),
        MEMBER_ROW("comment", STRING, 0, seccomp_document_rule, comment),
        MEMBER_ROW_OF("includes", OBJECT, 0, seccomp_document_rule, includes, conditions),
        MEMBER_ROW_OF("excludes", OBJECT, 0, seccomp_document_rule, excludes, conditions),
};
static const struct member_type rule = MEMBER_TYPE(seccomp_document_rule, rule_members);

/* The host's own architecture and its 32-bit one are always filtered alike (build.c). */
struct arch_map {
        const char *architecture;
        struct member_list sub_architectures;
};

static const struct member_row arch_map_members[] = {
        MEMBER_ROW("architecture", STRING, 0, arch_map, architecture),
        MEMBER_ROW("subArchitectures", STRINGS, 0, arch_map, sub_architectures),
};
static const struct member_type arch_map = MEMBER_TYPE(arch_map, arch_map_members);

static const struct member_row document_members[] = {
        MEMBER_ROW("defaultAction", STRING, 0, seccomp_document, default_action),
        MEMBER_ROW_NUMBER("defaultErrnoRet", NUMBER, 0, seccomp_document, default_errno, 0, ERRNO_MAX),
        MEMBER_ROW("architectures", STRINGS, 0, seccomp_document, architectures),
        MEMBER_ROW_OF("archMap", OBJECTS, 0, seccomp_document, arch_map, arch_map),
        MEMBER_ROW("flags", STRINGS, 0, seccomp_document, flags),
        MEMBER_ROW("listenerPath", STRING, MEMBER_REFUSED, seccomp_document, listener_path),
        MEMBER_ROW("listenerMetadata", STRING, 0, seccomp_document, listener_metadata),
        MEMBER_ROW_OF("syscalls", OBJECTS, 0, seccomp_document, rules, rule),
};
const struct member_type seccomp_document = MEMBER_TYPE(seccomp_document, document_members);
