/* Rows of generated tables. A row is checked against its member when compiled: the pair of element and form says what C
 * type the member must have, and another is an error. For the generator's output alone (contrib/kinds).
 */
#pragma once

#include "kube/type.h"

/* 0 where the types are the same, no constant expression where they are not. */
#define KUBE_SAME(a, b) (sizeof(char[__builtin_types_compatible_p(__typeof__(a), b) ? 1 : -1]) - 1)
#define KUBE_MEMBER(owner, member) (((struct owner *)0)->member)
#define KUBE_AT(owner, member, ctype) (offsetof(struct owner, member) + KUBE_SAME(KUBE_MEMBER(owner, member), ctype))

/* A list: its items are of @ctype and it is laid out as struct list. */
#define KUBE_LIST_AT(owner, member, ctype)                                                                             \
        (offsetof(struct owner, member) + KUBE_SAME(KUBE_MEMBER(owner, member).items, ctype *) +                       \
         KUBE_SAME(KUBE_MEMBER(owner, member).count, uint32_t) +                                                       \
         KUBE_SAME(char[sizeof(KUBE_MEMBER(owner, member))], char[sizeof(struct list)]))

/* A map: its entries begin with a key, and the value of @ctype is where the engine looks for it. */
#define KUBE_ENTRY_IS(owner, member, key, value)                                                                       \
        (KUBE_SAME(KUBE_MEMBER(owner, member).items->key, const char *) +                                              \
         sizeof(char[offsetof(__typeof__(*KUBE_MEMBER(owner, member).items), key) == 0 ? 1 : -1]) +                    \
         sizeof(char[offsetof(__typeof__(*KUBE_MEMBER(owner, member).items), value) == KUBE_ENTRY_VALUE ? 1 : -1]) +   \
         KUBE_SAME(char[sizeof(KUBE_MEMBER(owner, member))], char[sizeof(struct list)]) - 2)
#define KUBE_MAP_AT(owner, member, key, value, ctype)                                                                  \
        (offsetof(struct owner, member) + KUBE_SAME(KUBE_MEMBER(owner, member).items->value, ctype) +                  \
         KUBE_ENTRY_IS(owner, member, key, value))
#define KUBE_LISTS_AT(owner, member, ctype)                                                                            \
        (offsetof(struct owner, member) + KUBE_SAME(KUBE_MEMBER(owner, member).items->value.items, ctype *) +          \
         KUBE_ENTRY_IS(owner, member, key, value))

/* The C type of each element, as one, as optional, in a list or map. */
#define KUBE_C_ONE_STRING const char *
#define KUBE_C_ONE_BOOL bool
#define KUBE_C_ONE_INT32 int32_t
#define KUBE_C_ONE_INT64 int64_t
#define KUBE_C_ONE_DOUBLE double
#define KUBE_C_ONE_QUANTITY struct quantity
#define KUBE_C_ONE_TIME struct kube_time
#define KUBE_C_ONE_MICRO_TIME struct kube_time
#define KUBE_C_ONE_INT_OR_STRING struct int_or_string
#define KUBE_C_ONE_BYTES struct kube_bytes
#define KUBE_C_ONE_JSON struct kube_raw
#define KUBE_C_ONE_RAW struct kube_raw
#define KUBE_C_ONE_FIELDS struct kube_raw
#define KUBE_C_OPTIONAL_STRING const char *
#define KUBE_C_OPTIONAL_BOOL enum tri
#define KUBE_C_OPTIONAL_INT32 struct opt_int
#define KUBE_C_OPTIONAL_INT64 struct opt_int
#define KUBE_C_OPTIONAL_DOUBLE struct opt_double
#define KUBE_C_OPTIONAL_QUANTITY struct opt_quantity
#define KUBE_C_OPTIONAL_TIME struct kube_time
#define KUBE_C_OPTIONAL_MICRO_TIME struct kube_time
#define KUBE_C_OPTIONAL_INT_OR_STRING struct int_or_string
#define KUBE_C_OPTIONAL_BYTES struct kube_bytes
#define KUBE_C_OPTIONAL_JSON struct kube_raw
#define KUBE_C_OPTIONAL_RAW struct kube_raw
#define KUBE_C_OPTIONAL_FIELDS struct kube_raw

#define KUBE_NAMED(json) .name = (json), .name_length = sizeof(json) - 1
#define KUBE_SCALAR_ROW(json, element_, form_, owner, member)                                                          \
        KUBE_NAMED(json), .element = KUBE_##element_, .form = KUBE_##form_,                                            \
                          .offset = KUBE_AT(owner, member, KUBE_C_##form_##_##element_)
#define KUBE_LIST_ROW(json, element_, owner, member)                                                                   \
        KUBE_NAMED(json), .element = KUBE_##element_, .form = KUBE_LIST,                                               \
                          .offset = KUBE_LIST_AT(owner, member, KUBE_C_ONE_##element_)
#define KUBE_MAP_ROW(json, element_, owner, member, key, value)                                                        \
        KUBE_NAMED(json), .element = KUBE_##element_, .form = KUBE_MAP,                                                \
                          .offset = KUBE_MAP_AT(owner, member, key, value, KUBE_C_ONE_##element_)
#define KUBE_LISTS_ROW(json, element_, owner, member)                                                                  \
        KUBE_NAMED(json), .element = KUBE_##element_, .form = KUBE_MAP_OF_LISTS,                                       \
                          .offset = KUBE_LISTS_AT(owner, member, KUBE_C_ONE_##element_)

/* @below is the name of the type below without "struct". */
#define KUBE_OBJECT_ROW(json, below, owner, member)                                                                    \
        KUBE_NAMED(json), .element = KUBE_OBJECT, .form = KUBE_ONE, .type = &below##_type,                             \
                          .offset = KUBE_AT(owner, member, struct below)
#define KUBE_POINTER_ROW(json, below, owner, member)                                                                   \
        KUBE_NAMED(json), .element = KUBE_OBJECT, .form = KUBE_OPTIONAL, .type = &below##_type,                        \
                          .offset = KUBE_AT(owner, member, struct below *)
#define KUBE_OBJECTS_ROW(json, below, owner, member)                                                                   \
        KUBE_NAMED(json), .element = KUBE_OBJECT, .form = KUBE_LIST, .type = &below##_type,                            \
                          .offset = KUBE_LIST_AT(owner, member, struct below)
#define KUBE_OBJECT_MAP_ROW(json, below, owner, member)                                                                \
        KUBE_NAMED(json), .element = KUBE_OBJECT, .form = KUBE_MAP, .type = &below##_type,                             \
                          .offset = KUBE_MAP_AT(owner, member, key, value, struct below)
