#include "kube/apply/managers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/apply/apply.h"
#include "kube/apply/fields.h"
#include "kube/apply/text.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "lib/value_edit.h"

#define ROOM_FIRST 4

/* ---- the set of them ---- */

bool apply_manager_same(const struct apply_manager *a, const struct apply_manager *b) {
        return a->applied == b->applied && strcmp(a->name, b->name) == 0 &&
               strcmp(a->subresource, b->subresource) == 0 && (a->applied || strcmp(a->version, b->version) == 0);
}

struct apply_manager *apply_managers_find(const struct apply_managers *managers, const struct apply_manager *manager) {
        for (uint32_t i = 0; i < managers->count; i++)
                if (apply_manager_same(&managers->items[i], manager))
                        return &managers->items[i];
        return NULL;
}

int apply_managers_put(struct apply_managers *managers, const struct apply_manager *manager) {
        struct apply_manager *same = apply_managers_find(managers, manager);

        if (same) {
                *same = *manager;
                return 0;
        }
        if (managers->count == managers->room) {
                const uint32_t room = managers->room ? managers->room * 2 : ROOM_FIRST;
                struct apply_manager *items = arena_alloc_array(managers->arena, room, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                if (managers->count > 0)
                        memcpy(items, managers->items, managers->count * sizeof(*items));
                managers->items = items;
                managers->room = room;
        }
        managers->items[managers->count++] = *manager;
        return 0;
}

void apply_managers_drop(struct apply_managers *managers, const struct apply_manager *manager) {
        struct apply_manager *same = apply_managers_find(managers, manager);

        if (!same)
                return;
        managers->count--;
        memmove(same, same + 1, (size_t)(managers->items + managers->count - same) * sizeof(*same));
}

void apply_managers_drop_empty(struct apply_managers *managers) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < managers->count; i++)
                if (!apply_set_empty(managers->items[i].set))
                        managers->items[n++] = managers->items[i];
        managers->count = n;
}

int apply_managers_copy(const struct apply_managers *managers, struct apply_managers *ret_copy) {
        struct apply_managers copy = { .arena = managers->arena };

        for (uint32_t i = 0; i < managers->count; i++)
                if (apply_managers_put(&copy, &managers->items[i]) < 0)
                        return -ENOMEM;
        *ret_copy = copy;
        return 0;
}

