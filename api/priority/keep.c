/* Default objects stay what they are, and FlowSchemas say whether their level is there: as two controllers within
 * kube-apiserver have it, which look once a minute. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/priority/defaults.h"
#include "api/priority/internal.h"
#include "api/rest/put.h"
#include "api/rest/meta.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* Go's strconv.ParseBool. */
static bool is_bool(const char *text, bool *ret_value) {
        static const char *const words[] = { "1", "t", "T", "TRUE",  "true",  "True",
                                             "0", "f", "F", "FALSE", "false", "False" };

        for (size_t i = 0; text && i < ELEMENTS(words); i++)
                if (strcmp(text, words[i]) == 0) {
                        *ret_value = i < ELEMENTS(words) / 2;
                        return true;
                }
        return false;
}

static const char *annotation_of(const struct value *tree) {
        return value_string(value_get(value_find(tree, "metadata.annotations"), PRIORITY_AUTO_UPDATE));
}

/* The annotation counts; without it an object that nobody has changed is brought up to date as well. */
static bool updates_spec(const struct priority_default *wanted, const struct value *tree) {
        int64_t generation = 0;
        bool says;

        if (wanted->mandatory)
                return true;
        if (is_bool(annotation_of(tree), &says))
                return says;
        return value_integer(value_find(tree, "metadata.generation"), &generation) && generation == 1;
}

/* A default object as the server would keep it. */
static int settled(struct arena *arena, const struct api_resource *of, const struct priority_default *wanted,
                   const struct value **ret_tree) {
        const char *text = priority_default_json(arena, wanted);
        struct api_json json = { 0 };
        struct problems problems;
        int r = text ? json_parse(arena, text, strlen(text), NULL, ret_tree, NULL) : -ENOMEM;

        problems_init(&problems, arena, NULL, NULL);
        r = r ?: api_settle(arena, of->kind->type, *ret_tree, true, &problems, &json);
        return r ?: json_parse(arena, json.text, json.length, NULL, ret_tree, NULL);
}

static int change_spec(struct value_edit *edit, const struct value *tree, const struct value *spec) {
        int64_t generation = 0;

        value_integer(value_find(tree, "metadata.generation"), &generation);
        return value_edit_set(edit, "/spec", spec, NULL) ?:
                       value_edit_set(edit, "/metadata/generation", &(struct value)VALUE_INTEGER(generation + 1), NULL);
}

/* 1: *ret_tree is what it is to be. */
static int revise(struct arena *arena, const struct api_resource *of, const struct priority_default *wanted,
                  const struct value *tree, const struct value **ret_tree) {
        bool updates = updates_spec(wanted, tree), says = false,
             annotates = !is_bool(annotation_of(tree), &says) || says != updates, changes;
        const struct value *fresh;
        struct value_edit edit;
        int r = settled(arena, of, wanted, &fresh);

        if (r < 0)
                return r;
        changes = updates && !value_equal(value_get(fresh, "spec"), value_get(tree, "spec"));
        if (!annotates && !changes)
                return 0;
        value_edit_begin(&edit, arena, tree);
        if (changes)
                r = change_spec(&edit, tree, value_get(fresh, "spec"));
        if (r == 0 && annotates)
                r = value_edit_set(&edit, "/metadata/annotations/apf.kubernetes.io~1autoupdate-spec",
                                   &(struct value)VALUE_TEXT(updates ? "true" : "false"), NULL);
        *ret_tree = value_edit_end(&edit);
        r = r ?: *ret_tree ? 0 : -ENOMEM;
        return r ?: api_own_server(arena, of->kind, NULL, tree, ret_tree) ?: 1;
}

/* The place of the condition Dangling; the number of conditions where there is none. */
static uint32_t find_dangling(const struct value *conditions) {
        uint32_t n = value_is(conditions, VALUE_LIST) ? value_count(conditions) : 0;

        for (uint32_t i = 0; i < n; i++)
                if (strcmp(value_string_or(value_get(&conditions->items[i], "type"), ""), "Dangling") == 0)
                        return i;
        return n;
}

