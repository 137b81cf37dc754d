#include "lib/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value_builder.h"
#include "lib/yaml_scalar.h"

#define ANCHORS_MAX 1000
#define MERGED_KEYS_MAX 4096 /* of a map with `<<`: they are compared with each other */
#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor {
        const char *name; /* in the arena */
        struct value value;
        bool finished; /* an alias inside its own anchor finds it unfinished */
};

struct reader {
        struct value_builder builder;
        yaml_parser_t parser;
        struct anchor *anchors;
        size_t n_anchors;
        struct {
                size_t anchor; /* index + 1; 0: none */
                bool merge;    /* the map has a `<<` */
        } open[VALUE_DEPTH_MAX];
        struct err **err;
};

static struct value place(const yaml_event_t *event, enum value_kind kind) {
        size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;

        return (struct value){
                .kind = (uint8_t)kind,
                .line = (uint32_t)line,
                .column = column > UINT16_MAX ? UINT16_MAX : (uint16_t)column,
        };
}

static uint32_t line_of(const yaml_event_t *event) {
        return (uint32_t)event->start_mark.line + 1;
}

#define refuse(r, event, code, ...) value_error((r)->builder.options, line_of(event), (r)->err, code, __VA_ARGS__)

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
static int add_shared(struct reader *r, const yaml_event_t *event, struct value value) {
        uint32_t height = 0, nodes = measure(&value, &height);

        if (r->builder.depth + height > VALUE_DEPTH_MAX)
                return refuse(r, event, E2BIG, "nested deeper than %d levels", VALUE_DEPTH_MAX);
        return value_builder_add(&r->builder, value, nodes, r->err);
}

/* Registers an anchor; the latest of a name counts. *ret_index is its index + 1, or 0 when @name is NULL. */
static int add_anchor(struct reader *r, const yaml_event_t *event, const yaml_char_t *name, size_t *ret_index) {
        struct anchor *anchors;

        *ret_index = 0;
        if (!name)
                return 0;
        if (r->n_anchors == ANCHORS_MAX)
                return refuse(r, event, E2BIG, "more than %d anchors", ANCHORS_MAX);
        anchors = reallocarray(r->anchors, r->n_anchors + 1, sizeof(*anchors));
        if (!anchors)
                return refuse(r, event, ENOMEM, "out of memory");
        r->anchors = anchors;
        anchors[r->n_anchors] = (struct anchor){ .name = arena_strdup(r->builder.arena, (const char *)name) };
        if (!anchors[r->n_anchors].name)
                return refuse(r, event, ENOMEM, "out of memory");
        *ret_index = ++r->n_anchors;
        return 0;
}

static void finish_anchor(struct reader *r, size_t index) {
        if (index == 0)
                return;
        r->anchors[index - 1].value = *value_builder_last(&r->builder);
        r->anchors[index - 1].finished = true;
}

static int on_alias(struct reader *r, const yaml_event_t *event) {
        const char *name = (const char *)event->data.alias.anchor;

        if (value_builder_wants_key(&r->builder))
                return refuse(r, event, EINVAL, "an alias as a key is not supported");
        for (size_t i = r->n_anchors; i > 0; i--) {
                struct anchor *anchor = &r->anchors[i - 1];

                if (strcmp(anchor->name, name) != 0)
                        continue;
                if (!anchor->finished)
                        return refuse(r, event, EINVAL, "anchor '%s' value contains itself", name);
                return add_shared(r, event, anchor->value);
        }
        return refuse(r, event, EINVAL, "unknown anchor '%s' referenced", name);
}

enum tag { TAG_NONE, TAG_STRING, TAG_OTHER_SCALAR, TAG_COLLECTION };

/* Which of the core schema's tags @tag is. A scalar tagged !!int and so on is read as if untagged: what is written
 * there must look like one. */
