/* IPAddress objects: whose each address is, for everybody to see. They follow from Services, and are made and removed
 * by changes that nobody waits for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/rest/meta.h"
#include "api/rest/put.h"
#include "api/server/codec.h"
#include "api/services/addresses.h"
#include "api/services/work.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define MANAGER "ipallocator.k8s.io"

/* --- changes on their way --- */

static void on_done(struct api_change *change, int code, const char *text) {
        if (code < 0 && code != -ENOENT && code != -ESTALE)
                log_error("%s cannot be brought up to date: %s", change->key, text ?: strerror(-code));
        api_change_deinit(change);
        free(change);
}

/* What is there of one that is to go: @tree, whose JSON is @json. */
static int submit_removal(struct api_state *state, struct api_resource *of, const struct value *tree,
                          const struct api_json *json, int64_t expected) {
        struct api_change *change = calloc(1, sizeof(*change));
        _cleanup_arena_ struct arena *arena = arena_new();
        int r = change && arena ? api_change_init(change, state, of, arena, tree, json) : -ENOMEM;

        if (r < 0) {
                free(change);
                return r;
        }
        change->expected = expected;
        change->deletes = true;
        change->lazy = true;
        change->done = on_done;
        r = api_change_submit(change);
        if (r < 0)
                on_done(change, r, NULL);
        return 0;
}

static int remove_object(struct api_state *state, struct api_resource *of, const struct object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *bytes = object_json(object);
        struct api_json json = { 0 };
        const struct value *tree;
        int r = arena && bytes ? api_tree_of_json(arena, bytes, &tree) : -ENOMEM;

        if (r < 0)
                return r;
        json.text = (const char *)bytes->data;
        json.length = bytes->size - 1;
        return submit_removal(state, of, tree, &json, object->revision);
}

static int make_record(struct api_services *services, struct api_resource *of, struct arena *arena, const char *text) {
        const struct value *tree;
        int r = text ? json_parse(arena, text, strlen(text), NULL, &tree, NULL) : -ENOMEM;

        if (r < 0 || (r = api_put_stamp(arena, of, &tree)) < 0)
                return r;
        return api_put_later(services->state, of, arena, tree, STORE_ABSENT);
}

/* --- records --- */

/* A copy of what is known of an address. */
struct known {
        unsigned services;
        char *owner;
        struct object *object;
        bool managed;
};

static void look(void *data, struct addresses_entry *entry) {
        struct known *known = data;

        if (!entry)
                return;
        known->services = entry->services;
        known->owner = entry->owner ? strdup(entry->owner) : NULL;
        known->object = entry->object ? object_ref(entry->object) : NULL;
        known->managed = entry->managed;
}

static void clear(struct known *known) {
        free(known->owner);
        object_unref(known->object);
}

bool services_is_record(const struct value *object) {
        const struct value *labels = value_find(object, "metadata.labels");

        return strcmp(value_string_or(value_get(labels, "ipaddress.kubernetes.io/managed-by"), ""), MANAGER) == 0;
}

static bool is_of(struct arena *arena, const struct object *object, const char *owner) {
        const struct value *tree, *parent;
        char text[512];

        if (api_tree_of(arena, object, &tree) < 0)
                return true;
        parent = value_find(tree, "spec.parentRef");
        snprintf(text, sizeof(text), "%s/%s", value_string_or(value_get(parent, "namespace"), ""),
                 value_string_or(value_get(parent, "name"), ""));
        return strcmp(value_string_or(value_get(parent, "resource"), ""), "services") == 0 && strcmp(text, owner) == 0;
}

static const char *record_text(struct arena *arena, const struct cluster_ip *address, const char *owner) {
        char name[CLUSTER_IP_TEXT_MAX];
        int n = (int)strcspn(owner, "/");

        cluster_ip_format(address, name);
        return arena_printf(arena,
                            "{\"kind\":\"IPAddress\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":{\"name\":"
                            "\"%s\",\"labels\":{\"ipaddress.kubernetes.io/ip-family\":\"%s\","
                            "\"ipaddress.kubernetes.io/managed-by\":\"" MANAGER "\"}},\"spec\":{\"parentRef\":{"
                            "\"resource\":\"services\",\"namespace\":\"%.*s\",\"name\":\"%s\"}}}",
                            name, cluster_ip_family(address->six), n, owner, owner + n + 1);
}

static int record(struct api_services *services, struct arena *arena, const struct cluster_ip *address,
                  const struct known *known) {
        struct api_resource *of = api_state_find(services->state, "networking.k8s.io", "ipaddresses");
        bool wanted = known->services > 0 && known->owner, there = known->object;
        int r = 0;

        if (there && known->managed && (!wanted || !is_of(arena, known->object, known->owner))) {
                r = remove_object(services->state, of, known->object);
                there = false;
        }
        if (r < 0 || !wanted || there)
                return r;
        return make_record(services, of, arena, record_text(arena, address, known->owner));
}

int services_record(struct api_services *services, const struct cluster_ip *address) {
        _cleanup_arena_ struct arena *arena = NULL;
        struct known known = { 0 };
        int r;

        if (!services->loaded)
                return 0;
        arena = arena_new();
        addresses_look(services->addresses, address, look, &known);
        r = arena ? record(services, arena, address, &known) : -ENOMEM;
        clear(&known);
        return r;
}

/* --- Endpoints of Services that are gone --- */

/* What finalizers hold is marked to go, and stays until they let it. */
static int mark(struct api_state *state, struct api_resource *of, struct arena *arena, const struct object *object,
                const struct value *tree) {
        const char *now = api_meta_now(arena, 0);
        struct value_edit edit;
        int r;

        if (!value_is_null(value_find(tree, "metadata.deletionTimestamp")))
                return 0;
        if (!now)
                return -ENOMEM;
        value_edit_begin(&edit, arena, tree);
        r = value_edit_set(&edit, "/metadata/deletionTimestamp", &(struct value)VALUE_TEXT(now), NULL);
        if (r == 0)
                r = value_edit_set(&edit, "/metadata/deletionGracePeriodSeconds", &(struct value)VALUE_INTEGER(0),
                                   NULL);
        tree = value_edit_end(&edit);
        return r ?: tree ? api_put_later(state, of, arena, tree, object->revision) : -ENOMEM;
}

int services_forget_endpoints(struct api_services *services, const struct object *object) {
        struct api_resource *of = api_state_find(services->state, "", "endpoints");
        _cleanup_object_ struct object *endpoints =
                of ? collection_get(of->collection, object->namespace, object->name) : NULL;
        _cleanup_arena_ struct arena *arena = endpoints ? arena_new() : NULL;
        const struct value *tree;
        int r;

        if (!endpoints)
                return 0;
        r = arena ? api_tree_of(arena, endpoints, &tree) : -ENOMEM;
        if (r < 0)
                return r;
        return value_count(value_find(tree, "metadata.finalizers")) > 0 ?
                       mark(services->state, of, arena, endpoints, tree) :
                       remove_object(services->state, of, endpoints);
}
