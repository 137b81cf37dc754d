#include "kube/validate/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/json_writer.h"

#define NUMBER_TEXT_MAX 24

/* Writes @at to @to, unless that is NULL. Returns its length, without a NUL. */
static size_t write_place(char *to, const struct place *at) {
        size_t n = at->up ? write_place(to, at->up) : 0, length;
        char number[NUMBER_TEXT_MAX];
        const char *text = at->name ?: at->key;

        if (!text) {
                snprintf(number, sizeof(number), "%" PRIu32, at->index);
                text = number;
        }
        length = strlen(text);
        if (to && at->name && at->up)
                to[n] = '.';
        else if (to && !at->name)
                to[n] = '[';
        n += at->up || !at->name;
        if (to)
                memcpy(to + n, text, length);
        n += length;
        if (!at->name) {
                if (to)
                        to[n] = ']';
                n++;
        }
        return n;
}

const char *validate_place_text(struct validation *v, const struct place *at) {
        size_t n = at ? write_place(NULL, at) : 0;
        char *text = arena_alloc_uncleared(v->arena, n + 1);

        if (!text) {
                v->error = -ENOMEM;
                return "";
        }
        if (at)
                write_place(text, at);
        text[n] = '\0';
        return text;
}

void *validate_alloc(struct validation *v, size_t count, size_t size) {
        void *memory = arena_alloc_array(v->arena, count, size);

        if (!memory)
                v->error = -ENOMEM;
        return memory;
}

char *validate_copy(struct validation *v, const char *text, size_t length) {
        static char none[] = "";
        char *copy = arena_strndup(v->arena, text, length);

        if (!copy)
                v->error = -ENOMEM;
        return copy ?: none;
}

static const char *format_text(struct validation *v, const char *format, va_list arguments) {
        const char *text = arena_vprintf(v->arena, format, arguments);

        if (!text)
                v->error = -ENOMEM;
        return text ?: "";
}

const char *validate_key(struct validation *v, const char *format, ...) {
        va_list arguments;
        const char *text;

        va_start(arguments, format);
        text = format_text(v, format, arguments);
        va_end(arguments);
        return text;
}

bool validate_is_full(const struct validation *v) {
        return v->text_bytes > VALIDATE_TEXT_MAX || v->problems->count == PROBLEMS_MAX;
}

unsigned validate_errors(const struct validation *v) {
        return v->problems->errors;
}

const char *validate_text(struct validation *v, const char *format, ...) {
        va_list arguments;
        const char *text;

        if (validate_is_full(v))
                return "";
        va_start(arguments, format);
        text = format_text(v, format, arguments);
        va_end(arguments);
        return text;
}

const char *validate_amount_text(struct validation *v, struct quantity amount) {
        char text[QUANTITY_TEXT_MAX];

        return validate_text(v, "%s", quantity_format(amount, text));
}

bool validate_has_warned(const struct validation *v) {
        return !v->warnings || v->warnings->count == VALIDATE_WARNINGS_MAX;
}

void validate_warn(struct validation *v, const struct place *at, const char *format, ...) {
        const char *place = at ? validate_place_text(v, at) : "";
        size_t n = strlen(place), before = at ? n + strlen(": ") : 0;
        va_list arguments;
        char *text;
        int length;

        if (validate_has_warned(v))
                return;
        va_start(arguments, format);
        length = vsnprintf(NULL, 0, format, arguments);
        va_end(arguments);
        text = length < 0 ? NULL : validate_alloc(v, 1, before + (size_t)length + 1);
        if (!text)
                return;
        if (at)
                strcpy(stpcpy(text, place), ": ");
        va_start(arguments, format);
        vsnprintf(text + before, (size_t)length + 1, format, arguments);
        va_end(arguments);
        v->warnings->texts[v->warnings->count++] = text;
}

/* @value NULL: none is told. */
static void add(struct validation *v, const struct place *at, const char *type, const char *value, const char *detail) {
        const char *path, *text;

        if (validate_is_full(v)) {
                v->problems->errors++;
                return;
        }
        path = at ? validate_place_text(v, at) : "<nil>";
        text = validate_text(v, "%s%s%s%s%s", type, value ? ": " : "", value ?: "", *detail ? ": " : "", detail);
        v->text_bytes += strlen(path) + strlen(text);
        problem_put(v->problems, path, text);
}

const char *validate_quoted(struct validation *v, const char *text) {
        char *quoted = validate_is_full(v) ? NULL : validate_alloc(v, 1, GO_TEXT_QUOTED_MAX(strlen(text ?: "")));

        if (quoted)
                go_text_quote_to(quoted, text ?: "");
        return quoted ?: "";
}

static const char *finish(struct validation *v, struct json_writer *w) {
        _cleanup_free_ char *text = NULL;

        if (json_writer_finish(w, &text, NULL) < 0) {
                v->error = -ENOMEM;
                return "null";
        }
        return validate_copy(v, text, strlen(text));
}

