#include "lib/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/yaml_reader.h"
#include "lib/yaml_text.h"

#define QUOTE_ESCAPES_MAX 100 /* texts with a \' in a document, which is read anew after each */

static int refuse_syntax(struct yaml_reader *r) {
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
static int run(struct yaml_reader *r, bool first) {
        bool ended = false;
        int q = 0;

        while (q >= 0 && !ended) {
                yaml_event_t event;

                if (!yaml_parser_parse(&r->parser, &event))
                        return refuse_syntax(r);
                ended = event.type == YAML_STREAM_END_EVENT || (first && event.type == YAML_DOCUMENT_END_EVENT);
                q = yaml_reader_take(r, &event);
                yaml_event_delete(&event);
        }
        return q;
}

/* The line of what comes behind the first document, read or not; 0: nothing. */
static uint32_t find_more(struct yaml_reader *r) {
        uint32_t line = 0;
        bool ended = false;

        while (line == 0 && !ended) {
                yaml_event_t event;

                if (!yaml_parser_parse(&r->parser, &event))
                        return (uint32_t)r->parser.problem_mark.line + 1;
                ended = event.type == YAML_STREAM_END_EVENT;
                if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                    (event.type == YAML_SCALAR_EVENT && event.data.scalar.length > 0))
                        line = yaml_line_of(&event);
                yaml_event_delete(&event);
        }
        return line;
}

static int take_documents(struct yaml_reader *r, const struct value **ret_documents) {
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

static int begin(struct yaml_reader **ret_reader, struct arena *arena, const char *text, size_t length,
                 const struct value_options *options, struct err **err) {
        struct yaml_reader *r = calloc(1, sizeof(*r));

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

static void end(struct yaml_reader *r) {
        yaml_parser_delete(&r->parser);
        value_builder_done(&r->builder);
        free(r->anchors);
        free(r);
}

int yaml_parse_all(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_documents, struct err **err) {
        struct yaml_reader *r;
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
static int read_first(struct yaml_reader *r, const struct value **ret_value) {
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
static size_t find_quote_escape(const struct yaml_reader *r, const char *text, size_t length) {
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
                struct yaml_reader *r;
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
