#include "kube/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"

void problems_init(struct problems *problems, struct arena *arena, const char *file, const struct value *source) {
        memset(problems, 0, sizeof(*problems));
        problems->arena = arena;
        problems->file = file;
        problems->source = source;
}

static const struct value_member *find_member(const struct value *value, const char *key, size_t length) {
        if (value->kind != VALUE_MAP)
                return NULL;
        for (uint32_t i = 0; i < value->count; i++)
                if (strncmp(value->members[i].key, key, length) == 0 && value->members[i].key[length] == '\0')
                        return &value->members[i];
        return NULL;
}

/* One step down: a key, or what stands in brackets. @path moves past it; NULL when it leads nowhere. */
static const struct value *step(const struct value *value, const char **path, uint32_t *line) {
        const struct value_member *member;
        bool bracket = **path == '[';
        const char *begin = bracket ? *path + 1 : *path;
        size_t n = strcspn(begin, bracket ? "]" : ".[");

        *path = begin + n + (bracket && begin[n]);
        if (bracket && value->kind == VALUE_LIST) {
                const struct value *item = value_at(value, (uint32_t)strtoul(begin, NULL, 10));

                if (item)
                        *line = item->line;
                return item;
        }
        member = find_member(value, begin, n);
        if (!member)
                return NULL;
        *line = member->line;
        return &member->value;
}

/* The line of the deepest part of @path that is there. */
static uint32_t find_line(const struct value *value, const char *path) {
        uint32_t line = value ? value->line : 0;

        while (value && *path) {
                if (*path == '.')
                        path++;
                else
                        value = step(value, &path, &line);
        }
        return line;
}

static void put(struct problems *problems, bool warning, uint32_t line, const char *path, const char *sentence) {
        struct problem *problem;

        if (warning)
                problems->warnings++;
        else
                problems->errors++;
        if (problems->count == PROBLEMS_MAX || (warning && problems->warnings > PROBLEMS_MAX / 2))
                return;
        problem = &problems->items[problems->count++];
        problem->warning = warning;
        problem->line = line;
        problem->in_go = NULL;
        problem->text = arena_printf(problems->arena, "%s%s%s", path, *path ? ": " : "", sentence);
        problem->n_path = problem->text ? (uint32_t)strlen(path) : 0;
        problem->text = problem->text ?: "out of memory";
}

static void add(struct problems *problems, bool warning, uint32_t line, const char *path, const char *format,
                va_list ap) {
        char text[ERR_TEXT_MAX / 2];

        vsnprintf(text, sizeof(text), format, ap);
        put(problems, warning, line, path, text);
}

void problem_put(struct problems *problems, const char *path, const char *sentence) {
        put(problems, false, find_line(problems->source, path), path, sentence);
}

void problem_add(struct problems *problems, bool warning, uint32_t line, const char *path, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        add(problems, warning, line, path, format, ap);
        va_end(ap);
}

void problem_in_go(struct problems *problems, const char *sentence) {
        if (problems->count > 0 && problems->count == problems->errors + problems->warnings) /* it was kept */
                problems->items[problems->count - 1].in_go = sentence;
}

void problem_error(struct problems *problems, const char *path, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        add(problems, false, find_line(problems->source, path), path, format, ap);
        va_end(ap);
}

void problem_warning(struct problems *problems, const char *path, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        add(problems, true, find_line(problems->source, path), path, format, ap);
        va_end(ap);
}

const char *problem_format(const struct problems *problems, const struct problem *problem, char *ret_text,
                           size_t size) {
        if (problems->file && problem->line > 0)
                snprintf(ret_text, size, "%s:%u: %s", problems->file, problem->line, problem->text);
        else if (problems->file)
                snprintf(ret_text, size, "%s: %s", problems->file, problem->text);
        else
                snprintf(ret_text, size, "%s", problem->text);
        return ret_text;
}

int problems_err(const struct problems *problems, struct err **err) {
        char text[ERR_TEXT_MAX];
        size_t at = 0;
        uint32_t left = problems->errors;

        if (problems->errors == 0)
                return 0;
        for (uint32_t i = 0; i < problems->count && at + 64 < sizeof(text); i++) {
                if (problems->items[i].warning)
                        continue;
                if (at > 0)
                        at += (size_t)snprintf(text + at, sizeof(text) - at, "; ");
                problem_format(problems, &problems->items[i], text + at, sizeof(text) - at);
                at += strlen(text + at);
                left--;
        }
        if (left > 0 && at < sizeof(text))
                snprintf(text + at, sizeof(text) - at, "; and %u more", left);
        return err_set(err, EINVAL, "%s", text);
}