const char *apply_manager_identifier(struct arena *arena, const struct apply_manager *manager) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_string_if(&w, "manager", manager->name);
        json_add_string(&w, "operation", manager->applied ? "Apply" : "Update");
        if (!manager->applied)
                json_add_string_if(&w, "apiVersion", manager->version);
        json_add_string_if(&w, "subresource", manager->subresource);
        json_end_map(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

/* ---- reading ---- */

static int read_operation(const struct value *entry, uint32_t i, struct apply_manager *manager, struct err **err) {
        const char *operation = value_string_or(value_get(entry, "operation"), "");
        const char *type = value_string_or(value_get(entry, "fieldsType"), "");

        manager->applied = strcmp(operation, "Apply") == 0;
        if (!manager->applied && strcmp(operation, "Update") != 0)
                return err_set(err, EINVAL, "operation must be `Apply` or `Update`");
        if (!*manager->version)
                return err_set(err, EINVAL, "apiVersion must not be empty");
        if (!*type)
                return err_set(err, EINVAL, "missing fieldsType in managed fields entry %u", i);
        if (strcmp(type, "FieldsV1") != 0)
                return err_set(err, EINVAL, "invalid fieldsType \"%.200s\" in managed fields entry %u", type, i);
        return 0;
}

static int read_manager(struct arena *arena, const struct value *entry, uint32_t i, struct apply_manager *ret_manager,
                        struct err **err) {
        struct apply_manager manager = {
                .name = value_string_or(value_get(entry, "manager"), ""),
                .subresource = value_string_or(value_get(entry, "subresource"), ""),
                .version = value_string_or(value_get(entry, "apiVersion"), ""),
                .time = value_string(value_get(entry, "time")),
        };
        struct kube_time time;
        int r = read_operation(entry, i, &manager, err);

        if (r < 0)
                return r;
        if (manager.time && kube_time_parse(manager.time, strlen(manager.time), false, &time))
                manager.seconds = time.seconds;
        else
                manager.time = NULL;
        r = apply_fields_read(arena, value_get(entry, "fieldsV1"), &manager.set, err);
        if (r < 0)
                return err_wrap(err, r, "error decoding versioned set of managed fields entry %u", i);
        *ret_manager = manager;
        return 0;
}

int apply_managers_read(struct arena *arena, const struct value *entries, struct apply_managers *ret_managers,
                        struct err **err) {
        struct apply_managers managers = { .arena = arena };

        if (value_count(entries) > APPLY_ENTRIES_MAX)
                return err_set(err, EINVAL, "managedFields has more than %d entries", APPLY_ENTRIES_MAX);
        for (uint32_t i = 0; value_is(entries, VALUE_LIST) && i < entries->count; i++) {
                struct apply_manager manager;
                int r = read_manager(arena, &entries->items[i], i, &manager, err);

                if (r < 0)
                        return r;
                if (apply_managers_put(&managers, &manager) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        }
        *ret_managers = managers;
        return 0;
}

/* ---- writing ---- */

static int by_order(const void *a, const void *b) {
        const struct apply_manager *x = a, *y = b;
        int order;

        if (x->applied != y->applied)
                return x->applied ? -1 : 1;
        if (x->seconds != y->seconds)
                return x->seconds < y->seconds ? -1 : 1;
        order = strcmp(x->name, y->name);
        if (order == 0)
                order = strcmp(x->version, y->version);
        return order ? order : strcmp(x->subresource, y->subresource);
}

#define ENTRY_MEMBERS 7

static int write_manager(struct arena *arena, const struct apply_manager *manager, struct value *ret_entry) {
        struct value_member *members = arena_alloc_array(arena, ENTRY_MEMBERS, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return -ENOMEM;
        if (*manager->name)
                members[n++] = (struct value_member){ .key = "manager", .value = VALUE_TEXT(manager->name) };
        members[n++] =
                (struct value_member){ .key = "operation", .value = VALUE_TEXT(manager->applied ? "Apply" : "Update") };
        members[n++] = (struct value_member){ .key = "apiVersion", .value = VALUE_TEXT(manager->version) };
        if (manager->time)
                members[n++] = (struct value_member){ .key = "time", .value = VALUE_TEXT(manager->time) };
        members[n++] = (struct value_member){ .key = "fieldsType", .value = VALUE_TEXT("FieldsV1") };
        members[n].key = "fieldsV1";
        if (apply_fields_write(arena, manager->set, &members[n++].value) < 0)
                return -ENOMEM;
        if (*manager->subresource)
                members[n++] = (struct value_member){ .key = "subresource", .value = VALUE_TEXT(manager->subresource) };
        *ret_entry = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

int apply_managers_write(struct apply_managers *managers, struct value *ret_entries) {
        struct value *entries;

        *ret_entries = (struct value){ .kind = VALUE_NULL };
        if (managers->count == 0)
                return 0;
        qsort(managers->items, managers->count, sizeof(*managers->items), by_order);
        entries = arena_alloc_array(managers->arena, managers->count, sizeof(*entries));
        for (uint32_t i = 0; entries && i < managers->count; i++)
                if (write_manager(managers->arena, &managers->items[i], &entries[i]) < 0)
                        return -ENOMEM;
        if (!entries)
                return -ENOMEM;
        *ret_entries = (struct value){ .kind = VALUE_LIST, .count = managers->count, .items = entries };
        return 0;
}

/* ---- the cap ---- */

/* One that updates, with what orders it. */
struct updater {
        struct apply_manager manager;
        const char *identifier;
};

static int by_age(const void *a, const void *b) {
        const struct updater *x = a, *y = b;

        if (x->manager.seconds != y->manager.seconds)
                return x->manager.seconds < y->manager.seconds ? -1 : 1;
        return strcmp(x->identifier, y->identifier);
}

static struct updater *sorted_updaters(struct apply_managers *managers, uint32_t *ret_count) {
        struct updater *updaters = arena_alloc_array(managers->arena, managers->count + 1, sizeof(*updaters));
        uint32_t n = 0;

        for (uint32_t i = 0; updaters && i < managers->count; i++) {
                if (managers->items[i].applied)
                        continue;
                updaters[n].manager = managers->items[i];
                updaters[n].identifier = apply_manager_identifier(managers->arena, &managers->items[i]);
                if (!updaters[n++].identifier)
                        return NULL;
        }
        *ret_count = n;
        if (updaters)
                qsort(updaters, n, sizeof(*updaters), by_age);
        return updaters;
}

/* The oldest of @updater's version that came before it: what the bucket begins with; NULL: @updater is the first. */
static const struct updater *first_of_version(const struct updater *updaters, const struct updater *updater) {
        for (const struct updater *first = updaters; first < updater; first++)
                if (strcmp(first->manager.version, updater->manager.version) == 0)
                        return first;
        return NULL;
}

static int into_bucket(struct apply_managers *managers, const struct updater *first, const struct updater *updater) {
        struct apply_manager bucket = updater->manager, *there;

        bucket.name = APPLY_OLD_MANAGER;
        bucket.subresource = "";
        there = apply_managers_find(managers, &bucket);
        if (!there) {
                there = apply_managers_find(managers, &first->manager);
                if (!there)
                        return 0;
                bucket.set = there->set;
                apply_managers_drop(managers, &first->manager);
        } else {
                bucket.set = there->set;
        }
        bucket.set = apply_set_union(managers->arena, updater->manager.set, bucket.set);
        if (!bucket.set)
                return -ENOMEM;
        if (apply_managers_put(managers, &bucket) < 0)
                return -ENOMEM;
        /* Also where it is the bucket itself, which is then lost: so does kube-apiserver. */
        apply_managers_drop(managers, &updater->manager);
        return 0;
}

int apply_managers_cap(struct apply_managers *managers) {
        uint32_t updating = 0, n = 0;
        struct updater *updaters;

        for (uint32_t i = 0; i < managers->count; i++)
                updating += !managers->items[i].applied;
        if (updating <= APPLY_UPDATE_MANAGERS_MAX)
                return 0;
        updaters = sorted_updaters(managers, &n);
        if (!updaters)
                return -ENOMEM;
        for (uint32_t i = 0, left = n; i < n && left > APPLY_UPDATE_MANAGERS_MAX; i++) {
                const struct updater *first = first_of_version(updaters, &updaters[i]);

                if (!first)
                        continue;
                if (into_bucket(managers, first, &updaters[i]) < 0)
                        return -ENOMEM;
                left--;
        }
        return 0;
}
