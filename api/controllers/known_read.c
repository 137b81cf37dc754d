/* What is known of an object, read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/known.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/value.h"

const char known_paths[] = "metadata.namespace metadata.name metadata.uid metadata.resourceVersion "
                           "metadata.creationTimestamp metadata.deletionTimestamp metadata.labels "
                           "metadata.ownerReferences spec.selector";

static const char *text_of(struct arena *arena, const struct value *value) {
        return arena_strdup(arena, value_string_or(value, ""));
}

uint64_t known_id(const char *text) {
        return hash_bytes(text, strlen(text));
}

static int64_t time_of(const struct value *value) {
        const char *text = value_string(value);
        struct kube_time time;

        return text && kube_time_parse(text, strlen(text), false, &time) ? time.seconds : 0;
}

static int read_labels(struct arena *arena, const struct value *labels, string_map *ret_labels) {
        uint32_t n = labels && labels->kind == VALUE_MAP ? labels->count : 0;
        struct string_pair *items = arena_alloc_array(arena, n + 1, sizeof(*items));

        for (uint32_t i = 0; items && i < n; i++) {
                items[i].key = arena_strdup(arena, labels->members[i].key);
                items[i].value = text_of(arena, &labels->members[i].value);
                if (!items[i].key || !items[i].value)
                        return -ENOMEM;
        }
        ret_labels->items = items;
        ret_labels->count = n;
        return items ? 0 : -ENOMEM;
}

static int read_owner(struct arena *arena, const struct value *owners, struct known_object *o) {
        const struct value *owner = NULL;

        for (uint32_t i = 0; !owner && i < value_count(owners); i++)
                if (value_bool_or(value_get(value_at(owners, i), "controller"), false))
                        owner = value_at(owners, i);
        o->owner = text_of(arena, value_get(owner, "uid"));
        o->owner_kind = text_of(arena, value_get(owner, "kind"));
        o->owner_name = text_of(arena, value_get(owner, "name"));
        return o->owner && o->owner_kind && o->owner_name ? 0 : -ENOMEM;
}

/* Of a plain map nothing is selected where it is empty; of a LabelSelector everything. */
static int read_selector(bool map, struct arena *arena, const struct value *selector,
                         struct selector_labels *ret_selector) {
        struct value_member *member;
        struct value *around;

        *ret_selector = (struct selector_labels){ .nothing = true };
        if (value_is_null(selector) || (map && value_count(selector) == 0))
                return 0;
        selector = value_copy(arena, selector);
        around = arena_new_of(arena, struct value);
        member = arena_new_of(arena, struct value_member);
        if (!selector || !around || !member)
                return -ENOMEM;
        *member = (struct value_member){ .key = "matchLabels", .value = *selector };
        *around = (struct value){ .kind = VALUE_MAP, .count = 1, .members = member };
        return selector_label_from(arena, map ? around : selector, ret_selector, NULL);
}

int known_read(const struct value *tree, bool map, bool pod, struct known_object *o) {
        const struct value *meta = value_get(tree, "metadata");
        struct arena *arena = o->arena;
        int r;

        o->namespace = text_of(arena, value_get(meta, "namespace"));
        o->name = text_of(arena, value_get(meta, "name"));
        o->uid = text_of(arena, value_get(meta, "uid"));
        o->revision = strtoll(value_string_or(value_get(meta, "resourceVersion"), "0"), NULL, 10);
        o->created = time_of(value_get(meta, "creationTimestamp"));
        o->deleting = value_string(value_get(meta, "deletionTimestamp"));
        if (!o->namespace || !o->name || !o->uid)
                return -ENOMEM;
        if ((r = read_labels(arena, value_get(meta, "labels"), &o->labels)) < 0 ||
            (r = read_owner(arena, value_get(meta, "ownerReferences"), o)) < 0)
                return r;
        o->namespace_id = known_id(o->namespace);
        o->owner_id = known_id(o->owner);
        if ((r = read_selector(map, arena, value_find(tree, "spec.selector"), &o->selector)) < 0)
                return r;
        return pod && !(o->pod = known_pod_read(arena, tree)) ? -ENOMEM : 0;
}