static int read_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *tag, enum tag *ret_tag) {
        static const struct {
                const char *name;
                enum tag tag;
        } tags[] = {
                { "str", TAG_STRING },        { "int", TAG_OTHER_SCALAR },   { "bool", TAG_OTHER_SCALAR },
                { "null", TAG_OTHER_SCALAR }, { "float", TAG_OTHER_SCALAR }, { "map", TAG_COLLECTION },
                { "seq", TAG_COLLECTION },
        };
        const char *text = (const char *)tag;

        *ret_tag = TAG_NONE;
        if (!text)
                return 0;
        if (strcmp(text, "!") == 0) {
                *ret_tag = TAG_STRING;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(tags); i++)
                if (strncmp(text, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
                    strcmp(text + strlen(TAG_PREFIX), tags[i].name) == 0) {
                        *ret_tag = tags[i].tag;
                        return 0;
                }
        return refuse(r, event, EINVAL, "tag \"%.100s\" is not supported", text);
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

static int add_key(struct reader *r, const yaml_event_t *event, const struct value *value, const char *number,
                   bool plain) {
        const char *text = (const char *)event->data.scalar.value;
        char buffer[32];
        const char *key = key_text(value, number, text, buffer);
        size_t length = key == text ? event->data.scalar.length : strlen(key);

        if (plain && strcmp(key, "<<") == 0)
                r->open[r->builder.depth - 1].merge = true;
        return value_builder_key(&r->builder, key, length, value->line, value->column, r->err);
}

static int on_scalar(struct reader *r, const yaml_event_t *event) {
        const char *text = (const char *)event->data.scalar.value;
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        struct value value = place(event, VALUE_STRING);
        char number[YAML_NUMBER_MAX] = "";
        size_t anchor;
        enum tag tag;
        int q = read_tag(r, event, event->data.scalar.tag, &tag);

        if (q < 0)
                return q;
        if (tag == TAG_COLLECTION)
                return refuse(r, event, EINVAL, "a list or map was tagged, and a text found");
        if (tag == TAG_OTHER_SCALAR || (plain && tag == TAG_NONE))
                if (!yaml_scalar_resolve(text, &value, number))
                        return refuse(r, event, EINVAL, "%s is no number that JSON can hold", text);
        if (value_builder_wants_key(&r->builder))
                return add_key(r, event, &value, number, plain);

        if (value.kind == VALUE_STRING || value.kind == VALUE_NUMBER) {
                const char *kept = value.kind == VALUE_NUMBER ? number : text;

                value.count = (uint32_t)(value.kind == VALUE_NUMBER ? strlen(number) : event->data.scalar.length);
                q = value_builder_text(&r->builder, kept, value.count, value.line, &value.text, r->err);
                if (q < 0)
                        return q;
        }
        q = add_anchor(r, event, event->data.scalar.anchor, &anchor);
        if (q >= 0)
                q = value_builder_add(&r->builder, value, 1, r->err);
        if (q >= 0)
                finish_anchor(r, anchor);
        return q;
}

static int on_begin(struct reader *r, const yaml_event_t *event, enum value_kind kind, const yaml_char_t *tag_text,
                    const yaml_char_t *anchor_name) {
        size_t anchor;
        enum tag tag;
        int q = read_tag(r, event, tag_text, &tag);

        if (q < 0)
                return q;
        if (tag == TAG_STRING || tag == TAG_OTHER_SCALAR)
                return refuse(r, event, EINVAL, "a text was tagged, and a list or map found");
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

static bool has_key(const struct value_builder *b, uint32_t first, const char *key) {
        for (uint32_t i = first; i < b->count; i++)
                if (strcmp(b->stack[i].key, key) == 0)
                        return true;
        return false;
}

/* Adds the members of @from that the map at @first does not have itself. */
static int merge_map(struct reader *r, const yaml_event_t *event, uint32_t first, const struct value *from) {
        struct value_builder *b = &r->builder;

        if (from->kind != VALUE_MAP)
                return refuse(r, event, EINVAL, "map merge requires map or sequence of maps as the value");
        for (uint32_t i = 0; i < from->count; i++) {
                const struct value_member *m = &from->members[i];
                int q;

                if (b->count - first >= MERGED_KEYS_MAX)
                        return refuse(r, event, E2BIG, "a map with merged keys has more than %d", MERGED_KEYS_MAX);
                if (has_key(b, first, m->key))
                        continue;
                q = value_builder_key(b, m->key, strlen(m->key), m->line, m->column, r->err);
                if (q >= 0)
                        q = add_shared(r, event, m->value);
                if (q < 0)
                        return q;
        }
        return 0;
}

static int merge(struct reader *r, const yaml_event_t *event) {
        struct value_builder *b = &r->builder;
        uint32_t first = b->frames[b->depth - 1].first, at = first;
        struct value from;
        int q = 0;

        while (strcmp(b->stack[at].key, "<<") != 0)
                at++;
        from = b->stack[at].value;
        b->count--;
        memmove(&b->stack[at], &b->stack[at + 1], (b->count - at) * sizeof(*b->stack));
        if (from.kind != VALUE_LIST)
                return merge_map(r, event, first, &from);
        for (uint32_t i = 0; i < from.count && q >= 0; i++)
                q = merge_map(r, event, first, &from.items[i]);
        return q;
}

static int on_end(struct reader *r, const yaml_event_t *event) {
        size_t anchor = r->open[r->builder.depth - 1].anchor;
        int q = 0;

        if (r->open[r->builder.depth - 1].merge)
                q = merge(r, event);
        if (q >= 0)
                q = value_builder_end(&r->builder, r->err);
        if (q >= 0)
                finish_anchor(r, anchor);
        return q;
}

/* At the end of a document: one that holds nothing counts for nothing; anchors end with it. */
static int on_document_end(struct reader *r) {
        struct value *last = value_builder_last(&r->builder);

        if (last && last->kind == VALUE_NULL)
                r->builder.count--;
        r->n_anchors = 0;
        return 0;
}

static int on_event(struct reader *r, const yaml_event_t *event) {
        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return on_scalar(r, event);
        case YAML_ALIAS_EVENT:
                return on_alias(r, event);
        case YAML_SEQUENCE_START_EVENT:
                return on_begin(r, event, VALUE_LIST, event->data.sequence_start.tag,
                                event->data.sequence_start.anchor);
        case YAML_MAPPING_START_EVENT:
                return on_begin(r, event, VALUE_MAP, event->data.mapping_start.tag, event->data.mapping_start.anchor);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return on_end(r, event);
        case YAML_DOCUMENT_END_EVENT:
                return on_document_end(r);
        default:
                return 0;
        }
}

static int refuse_syntax(struct reader *r) {
        const yaml_parser_t *p = &r->parser;
        uint32_t line = (uint32_t)p->problem_mark.line + 1;

        if (p->error == YAML_MEMORY_ERROR)
                return value_error(r->builder.options, line, r->err, ENOMEM, "out of memory");
        if (p->error == YAML_READER_ERROR)
                return value_error(r->builder.options, (uint32_t)p->mark.line + 1, r->err, EINVAL, "not YAML: %s",
                                   p->problem);
        return value_error(r->builder.options, line, r->err, EINVAL, "not YAML: %s%s%s", p->context ? p->context : "",
                           p->context ? ", " : "", p->problem ? p->problem : "unknown problem");
}

static int run(struct reader *r) {
        bool ended = false;
        int q = 0;

        while (q >= 0 && !ended) {
                yaml_event_t event;

                if (!yaml_parser_parse(&r->parser, &event))
                        return refuse_syntax(r);
                ended = event.type == YAML_STREAM_END_EVENT;
                q = on_event(r, &event);
                yaml_event_delete(&event);
        }
        return q;
}

static int take_documents(struct reader *r, const struct value **ret_documents) {
        struct value *list = arena_new_of(r->builder.arena, struct value);
        struct value *items = arena_alloc_array(r->builder.arena, r->builder.count, sizeof(*items));

        if (!list || !items)
                return err_set(r->err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < r->builder.count; i++)
                items[i] = r->builder.stack[i].value;
        *list = (struct value){ .kind = VALUE_LIST, .line = 1, .column = 1, .count = r->builder.count, .items = items };
        *ret_documents = list;
        return 0;
}

int yaml_parse_all(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_documents, struct err **err) {
        _cleanup_free_ struct reader *r = NULL;
        int q = value_check_size(options, length, err);

        if (q < 0)
                return q;
        r = calloc(1, sizeof(*r));
        if (!r || !yaml_parser_initialize(&r->parser))
                return err_set(err, ENOMEM, "out of memory");
        value_builder_init(&r->builder, arena, options);
        r->err = err;
        yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, length);
        q = run(r);
        if (q >= 0)
                q = take_documents(r, ret_documents);
        yaml_parser_delete(&r->parser);
        value_builder_done(&r->builder);
        free(r->anchors);
        return q;
}

int yaml_parse(struct arena *arena, const char *text, size_t length, const struct value_options *options,
               const struct value **ret_value, struct err **err) {
        const struct value *documents;
        int q = yaml_parse_all(arena, text, length, options, &documents, err);

        if (q < 0)
                return q;
        if (documents->count == 0)
                return value_error(options, 1, err, ENODATA, "holds no document");
        if (documents->count > 1)
                return value_error(options, documents->items[1].line, err, EINVAL,
                                   "a second document; one is expected in a file");
        *ret_value = &documents->items[0];
        return 0;
}
