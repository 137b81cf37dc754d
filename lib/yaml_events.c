#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/yaml_reader.h"
#include "lib/yaml_scalar.h"
#include "lib/yaml_text.h"

#define ANCHORS_MAX 1000
#define MERGED_KEYS_MAX 4096 /* of a map with `<<`: many may stand for little */
#define TAG_PREFIX "tag:yaml.org,2002:"

static struct value place(const yaml_event_t *event, enum value_kind kind) {
        size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;

        return (struct value){
                .kind = (uint8_t)kind,
                .line = (uint32_t)line,
                .column = column > UINT16_MAX ? UINT16_MAX : (uint16_t)column,
        };
}

#define refuse(r, event, code, ...) value_error((r)->builder.options, yaml_line_of(event), (r)->err, code, __VA_ARGS__)

/* Values below and including @value, and its levels. What it walks was counted before, so it is bounded; so is its
 * depth. */
static uint32_t measure(const struct value *value, uint32_t *ret_height) {
        uint32_t nodes = 1, highest = 0, height = 0;

        for (uint32_t i = 0; i < value_count(value); i++) {
                const struct value *child = value->kind == VALUE_LIST ? &value->items[i] : &value->members[i].value;

                nodes += measure(child, &height);
                if (height > highest)
                        highest = height;
        }
        *ret_height = highest + (value->kind == VALUE_LIST || value->kind == VALUE_MAP);
        return nodes;
}

/* Adds a value that stands elsewhere in the document too. */
static int add_shared(struct yaml_reader *r, const yaml_event_t *event, struct value value) {
        uint32_t height = 0, nodes = measure(&value, &height);

        if (r->builder.depth + height > VALUE_DEPTH_MAX)
                return refuse(r, event, E2BIG, "nested deeper than %d levels", VALUE_DEPTH_MAX);
        return value_builder_add(&r->builder, value, nodes, r->err);
}

/* Registers an anchor; the latest of a name counts. *ret_index is its index + 1, or 0 when @name is NULL. */
static int add_anchor(struct yaml_reader *r, const yaml_event_t *event, const yaml_char_t *name, size_t *ret_index) {
        struct yaml_anchor *anchors;

        *ret_index = 0;
        if (!name)
                return 0;
        if (r->n_anchors == ANCHORS_MAX)
                return refuse(r, event, E2BIG, "more than %d anchors", ANCHORS_MAX);
        anchors = reallocarray(r->anchors, r->n_anchors + 1, sizeof(*anchors));
        if (!anchors)
                return refuse(r, event, ENOMEM, "out of memory");
        r->anchors = anchors;
        anchors[r->n_anchors] = (struct yaml_anchor){ .name = arena_strdup(r->builder.arena, (const char *)name) };
        if (!anchors[r->n_anchors].name)
                return refuse(r, event, ENOMEM, "out of memory");
        *ret_index = ++r->n_anchors;
        return 0;
}

static void finish_anchor(struct yaml_reader *r, size_t index) {
        if (index == 0)
                return;
        r->anchors[index - 1].value = *value_builder_last(&r->builder);
        r->anchors[index - 1].finished = true;
}

enum tag { TAG_NONE, TAG_STRING, TAG_BINARY, TAG_INT, TAG_FLOAT, TAG_BOOL, TAG_NULL };

/* Which of the tags that say how a scalar is read @tag is. All others, as in Go's readers, make it a text. */
static enum tag scalar_tag(const yaml_char_t *tag) {
        static const char *const names[] = {
                [TAG_STRING] = "str",  [TAG_BINARY] = "binary", [TAG_INT] = "int",
                [TAG_FLOAT] = "float", [TAG_BOOL] = "bool",     [TAG_NULL] = "null",
        };
        const char *text = (const char *)tag;

