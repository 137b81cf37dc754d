/* ResourceSlices and ResourceClaims: what features that are off would add, and what is told of devices that a claim has
 * no more (k8s.io/kubernetes/pkg/registry/resource). */
#include <errno.h>
#include <string.h>

#include "api/rest/shape.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/table.h"
#include "lib/value.h"
#include "lib/value_edit.h"
#include "lib/value_keys.h"

/* --- slices: DRAListTypeAttributes and DRANodeAllocatableResources are off --- */

static const char *const off_lists[] = { "ints", "bools", "strings", "versions", NULL };
static const char *const off_device[] = { "nodeAllocatableResourceMappings", NULL };

static bool has_any(const struct value *map, const char *const *keys) {
        while (*keys && !value_get(map, *keys))
                keys++;
        return *keys;
}

static void take_all(struct value *map, const char *const *keys) {
        for (; *keys; keys++) {
                uint32_t at = value_edit_find(map, *keys);

                if (at != VALUE_NONE)
                        value_edit_take(map, at, NULL);
        }
}

static bool has_lists(const struct value *attributes) {
        for (uint32_t i = 0; value_is(attributes, VALUE_MAP) && i < attributes->count; i++)
                if (has_any(&attributes->members[i].value, off_lists))
                        return true;
        return false;
}

/* @attributes is the edit's. */
static int trim_attributes(struct value_edit *edit, struct value *attributes) {
        for (uint32_t i = 0; i < attributes->count; i++) {
                struct value *attribute;

                if (!has_any(&attributes->members[i].value, off_lists))
                        continue;
                attribute = value_edit_child(edit, attributes, i);
                if (!attribute)
                        return edit->error;
                take_all(attribute, off_lists);
        }
        return 0;
}

static int trim_device(struct value_edit *edit, struct value *devices, uint32_t i) {
        struct value *device = value_edit_child(edit, devices, i), *attributes;
        uint32_t at;

        if (!device)
                return edit->error;
        take_all(device, off_device);
        at = value_edit_find(device, "attributes");
        if (at == VALUE_NONE || !has_lists(&device->members[at].value))
                return 0;
        attributes = value_edit_child(edit, device, at);
        return attributes ? trim_attributes(edit, attributes) : edit->error;
}

static struct value *open_member(struct value_edit *edit, struct value *map, const char *key) {
        uint32_t at = map ? value_edit_find(map, key) : VALUE_NONE;

        return at == VALUE_NONE ? NULL : value_edit_child(edit, map, at);
}

int shape_slice(struct api_request *r, struct value_edit *edit) {
        const struct value *list = value_find(r->next, "spec.devices");
        struct value *devices = NULL;
        int error = 0;

        for (uint32_t i = 0; error == 0 && i < value_count(list); i++) {
                const struct value *device = value_at(list, i);

                if (!has_any(device, off_device) && !has_lists(value_get(device, "attributes")))
                        continue;
                devices = devices ?: open_member(edit, open_member(edit, value_edit_root(edit), "spec"), "devices");
                error = devices ? trim_device(edit, devices, i) : edit->error;
        }
        return error;
}

/* --- claims --- */

struct given_back {
        struct table_node node;
};

static char *device_key(struct api_request *r, const struct value *device) {
        return arena_printf(r->arena, "%s\n%s\n%s\n%s", value_string_or(value_get(device, "driver"), ""),
                            value_string_or(value_get(device, "pool"), ""),
                            value_string_or(value_get(device, "device"), ""),
                            value_string_or(value_get(device, "shareID"), ""));
}

/* Which devices were allocated, and are no more. */
static int find_given_back(struct api_request *r, struct table *ret_devices) {
        const struct value *was = value_find(r->current_tree, "status.allocation.devices.results"),
                           *is = value_find(r->next, "status.allocation.devices.results");

        for (uint32_t i = 0; i < value_count(was); i++) {
                struct given_back *device = arena_new_of(r->arena, struct given_back);
                char *key = device_key(r, value_at(was, i));

                if (!device || !key || table_add(ret_devices, &device->node, key) == -ENOMEM)
                        return -ENOMEM;
        }
        for (uint32_t i = 0; i < value_count(is); i++) {
                char *key = device_key(r, value_at(is, i));
                struct table_node *node = key ? table_find(ret_devices, key) : NULL;

                if (!key)
                        return -ENOMEM;
                if (node)
                        table_remove(ret_devices, node);
        }
        return 0;
}

/* What is told of devices that are given back goes with them. */
static int keep_told(struct api_request *r, struct value_edit *edit, const struct table *given_back) {
        const struct value *told = value_find(r->next, "status.devices");
        struct value *kept = arena_alloc_array(r->arena, (size_t)value_count(told) + 1, sizeof(*kept));
        uint32_t n = 0;

        for (uint32_t i = 0; kept && i < value_count(told); i++) {
                char *key = device_key(r, value_at(told, i));

                if (!key)
                        return -ENOMEM;
                if (!table_find(given_back, key))
                        kept[n++] = *value_at(told, i);
        }
        if (!kept)
                return -ENOMEM;
        if (n == value_count(told))
                return 0;
        return shape_put(edit, "/status/devices",
                         n > 0 ? &(struct value){ .kind = VALUE_LIST, .count = n, .items = kept } : NULL);
}

int shape_device_claim_update(struct api_request *r, struct value_edit *edit) {
        struct table given_back = { 0 };
        int error;

        if (!r->sub || strcmp(r->sub->name, "status") != 0 || value_count(value_find(r->next, "status.devices")) == 0)
                return 0;
        error = find_given_back(r, &given_back) ?: keep_told(r, edit, &given_back);
        table_clear(&given_back);
        return error;
}
