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
#include "lib/yaml_text.h"

#define ANCHORS_MAX 1000
#define MERGED_KEYS_MAX 4096  /* of a map with `<<`: many may stand for little */
#define QUOTE_ESCAPES_MAX 100 /* texts with a \' in a document, which is read anew after each */
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
                bool merge;    /* the next value is a `<<`'s */
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
static int resolve(struct reader *r, const yaml_event_t *event, enum tag tag, struct value *value,
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

static int add_key(struct reader *r, const yaml_event_t *event, const struct value *value, const char *number,
                   const char *text, bool plain) {
        char buffer[32];
        const char *key = key_text(value, number, text, buffer);

        if (value->kind == VALUE_NULL)
                return refuse(r, event, EINVAL, "null as a key is not supported");
        if (plain && strcmp(key, "<<") == 0)
                r->open[r->builder.depth - 1].merge = true;
        return value_builder_key(&r->builder, key, strlen(key), value->line, value->column, r->err);
}

/* The bytes that a !!binary stands for, what is no UTF-8 of them replaced, as JSON has it. */
static int decode_binary(struct reader *r, const yaml_event_t *event, struct value *value) {
        char *text = yaml_binary_decode(r->builder.arena, (const char *)event->data.scalar.value);

        if (!text)
                return refuse(r, event, EINVAL, "!!binary value contains invalid base64 data, or a NUL");
        value->count = (uint32_t)strlen(text);
        return value_builder_text(&r->builder, text, value->count, value->line, &value->text, r->err);
}

static int take_text(struct reader *r, const yaml_event_t *event, enum tag tag, const char *number,
                     struct value *value) {
        const char *text = value->kind == VALUE_NUMBER ? number : (const char *)event->data.scalar.value;

        if (tag == TAG_BINARY)
                return decode_binary(r, event, value);
        value->count = (uint32_t)(value->kind == VALUE_NUMBER ? strlen(number) : event->data.scalar.length);
        return value_builder_text(&r->builder, text, value->count, value->line, &value->text, r->err);
}

static int after_value(struct reader *r, const yaml_event_t *event);

static int on_scalar(struct reader *r, const yaml_event_t *event) {
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

static const struct anchor *find_anchor(const struct reader *r, const char *name) {
        for (size_t i = r->n_anchors; i > 0; i--)
                if (strcmp(r->anchors[i - 1].name, name) == 0)
                        return &r->anchors[i - 1];
        return NULL;
}

static int on_alias(struct reader *r, const yaml_event_t *event) {
        const char *name = (const char *)event->data.alias.anchor;
        const struct anchor *anchor = find_anchor(r, name);
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
static int on_begin(struct reader *r, const yaml_event_t *event, enum value_kind kind, const yaml_char_t *anchor_name) {
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
static int merge_map(struct reader *r, const yaml_event_t *event, const struct value *from) {
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
        }
        return 0;
}

/* The value of a `<<` is there: what it holds takes its place. Of several maps the first one counts most. */
static int merge(struct reader *r, const yaml_event_t *event) {
        struct value from = *value_builder_last(&r->builder);
        int q = 0;

        r->builder.count--;
        if (from.kind != VALUE_LIST)
                return merge_map(r, event, &from);
        for (uint32_t i = from.count; i-- > 0 && q >= 0;)
                q = merge_map(r, event, &from.items[i]);
        return q;
}

static int after_value(struct reader *r, const yaml_event_t *event) {
        uint32_t depth = r->builder.depth;

        if (depth == 0 || !r->open[depth - 1].merge)
                return 0;
        r->open[depth - 1].merge = false;
        return merge(r, event);
}

static int on_end(struct reader *r, const yaml_event_t *event) {
        size_t anchor = r->open[r->builder.depth - 1].anchor;
        int q = value_builder_end(&r->builder, r->err);

        if (q < 0)
                return q;
        finish_anchor(r, anchor);
        return after_value(r, event);
}

/* What says that it is YAML 1.2 would be read by other rules than these. */
static int on_document_start(struct reader *r, const yaml_event_t *event) {
        const yaml_version_directive_t *version = event->data.document_start.version_directive;

        if (version && (version->major != 1 || version->minor != 1))
                return refuse(r, event, EINVAL, "%%YAML %d.%d: it is read as YAML 1.1 alone; take the line out",
                              version->major, version->minor);
        return 0;
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

/* Reads to the end of the stream, or of its first document. */
static int run(struct reader *r, bool first) {
        bool ended = false;
        int q = 0;

        while (q >= 0 && !ended) {
                yaml_event_t event;

                if (!yaml_parser_parse(&r->parser, &event))
                        return refuse_syntax(r);
                ended = event.type == YAML_STREAM_END_EVENT || (first && event.type == YAML_DOCUMENT_END_EVENT);
                q = on_event(r, &event);
                yaml_event_delete(&event);
        }
        return q;
}

/* The line of what comes behind the first document, read or not; 0: nothing. */
static uint32_t find_more(struct reader *r) {
        uint32_t line = 0;
        bool ended = false;

        while (line == 0 && !ended) {
                yaml_event_t event;

                if (!yaml_parser_parse(&r->parser, &event))
                        return (uint32_t)r->parser.problem_mark.line + 1;
                ended = event.type == YAML_STREAM_END_EVENT;
                if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                    (event.type == YAML_SCALAR_EVENT && event.data.scalar.length > 0))
                        line = line_of(&event);
                yaml_event_delete(&event);
        }
        return line;
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

static int begin(struct reader **ret_reader, struct arena *arena, const char *text, size_t length,
                 const struct value_options *options, struct err **err) {
        struct reader *r = calloc(1, sizeof(*r));

        if (!r || !yaml_parser_initialize(&r->parser)) {
                free(r);
                return err_set(err, ENOMEM, "out of memory");
        }
        value_builder_init(&r->builder, arena, options);
        r->err = err;
        yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, length);
        *ret_reader = r;
        return 0;
}

static void end(struct reader *r) {
        yaml_parser_delete(&r->parser);
        value_builder_done(&r->builder);
        free(r->anchors);
        free(r);
}

int yaml_parse_all(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_documents, struct err **err) {
        struct reader *r;
        int q = value_check_size(options, length, err);

        if (q < 0 || (q = begin(&r, arena, text, length, options, err)) < 0)
                return q;
        q = run(r, false);
        if (q >= 0)
                q = take_documents(r, ret_documents);
        end(r);
        return q;
}

static int parse_one(struct arena *arena, const char *text, size_t length, const struct value_options *options,
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

/* Sets *ret_value, unless it is to be read again with another @text. */
static int read_first(struct reader *r, const struct value **ret_value) {
        const struct value *documents;
        uint32_t more;
        int q = run(r, true);

        if (q >= 0)
                q = take_documents(r, &documents);
        if (q < 0)
                return q;
        if (documents->count == 0)
                return value_error(r->builder.options, 1, r->err, ENODATA,
                                   "holds no document, or an empty one before others; take its `---` out");
        if ((more = find_more(r)) > 0)
                value_builder_warn(&r->builder, more,
                                   "a second document: the first of a file counts, the rest is not read");
        *ret_value = &documents->items[0];
        return 0;
}

/* Where libyaml met a \' in double quotes, which Go's reader knows; the text's length: it met none. */
static size_t find_quote_escape(const struct reader *r, const char *text, size_t length) {
        const yaml_parser_t *p = &r->parser;
        size_t at;

        if (p->error != YAML_SCANNER_ERROR || p->encoding != YAML_UTF8_ENCODING)
                return length;
        at = yaml_escape_offset(text, length, p->problem_mark.index);
        return at + 1 < length && text[at] == '\\' && text[at + 1] == '\'' ? at : length;
}

static int parse_first(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                       const struct value **ret_value, struct err **err) {
        _cleanup_free_ char *copy = NULL;

        for (unsigned tries = 0;; tries++) {
                _cleanup_err_ struct err *why = NULL;
                struct reader *r;
                size_t at;
                int q = begin(&r, arena, copy ?: text, length, options, &why);

                if (q < 0)
                        return err_move(err, TAKE_PTR(why));
                q = read_first(r, ret_value);
                at = q < 0 ? find_quote_escape(r, copy ?: text, length) : length;
                end(r);
                if (at == length || tries == QUOTE_ESCAPES_MAX)
                        return q < 0 ? err_move(err, TAKE_PTR(why)) : q;
                if (!copy && !(copy = strndup(text, length)))
                        return err_set(err, ENOMEM, "out of memory");
                length = yaml_escape_mend(copy, length, at);
        }
}

int yaml_parse(struct arena *arena, const char *text, size_t length, const struct value_options *options,
               const struct value **ret_value, struct err **err) {
        int q = value_check_size(options, length, err);

        if (q < 0)
                return q;
        return options && options->warn ? parse_first(arena, text, length, options, ret_value, err) :
                                          parse_one(arena, text, length, options, ret_value, err);
}