        if (!text)
                return TAG_NONE;
        if (strncmp(text, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
                for (size_t i = TAG_STRING; i < ELEMENTS(names); i++)
                        if (strcmp(text + strlen(TAG_PREFIX), names[i]) == 0)
                                return (enum tag)i;
        return TAG_STRING;
}

static bool tag_fits(enum tag tag, enum value_kind kind) {
        return tag == TAG_NONE || (tag == TAG_NULL && kind == VALUE_NULL) || (tag == TAG_BOOL && kind == VALUE_BOOL) ||
               (tag == TAG_INT && kind == VALUE_INT) ||
               (tag == TAG_FLOAT && (kind == VALUE_INT || kind == VALUE_NUMBER));
}

/* What is written there, by the looks of it where nothing else is said. */
static int resolve(struct yaml_reader *r, const yaml_event_t *event, enum tag tag, struct value *value,
                   char number[YAML_NUMBER_MAX]) {
        const char *text = (const char *)event->data.scalar.value;

        if (tag == TAG_STRING || tag == TAG_BINARY ||
            (tag == TAG_NONE && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE))
                return 0;
        if (!yaml_scalar_resolve(text, value, number))
                return refuse(r, event, EINVAL, "%s is no number that JSON can hold", text);
        if (!tag_fits(tag, value->kind))
                return refuse(r, event, EINVAL, "cannot decode `%.100s` as a %s", text,
                              (const char *)event->data.scalar.tag + strlen(TAG_PREFIX));
        return 0;
}

/* The text that a key which is not a string goes by in JSON. */
static const char *key_text(const struct value *value, const char *number, const char *text, char buffer[32]) {
        switch ((enum value_kind)value->kind) {
        case VALUE_BOOL:
                return value->boolean ? "true" : "false";
        case VALUE_INT:
                snprintf(buffer, 32, "%" PRId64, value->integer);
                return buffer;
        case VALUE_NUMBER:
                return number;
        case VALUE_NULL:
                return "null";
        default:
                return text;
        }
}

static int add_key(struct yaml_reader *r, const yaml_event_t *event, const struct value *value, const char *number,
                   const char *text, bool plain) {
        char buffer[32];
        const char *key = key_text(value, number, text, buffer);
        int q;

        if (value->kind == VALUE_NULL)
                return refuse(r, event, EINVAL, "null as a key is not supported");
        if (plain && strcmp(key, "<<") == 0)
                r->open[r->builder.depth - 1].merge = true;
        q = value_builder_key(&r->builder, key, strlen(key), value->line, value->column, r->err);
        if (q == 0)
                r->builder.frames[r->builder.depth - 1].key_kind = value->kind;
        return q;
}

/* The bytes that a !!binary stands for, what is no UTF-8 of them replaced, as JSON has it. */
static int decode_binary(struct yaml_reader *r, const yaml_event_t *event, struct value *value) {
        char *text = yaml_binary_decode(r->builder.arena, (const char *)event->data.scalar.value);

        if (!text)
                return refuse(r, event, EINVAL, "!!binary value contains invalid base64 data, or a NUL");
        value->count = (uint32_t)strlen(text);
        return value_builder_text(&r->builder, text, value->count, value->line, &value->text, r->err);
}

static int take_text(struct yaml_reader *r, const yaml_event_t *event, enum tag tag, const char *number,
                     struct value *value) {
        const char *text = value->kind == VALUE_NUMBER ? number : (const char *)event->data.scalar.value;

        if (tag == TAG_BINARY)
                return decode_binary(r, event, value);
        value->count = (uint32_t)(value->kind == VALUE_NUMBER ? strlen(number) : event->data.scalar.length);
        return value_builder_text(&r->builder, text, value->count, value->line, &value->text, r->err);
}

static int after_value(struct yaml_reader *r, const yaml_event_t *event);

static int on_scalar(struct yaml_reader *r, const yaml_event_t *event) {
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        enum tag tag = scalar_tag(event->data.scalar.tag);
        struct value value = place(event, VALUE_STRING);
        char number[YAML_NUMBER_MAX] = "";
        size_t anchor;
        int q = resolve(r, event, tag, &value, number);

        if (q < 0)
                return q;
        if (value_builder_wants_key(&r->builder))
                return add_key(r, event, &value, number, (const char *)event->data.scalar.value, plain);
        if ((value.kind == VALUE_STRING || value.kind == VALUE_NUMBER) &&
            (q = take_text(r, event, tag, number, &value)) < 0)
                return q;
        q = add_anchor(r, event, event->data.scalar.anchor, &anchor);
        if (q >= 0)
                q = value_builder_add(&r->builder, value, 1, r->err);
        if (q < 0)
                return q;
        finish_anchor(r, anchor);
        return after_value(r, event);
}

static const struct yaml_anchor *find_anchor(const struct yaml_reader *r, const char *name) {
        for (size_t i = r->n_anchors; i > 0; i--)
                if (strcmp(r->anchors[i - 1].name, name) == 0)
                        return &r->anchors[i - 1];
        return NULL;
}

static int on_alias(struct yaml_reader *r, const yaml_event_t *event) {
        const char *name = (const char *)event->data.alias.anchor;
        const struct yaml_anchor *anchor = find_anchor(r, name);
        int q;

        if (!anchor)
                return refuse(r, event, EINVAL, "unknown anchor '%s' referenced", name);
        if (!anchor->finished)
                return refuse(r, event, EINVAL, "anchor '%s' value contains itself", name);
        if (value_builder_wants_key(&r->builder)) {
                if (anchor->value.kind == VALUE_LIST || anchor->value.kind == VALUE_MAP)
                        return refuse(r, event, EINVAL, "a list or map as a key is not supported");
                return add_key(r, event, &anchor->value, anchor->value.text, anchor->value.text, false);
        }
        q = add_shared(r, event, anchor->value);
        return q < 0 ? q : after_value(r, event);
}

/* Tags of lists and maps say nothing that counts. */
static int on_begin(struct yaml_reader *r, const yaml_event_t *event, enum value_kind kind,
                    const yaml_char_t *anchor_name) {
        size_t anchor;
        int q;

        if (value_builder_wants_key(&r->builder))
                return refuse(r, event, EINVAL, "a list or map as a key is not supported");
        q = add_anchor(r, event, anchor_name, &anchor);
        if (q >= 0)
                q = value_builder_begin(&r->builder, place(event, kind), r->err);
        if (q < 0)
                return q;
        r->open[r->builder.depth - 1].anchor = anchor;
        r->open[r->builder.depth - 1].merge = false;
        return 0;
}

/* Adds the members of @from: of one key the last counts, as if each were set where it stands. */
static int merge_map(struct yaml_reader *r, const yaml_event_t *event, const struct value *from) {
        struct value_builder *b = &r->builder;
        uint32_t first = b->frames[b->depth - 1].first;

        if (from->kind != VALUE_MAP)
                return refuse(r, event, EINVAL, "map merge requires map or sequence of maps as the value");
        for (uint32_t i = 0; i < from->count; i++) {
                const struct value_member *m = &from->members[i];
                int q;

                if (b->count - first >= MERGED_KEYS_MAX)
                        return refuse(r, event, E2BIG, "a map with merged keys has more than %d", MERGED_KEYS_MAX);
                q = value_builder_key(b, m->key, strlen(m->key), m->line, m->column, r->err);
                if (q >= 0)
                        q = add_shared(r, event, m->value);
                if (q < 0)
                        return q;
                b->stack[b->count - 1].merged = true;
                b->stack[b->count - 1].key_kind = m->key_kind;
        }
        return 0;
}

/* The value of a `<<` is there: what it holds takes its place. Of several maps the first one counts most. */
static int merge(struct yaml_reader *r, const yaml_event_t *event) {
        struct value from = *value_builder_last(&r->builder);
        int q = 0;

        r->builder.count--;
        if (from.kind != VALUE_LIST)
                return merge_map(r, event, &from);
        for (uint32_t i = from.count; i-- > 0 && q >= 0;)
                q = merge_map(r, event, &from.items[i]);
        return q;
}

static int after_value(struct yaml_reader *r, const yaml_event_t *event) {
        uint32_t depth = r->builder.depth;

        if (depth == 0 || !r->open[depth - 1].merge)
                return 0;
        r->open[depth - 1].merge = false;
        return merge(r, event);
}

static int on_end(struct yaml_reader *r, const yaml_event_t *event) {
        size_t anchor = r->open[r->builder.depth - 1].anchor;
        int q = value_builder_end(&r->builder, r->err);

        if (q < 0)
                return q;
        finish_anchor(r, anchor);
        return after_value(r, event);
}

/* What says that it is YAML 1.2 would be read by other rules than these. */
static int on_document_start(struct yaml_reader *r, const yaml_event_t *event) {
        const yaml_version_directive_t *version = event->data.document_start.version_directive;

        if (version && (version->major != 1 || version->minor != 1))
                return refuse(r, event, EINVAL, "%%YAML %d.%d: it is read as YAML 1.1 alone; take the line out",
                              version->major, version->minor);
        return 0;
}

/* At the end of a document: one that holds nothing counts for nothing; anchors end with it. */
static int on_document_end(struct yaml_reader *r) {
        struct value *last = value_builder_last(&r->builder);

        if (last && last->kind == VALUE_NULL)
                r->builder.count--;
        r->n_anchors = 0;
        return 0;
}

int yaml_reader_take(struct yaml_reader *r, const yaml_event_t *event) {
        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return on_scalar(r, event);
        case YAML_ALIAS_EVENT:
                return on_alias(r, event);
        case YAML_SEQUENCE_START_EVENT:
                return on_begin(r, event, VALUE_LIST, event->data.sequence_start.anchor);
        case YAML_MAPPING_START_EVENT:
                return on_begin(r, event, VALUE_MAP, event->data.mapping_start.anchor);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return on_end(r, event);
        case YAML_DOCUMENT_START_EVENT:
                return on_document_start(r, event);
        case YAML_DOCUMENT_END_EVENT:
                return on_document_end(r);
        default:
                return 0;
        }
}