static bool says(const struct value *condition, const char *field, const char *wanted) {
        return strcmp(value_string_or(value_get(condition, field), ""), wanted) == 0;
}

static int put_condition(struct arena *arena, const struct value *tree, uint32_t at, const struct value *condition,
                         const struct value **ret_tree) {
        bool any = value_is(value_find(tree, "status.conditions"), VALUE_LIST);
        struct value list = VALUE_EMPTY(VALUE_LIST);
        struct value_edit edit;
        char place[48];
        int r = 0;

        snprintf(place, sizeof(place), "/status/conditions/%u", at);
        value_edit_begin(&edit, arena, tree);
        if (!any)
                r = value_edit_set(&edit, "/status/conditions", &list, NULL);
        r = r ?:
                    at < value_count(value_find(tree, "status.conditions")) ?
                    value_edit_set(&edit, place, condition, NULL) :
                    value_edit_add(&edit, "/status/conditions/-", condition, NULL);
        *ret_tree = value_edit_end(&edit);
        return r ?: *ret_tree ? 0 : -ENOMEM;
}

/* 1: *ret_tree says what is so. */
static int tell_dangling(struct arena *arena, const struct priority_follower *f, const struct value *tree,
                         const struct value **ret_tree) {
        const char *level = value_string_or(value_find(tree, "spec.priorityLevelConfiguration.name"), "");
        bool there = table_find(&f->priority->levels, level);
        const struct value *conditions = value_find(tree, "status.conditions"), *condition;
        uint32_t at = find_dangling(conditions);
        const struct value *now = at < value_count(conditions) ? &conditions->items[at] : NULL;
        const char *text, *message = arena_printf(arena,
                                                  "This FlowSchema references the PriorityLevelConfiguration object "
                                                  "named \\\"%s\\\" %s",
                                                  level, there ? "and it exists" : "but there is no such object");
        int r;

        text = message ? arena_printf(arena,
                                      "{\"type\":\"Dangling\",\"status\":\"%s\",\"lastTransitionTime\":\"%s\","
                                      "\"reason\":\"%s\",\"message\":\"%s\"}",
                                      there ? "False" : "True", api_meta_now(arena, 0) ?: "",
                                      there ? "Found" : "NotFound", message) :
                         NULL;
        r = text ? json_parse(arena, text, strlen(text), NULL, &condition, NULL) : -ENOMEM;
        if (r < 0)
                return r;
        if (now && says(now, "status", there ? "False" : "True") && says(now, "reason", there ? "Found" : "NotFound") &&
            says(now, "message", value_string(value_get(condition, "message"))))
                return 0;
        r = put_condition(arena, tree, at, condition, ret_tree);
        return r ?: api_own_server(arena, f->resource->kind, "status", tree, ret_tree) ?: 1;
}

int priority_keep(struct priority_follower *f, struct object *object) {
        const struct priority_default *wanted = priority_default_find(f->levels, object->name);
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree, *next;
        int r = arena ? api_tree_of(arena, object, &tree) : -ENOMEM;

        if (r < 0)
                return r;
        r = wanted ? revise(arena, f->resource, wanted, tree, &next) : 0;
        if (r == 0 && !f->levels) /* else it is told of once that is made */
                r = tell_dangling(arena, f, tree, &next);
        return r <= 0 ? r : api_put_later(f->priority->state, f->resource, arena, next, object->revision);
}

int priority_make_again(struct priority_follower *f, const char *name) {
        const struct priority_default *wanted = priority_default_find(f->levels, name);
        _cleanup_arena_ struct arena *arena = wanted ? arena_new() : NULL;
        const char *json = arena ? priority_default_json(arena, wanted) : NULL;
        const struct value *tree;
        int r;

        if (!wanted)
                return 0;
        r = json ? json_parse(arena, json, strlen(json), NULL, &tree, NULL) : -ENOMEM;
        r = r ?: api_put_stamp(arena, f->resource, &tree);
        return r ?: api_put_later(f->priority->state, f->resource, arena, tree, STORE_ABSENT);
}
