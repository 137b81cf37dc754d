/* The common half of the readers: events of a document become a tree of values.
 *
 * Finished values wait on a stack until their list or map ends and takes them over in one piece, so the tree has no
 * slack. Short strings are interned: a document's keys are stored once. For lib/json.c and lib/yaml.c only.
 */
#pragma once

#include "lib/value.h"

struct err;

#define VALUE_INTERN_SLOTS 128
#define VALUE_INTERN_LENGTH_MAX 40

struct value_frame {
        struct value open; /* kind and place of the list or map */
        uint32_t first;    /* where its values begin on the stack */
        uint32_t nodes_before;
        const char *key; /* of the member whose value comes next; NULL: a key comes next */
        uint32_t key_line;
        uint16_t key_column;
        uint8_t key_kind;
};

struct value_builder {
        struct arena *arena;
        const struct value_options *options;
        struct value_member *stack;
        uint32_t count, size;
        struct value_frame frames[VALUE_DEPTH_MAX];
        uint32_t depth;
        uint32_t nodes;
        const char *interned[VALUE_INTERN_SLOTS];
};

void value_builder_init(struct value_builder *b, struct arena *arena, const struct value_options *options);
void value_builder_done(struct value_builder *b);

/* All that return int give 0 or a negative errno with *err set: -EINVAL, -E2BIG, -ENOMEM. */
int value_builder_begin(struct value_builder *b, struct value open, struct err **err);
int value_builder_end(struct value_builder *b, struct err **err);
int value_builder_key(struct value_builder *b, const char *key, size_t length, uint32_t line, uint16_t column,
                      struct err **err);

/* Tells of something at @line where the options want to hear it. True when they do. */
bool value_builder_warn(struct value_builder *b, uint32_t line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Adds a finished value that stands for @nodes values (1, or more for an alias). */
int value_builder_add(struct value_builder *b, struct value value, uint32_t nodes, struct err **err);

/* @text in the arena; -EINVAL when it holds a NUL or is not UTF-8. */
int value_builder_text(struct value_builder *b, const char *text, size_t length, uint32_t line, const char **ret_text,
                       struct err **err);

/* True when the next thing at this place is a key. */
bool value_builder_wants_key(const struct value_builder *b);

/* The value that was finished last: at depth 0 the document. */
struct value *value_builder_last(struct value_builder *b);

/* Refuses a document larger than its options allow. */
int value_check_size(const struct value_options *options, size_t length, struct err **err);

/* An error at @line, with the document's name before it. Returns -@code. */
int value_error(const struct value_options *options, uint32_t line, struct err **err, int code, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
