#include "lib/json_readers.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_scan.h"
#include "lib/list.h"
#include "lib/value_builder.h"

/* yajl takes for granted that there is memory: what it gets is kept in a list, and a failure leaves it by longjmp(). */
struct block {
        _Alignas(max_align_t) struct list_node in_list;
};

LIST_DEFINE(blocks, struct block, in_list)

struct reader {
        struct value_builder builder;
        struct blocks blocks;
        jmp_buf no_memory;
        yajl_handle yajl;
        const char *text;
        size_t length;
        size_t at; /* how far @line and @line_begin were counted */
        size_t line_begin;
        size_t token; /* where the last one begins */
        uint32_t line;
        int error;
        struct err **err;
};

static void count_lines(struct reader *r, size_t to) {
        for (; r->at < to; r->at++)
                if (r->text[r->at] == '\n') {
                        r->line++;
                        r->line_begin = r->at + 1;
                }
}

/* Where the token begins that yajl just read: behind the last one's end and what stands between tokens. */
static struct value place(struct reader *r, enum value_kind kind) {
        size_t end = yajl_get_bytes_consumed(r->yajl), column;

        while (r->at < end && r->at < r->length && strchr(" \t\r\n,:", r->text[r->at]))
                count_lines(r, r->at + 1);
        r->token = r->at;
        column = r->at - r->line_begin + 1;
        struct value v = {
                .kind = (uint8_t)kind,
                .line = r->line,
                .column = column > UINT16_MAX ? UINT16_MAX : (uint16_t)column,
        };
        count_lines(r, end);
        return v;
}

/* yajl's callbacks return true to go on; a failure is kept for the caller of yajl. */
static int keep(struct reader *r, int error) {
        r->error = error;
        return error >= 0;
}

static int on_null(void *data) {
        struct reader *r = data;

        return keep(r, value_builder_add(&r->builder, place(r, VALUE_NULL), 1, r->err));
}

static int on_boolean(void *data, int boolean) {
        struct reader *r = data;
        struct value v = place(r, VALUE_BOOL);

        v.boolean = boolean;
        return keep(r, value_builder_add(&r->builder, v, 1, r->err));
}

static int on_number(void *data, const char *text, size_t length) {
        struct reader *r = data;
        struct value v = place(r, VALUE_NUMBER);
        char digits[24];

        if (length < sizeof(digits) && !memchr(text, '.', length) && !memchr(text, 'e', length) &&
            !memchr(text, 'E', length)) {
                memcpy(digits, text, length);
                digits[length] = '\0';
                errno = 0;
                v.integer = strtoll(digits, NULL, 10);
                if (errno == 0)
                        v.kind = VALUE_INT;
        }
        if (v.kind == VALUE_NUMBER) {
                v.count = (uint32_t)length;
                if (keep(r, value_builder_text(&r->builder, text, length, v.line, &v.text, r->err)) == 0)
                        return 0;
        }
        return keep(r, value_builder_add(&r->builder, v, 1, r->err));
}

/* The last token's text, which yajl has as @text: of half a surrogate pair it makes another character, or bytes that
 * are none. NULL without memory. */
static const char *unescape(struct reader *r, const unsigned char *text, size_t *length) {
        struct json_scan scan = { r->text + r->token, r->text + r->length };
        struct json_text escaped;
        char *copy;

        if (!memchr(scan.at, '\\', r->at - r->token) || !json_scan_string(&scan, &escaped))
                return (const char *)text;
        copy = arena_alloc(r->builder.arena, escaped.length + 1);
        if (!copy)
                return NULL;
        *length = json_text_copy(&escaped, copy);
        return copy;
}

static int on_string(void *data, const unsigned char *text, size_t length) {
        struct reader *r = data;
        struct value v = place(r, VALUE_STRING);
        const char *plain = unescape(r, text, &length);

        if (!plain)
                return keep(r, -ENOMEM);
        v.count = (uint32_t)length;
        if (keep(r, value_builder_text(&r->builder, plain, length, v.line, &v.text, r->err)) == 0)
                return 0;
        return keep(r, value_builder_add(&r->builder, v, 1, r->err));
}

static int on_key(void *data, const unsigned char *text, size_t length) {
        struct reader *r = data;
        struct value v = place(r, VALUE_STRING);
        const char *plain = unescape(r, text, &length);

        return keep(r, !plain ? -ENOMEM : value_builder_key(&r->builder, plain, length, v.line, v.column, r->err));
}

static int on_begin_map(void *data) {
        struct reader *r = data;

        return keep(r, value_builder_begin(&r->builder, place(r, VALUE_MAP), r->err));
}

static int on_begin_list(void *data) {
        struct reader *r = data;

        return keep(r, value_builder_begin(&r->builder, place(r, VALUE_LIST), r->err));
}

static int on_end(void *data) {
        struct reader *r = data;

        count_lines(r, yajl_get_bytes_consumed(r->yajl));
        return keep(r, value_builder_end(&r->builder, r->err));
}