const char *validate_json_text(struct validation *v, const char *text) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (validate_is_full(v))
                return "";
        json_string(&w, text ?: "");
        return finish(v, &w);
}

const char *validate_json_strings(struct validation *v, const string_list *list) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (!list->items || validate_is_full(v))
                return "null";
        json_begin_list(&w);
        list_for_each (item, list)
                json_string(&w, *item ?: "");
        json_end_list(&w);
        return finish(v, &w);
}

void validate_required(struct validation *v, const struct place *at, const char *detail) {
        add(v, at, "Required value", NULL, detail);
}

void validate_forbidden(struct validation *v, const struct place *at, const char *detail) {
        add(v, at, "Forbidden", NULL, detail);
}

void validate_internal(struct validation *v, const struct place *at, const char *detail) {
        add(v, at, "Internal error", NULL, detail);
}

void validate_invalid(struct validation *v, const struct place *at, const char *value, const char *detail) {
        add(v, at, "Invalid value", validate_quoted(v, value), detail);
}

void validate_invalid_word(struct validation *v, const struct place *at, const char *value, const char *detail) {
        add(v, at, "Invalid value", validate_json_text(v, value), detail);
}

void validate_invalid_int(struct validation *v, const struct place *at, int64_t value, const char *detail) {
        char text[NUMBER_TEXT_MAX];

        snprintf(text, sizeof(text), "%" PRId64, value);
        add(v, at, "Invalid value", text, detail);
}

void validate_invalid_bool(struct validation *v, const struct place *at, bool value, const char *detail) {
        add(v, at, "Invalid value", value ? "true" : "false", detail);
}

void validate_invalid_quantity(struct validation *v, const struct place *at, struct quantity value,
                               const char *detail) {
        char text[QUANTITY_TEXT_MAX];

        validate_invalid(v, at, quantity_format(value, text), detail);
}

void validate_invalid_json(struct validation *v, const struct place *at, const char *json, const char *detail) {
        add(v, at, "Invalid value", json, detail);
}

void validate_invalid_object(struct validation *v, const struct place *at, const struct kube_type *type,
                             const void *object, const char *detail) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (!object || validate_is_full(v)) {
                add(v, at, "Invalid value", "null", detail);
                return;
        }
        kube_json_write(&w, type, object);
        add(v, at, "Invalid value", finish(v, &w), detail);
}

void validate_duplicate(struct validation *v, const struct place *at, const char *value) {
        add(v, at, "Duplicate value", validate_quoted(v, value), "");
}

void validate_duplicate_detail(struct validation *v, const struct place *at, const char *json, const char *detail) {
        add(v, at, "Duplicate value", json, detail);
}

void validate_duplicate_json(struct validation *v, const struct place *at, const char *json) {
        validate_duplicate_detail(v, at, json, "");
}

void validate_not_found(struct validation *v, const struct place *at, const char *value, const char *detail) {
        add(v, at, "Not found", validate_quoted(v, value), detail);
}

const char *validate_join(struct validation *v, const char *const *texts, size_t n, bool quoted) {
        size_t size = 1;
        char *text, *at;

        if (validate_is_full(v))
                return "";
        for (size_t i = 0; i < n; i++)
                size += GO_TEXT_QUOTED_MAX(strlen(texts[i])) + 2;
        text = at = arena_alloc(v->arena, size);
        if (!text)
                v->error = -ENOMEM;
        for (size_t i = 0; text && i < n; i++) {
                if (i > 0)
                        at = stpcpy(at, ", ");
                at = quoted ? go_text_quote_to(at, texts[i]) : stpcpy(at, texts[i]);
        }
        return text ?: "";
}

void validate_unsupported_json(struct validation *v, const struct place *at, const char *json,
                               const char *const *supported) {
        size_t n = 0;

        while (supported[n])
                n++;
        add(v, at, "Unsupported value", json,
            n == 0 ? "" : validate_text(v, "supported values: %s", validate_join(v, supported, n, true)));
}

void validate_unsupported(struct validation *v, const struct place *at, const char *value,
                          const char *const *supported) {
        validate_unsupported_json(v, at, validate_json_text(v, value), supported);
}

static const char *plural(struct validation *v, const char *before, int n, const char *unit) {
        return validate_text(v, "%s %d %s%s", before, n, unit, n == 1 ? "" : "s");
}

void validate_too_long(struct validation *v, const struct place *at, int max) {
        add(v, at, "Too long", NULL, plural(v, "may not be more than", max, "byte"));
}

void validate_too_many(struct validation *v, const struct place *at, int actual, int max) {
        char text[NUMBER_TEXT_MAX];

        snprintf(text, sizeof(text), "%d", actual);
        add(v, at, "Too many", actual < 0 ? NULL : text, plural(v, "must have at most", max, "item"));
}
