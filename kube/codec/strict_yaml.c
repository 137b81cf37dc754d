#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "kube/codec/strict.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_sort.h"
#include "lib/yaml.h"

#define BEGIN "yaml: unmarshal errors:"
#define KEY_MAX 1024 /* YAML's own maximum of a key that is not marked as one */

/* A key that is there a second time. */
struct second {
        uint32_t line;                   /* of its value */
        uint32_t last_line, last_column; /* of the last thing in its value: Go finds it when that is read */
        const char *key;
};

struct seconds {
        struct arena *arena;
        struct second items[KUBE_STRICT_MAX];
        size_t n;
        bool no_memory;
};

static const struct value *last_in(const struct value *value) {
        while ((value->kind == VALUE_MAP || value->kind == VALUE_LIST) && value->count > 0)
                value = value->kind == VALUE_MAP ? &value->members[value->count - 1].value :
                                                   &value->items[value->count - 1];
        return value;
}

static const char *key_text(struct arena *arena, const struct value_member *member) {
        char quoted[KEY_MAX * 4 + 3];

        if (member->key_kind != VALUE_STRING)
                return arena_strdup(arena, member->key);
        if (strlen(member->key) > KEY_MAX)
                return arena_printf(arena, "\"%.*s\"", KEY_MAX, member->key);
        go_text_quote_to(quoted, member->key);
        return arena_strdup(arena, quoted);
}

static bool is_after(const struct second *a, const struct second *b) {
        return a->last_line > b->last_line || (a->last_line == b->last_line && a->last_column > b->last_column);
}

/* Keeps them in the order in which Go finds them: maps end, and are told of, later than their first values. */
static void add(void *data, const struct value_member *member) {
        const struct value *last = last_in(&member->value);
        struct seconds *s = data;
        struct second second = { member->value.line, last->line, last->column, key_text(s->arena, member) };
        size_t at = s->n;

        if (second.line < member->line) { /* an alias stands there, for what was written before */
                second.line = second.last_line = member->line;
                second.last_column = member->column;
        }
        s->no_memory |= !second.key;
        if (s->n == KUBE_STRICT_MAX)
                return;
        for (s->n++; at > 0 && is_after(&s->items[at - 1], &second); at--)
                s->items[at] = s->items[at - 1];
        s->items[at] = second;
}

static void ignore(void *data, uint32_t line, const char *text) {
}

static int tell(const struct seconds *s, kube_strict_report report, void *data) {
        size_t size = sizeof(BEGIN);
        char *text, *to;

        if (s->no_memory)
                return -ENOMEM;
        if (s->n == 0)
                return 0;
        for (size_t i = 0; i < s->n; i++)
                size += strlen(s->items[i].key) + sizeof("\n  line : key  already set in map") + 10;
        if (!(text = arena_alloc_uncleared(s->arena, size)))
                return -ENOMEM;
        to = stpcpy(text, BEGIN);
        for (size_t i = 0; i < s->n; i++)
                to += sprintf(to, "\n  line %u: key %s already set in map", s->items[i].line, s->items[i].key);
        report(data, text);
        return 0;
}

static int read_yaml(struct arena *arena, const char *text, size_t length, struct seconds *seconds,
                     const struct value **ret_value) {
        const struct value_options options = { .warn = ignore, .warn_data = seconds, .second = add };
        int r = yaml_parse(arena, text, length, &options, ret_value, NULL);

        return r < 0 && r != -ENOMEM ? -EINVAL : r;
}

int kube_yaml_twice(const char *text, size_t length, kube_strict_report report, void *data) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ struct seconds *seconds = calloc(1, sizeof(*seconds));
        const struct value *value;
        int r;

        if (!arena || !seconds)
                return -ENOMEM;
        seconds->arena = arena;
        r = read_yaml(arena, text, length, seconds, &value);
        return r < 0 ? r : tell(seconds, report, data);
}

/* Its JSON has the fields in the order in which Go has a map's, which is what YAML is on the way. */
int kube_yaml_strict(const struct kube_type *type, const char *text, size_t length, kube_strict_report report,
                     void *data) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ struct seconds *seconds = calloc(1, sizeof(*seconds));
        _cleanup_free_ char *json = NULL;
        const struct value *value;
        size_t json_length = 0;
        int r;

        if (!arena || !seconds)
                return -ENOMEM;
        seconds->arena = arena;
        if ((r = read_yaml(arena, text, length, seconds, &value)) < 0 || (r = tell(seconds, report, data)) < 0)
                return r;
        if (!(value = value_sorted(arena, value)) || json_format(value, false, &json, &json_length) < 0)
                return -ENOMEM;
        return kube_json_strict(type, json, json_length, report, data);
}