static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_begin_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end,
        .yajl_start_array = on_begin_list,
        .yajl_end_array = on_end,
};

static size_t skip(const struct reader *r, size_t at, const char *characters) {
        while (at < r->length && r->text[at] && strchr(characters, r->text[at]))
                at++;
        return at;
}

/* yajl passes over a token that is not complete behind the document: a quote, "tru". What ends with a bracket or a
 * quote has its end there; a number or word is all that there is. */
static bool ends_well(const struct reader *r, const struct value *document) {
        static const char space[] = " \t\r\n";
        size_t at = r->at;

        if (document->kind != VALUE_MAP && document->kind != VALUE_LIST && document->kind != VALUE_STRING)
                at = skip(r, skip(r, 0, space), "+-.0123456789Eaeflnrstu");
        return skip(r, at, space) == r->length;
}

/* yajl's own sentence ("lexical error: ...\n", "parse error: ..."), at the line it stopped. */
static int refuse(struct reader *r) {
        unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
        const char *end = text ? strchrnul((const char *)text, '\n') : NULL;
        size_t consumed = yajl_get_bytes_consumed(r->yajl);

        count_lines(r, consumed < r->length ? consumed : r->length);
        r->error = value_error(r->builder.options, r->line, r->err, EINVAL, "not JSON: %.*s",
                               text ? (int)(end - (const char *)text) : INT_MAX,
                               text ? (const char *)text : "out of memory");
        yajl_free_error(r->yajl, text);
        return r->error;
}

/* Two characters that yajl takes for blanks and JSON knows nowhere. */
static int refuse_blanks(struct reader *r) {
        const char *vertical = memchr(r->text, '\v', r->length), *feed = memchr(r->text, '\f', r->length);
        const char *first = vertical && (!feed || vertical < feed) ? vertical : feed;

        if (!first)
                return 0;
        count_lines(r, (size_t)(first - r->text));
        return r->error = value_error(r->builder.options, r->line, r->err, EINVAL,
                                      "not JSON: lexical error: invalid char in json text.");
}

static int run(struct reader *r) {
        yajl_status status = yajl_parse(r->yajl, (const unsigned char *)r->text, r->length);

        if (status == yajl_status_ok)
                status = yajl_complete_parse(r->yajl);
        if (r->error < 0)
                return r->error;
        if (status != yajl_status_ok)
                return refuse(r);
        if (!value_builder_last(&r->builder))
                return value_error(r->builder.options, r->line, r->err, EINVAL, "not JSON: nothing there");
        if (!ends_well(r, value_builder_last(&r->builder)))
                return value_error(r->builder.options, r->line, r->err, EINVAL,
                                   "not JSON: something stands behind the document");
        return 0;
}

static void yajl_give(void *data, void *p) {
        if (!p)
                return;
        blocks_remove((struct block *)p - 1);
        free((struct block *)p - 1);
}

static void *yajl_resize(void *data, void *p, size_t size) {
        struct block *old = p ? (struct block *)p - 1 : NULL, *block;
        struct reader *r = data;

        if (old)
                blocks_remove(old);
        block = size > SIZE_MAX - sizeof(*block) ? NULL : realloc(old, sizeof(*block) + size);
        if (!block && old)
                blocks_append(&r->blocks, old);
        if (!block)
                longjmp(r->no_memory, 1);
        block->in_list = (struct list_node){ 0 };
        blocks_append(&r->blocks, block);
        return block + 1;
}

static void *yajl_take(void *data, size_t size) {
        return yajl_resize(data, NULL, size);
}

static int run_guarded(struct reader *r) {
        yajl_alloc_funcs memory = { .malloc = yajl_take, .realloc = yajl_resize, .free = yajl_give, .ctx = r };

        if (setjmp(r->no_memory))
                return err_set(r->err, ENOMEM, "out of memory");
        if (refuse_blanks(r) < 0)
                return r->error;
        r->yajl = yajl_alloc(&callbacks, &memory, r);
        return run(r);
}

int json_read_words(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                    const struct value **ret_value, struct err **err) {
        _cleanup_free_ struct reader *r = NULL;
        struct value *value;
        int error;

        r = calloc(1, sizeof(*r));
        if (!r)
                return err_set(err, ENOMEM, "out of memory");
        value_builder_init(&r->builder, arena, options);
        r->text = text;
        r->length = length;
        r->line = 1;
        r->err = err;
        error = run_guarded(r);
        if (error >= 0) {
                value = arena_new_of(arena, struct value);
                if (value) {
                        *value = *value_builder_last(&r->builder);
                        *ret_value = value;
                } else {
                        error = err_set(err, ENOMEM, "out of memory");
                }
        }
        LIST_EACH (blocks, block, &r->blocks)
                yajl_give(r, block + 1);
        value_builder_done(&r->builder);
        return error;
}
