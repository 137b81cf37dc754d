/* Label selectors: the text of the parameter labelSelector ("a=b,c!=d,e in (f,g),!h,i>5"), and meta/v1 LabelSelector.
 *
 * Both become requirements, sorted by key, all of which must hold. Errors have the words of k8s.io/apimachinery's
 * labels.Parse().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct value;

#define SELECTOR_TEXT_MAX ((size_t)1 << 20)

enum selector_operator {
        SELECTOR_IN,
        SELECTOR_EQUALS,
        SELECTOR_DOUBLE_EQUALS,
        SELECTOR_NOT_IN,
        SELECTOR_NOT_EQUALS,
        SELECTOR_EXISTS,
        SELECTOR_DOES_NOT_EXIST,
        SELECTOR_GREATER,
        SELECTOR_LESS,
};

struct selector_requirement {
        const char *key;
        enum selector_operator op;
        const char *const *values; /* sorted */
        uint32_t n, place;         /* place: in the text */
        int64_t number;            /* of SELECTOR_GREATER and SELECTOR_LESS */
};

struct selector_labels {
        bool nothing; /* nothing is selected: there was no selector at all */
        const struct selector_requirement *requirements;
        uint32_t n; /* 0: everything is selected */
};

/* Reads the text of a parameter into @arena. 0, -EINVAL with kube-apiserver's words in *@err, -E2BIG past
 * SELECTOR_TEXT_MAX, -ENOMEM. */
int selector_label_parse(struct arena *arena, const char *text, size_t length, struct selector_labels *ret_selector,
                         struct err **err);

/* Takes a LabelSelector over; NULL or null selects nothing, one that is empty everything. Texts stay in @selector.
 * 0, -EINVAL, -ENOMEM. */
int selector_label_from(struct arena *arena, const struct value *selector, struct selector_labels *ret_selector,
                        struct err **err);

/* The value of label @key; NULL when there is none. */
typedef const char *(*selector_lookup)(const void *data, const char *key);

bool selector_label_matches(const struct selector_labels *selector, selector_lookup lookup, const void *data);

/* The one value that label @key must have; NULL when others will do. */
const char *selector_label_exact(const struct selector_labels *selector, const char *key);

/* As apimachinery writes it; *@ret_text is in @arena. 0 or -ENOMEM. */
int selector_label_format(struct arena *arena, const struct selector_labels *selector, const char **ret_text);

/* The text of a LabelSelector: the two above in one. 0, -EINVAL, -ENOMEM. */
int selector_label_text(struct arena *arena, const struct value *selector, const char **ret_text);
