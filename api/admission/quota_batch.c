/* One batch: the namespace's quotas as they are, charged for one change after the other, and written. */
#include "api/admission/quota_batch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/cache/collection.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "kube/apply/apply.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value_edit.h"

static bool is_wanted(const struct quota_batch *batch, const char *name) {
        for (size_t i = 0; i < batch->n_stale; i++)
                if (strcmp(batch->stale[i], name) == 0)
                        return true;
        return !batch->stale;
}

static int read_quota(struct quota_batch *batch, struct object *object) {
        struct kube_resource_quota *quota = arena_new_of(batch->arena, struct kube_resource_quota);
        int r = quota ? api_struct_of(batch->arena, &kube_resource_quota_type, object, quota) : -ENOMEM;

        if (r < 0)
                return r;
        batch->objects[batch->n_states] = object_ref(object);
        batch->states[batch->n_states++] = (struct quota_state){ .quota = quota, .used = quota->status.used };
        return 0;
}

static void drop_states(struct quota_batch *batch) {
        while (batch->n_states > 0)
                object_unref(batch->objects[--batch->n_states]);
}

static int read_page(struct quota_batch *batch, const struct collection_page *page) {
        for (size_t i = 0; i < page->n; i++) {
                int r = is_wanted(batch, page->objects[i]->name) ? read_quota(batch, page->objects[i]) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_quotas(struct quota_room *room, struct api_state *state) {
        struct api_resource *quotas = api_state_find(state, "", "resourcequotas");
        const struct collection_query query = { .filter = { .namespace = room->namespace } };
        struct quota_batch *batch = &room->batch;
        struct collection_page page;
        int r = collection_list(quotas->collection, &query, &page);

        if (r < 0)
                return r;
        drop_states(batch);
        batch->states = arena_alloc_array(batch->arena, page.n, sizeof(*batch->states));
        batch->objects = arena_alloc_array(batch->arena, page.n, sizeof(struct object *));
        r = batch->states && batch->objects ? read_page(batch, &page) : -ENOMEM;
        collection_page_clear(&page);
        return r;
}

static int charge_one(struct quota_batch *batch, struct admission_charge *charge) {
        const char *text = NULL;
        int r = charge_quotas(batch->arena, &charge->change, batch->states, batch->n_states, charge->dry, &text);

        charge->refused = text;
        return r < 0 || !text ? r : api_note_told(charge->r, text);
}

/* Those who are refused, and those who only look, need not wait for the writes. */
static int charge_all(struct quota_batch *batch) {
        struct quota_charges granted = { 0 };
        struct admission_charge *charge;
        int r = 0;

        while (r >= 0 && (charge = quota_charges_pop(&batch->charges))) {
                r = charge_one(batch, charge);
                if (r >= 0 && (charge->refused || charge->dry))
                        charge_tell(charge, QUOTA_DECIDED);
                else
                        quota_charges_append(&granted, charge);
        }
        quota_charges_take(&granted, &batch->charges);
        quota_charges_take(&batch->charges, &granted);
        return r;
}

/* --- writes --- */

static void collect(struct quota_room *room) {
        struct quota_batch *batch = &room->batch;

        batch->n_stale = 0;
        batch->code = 0;
        for (size_t i = 0; i < batch->n_writes; i++) {
                int code = batch->writes[i].code;
                bool stale = code == -ESTALE || code == -ENOENT || code == -EEXIST;

                if (stale)
                        batch->stale[batch->n_stale++] = batch->writes[i].name;
                if (code < 0 && (batch->code == 0 || batch->code == -ESTALE))
                        batch->code = stale ? -ESTALE : code;
        }
        charge_batch_done(room);
}

static void finish_one(struct quota_room *room) {
        if (atomic_fetch_sub(&room->batch.pending, 1) == 1)
                collect(room);
}

static void on_written(struct api_change *change, int code, const char *text) {
        struct quota_write *write = change->data;

        write->code = code;
        finish_one(write->room);
}

/* The amounts as the status has them. */
static int make_used(struct arena *arena, const resource_list *used, struct value *ret_map) {
        struct value_member *members = arena_alloc_array(arena, used->count, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return -ENOMEM;
        list_for_each (amount, used) {
                char *text = arena_alloc(arena, QUANTITY_TEXT_MAX);

                if (!text)
                        return -ENOMEM;
                quantity_format(amount->amount, text);
                members[n++] = (struct value_member){ .key = amount->name,
                                                      .key_kind = VALUE_STRING,
                                                      .value = VALUE_TEXT(text) };
        }
        *ret_map = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

/* It is written as by the server's own client, through the quota's status. */
static int own(struct arena *arena, const struct value *live, const struct value **tree) {
        const struct apply_target target = { .type = &kube_resource_quota_type,
                                             .group = "",
                                             .version = "v1",
                                             .kind = "ResourceQuota",
                                             .subresource = "status",
                                             .filter = apply_filter_of("", "ResourceQuota", "status") };
        const struct apply_writer writer = { .manager = "kube-apiserver", .now = time(NULL) };

        return apply_update(arena, &(struct apply_write){ &target, &writer, live, *tree }, tree);
}

/* The quota with what is used of it. */
static int make_next(struct arena *arena, const struct value *live, const resource_list *used,
                     const struct value **ret_next) {
        struct value_edit edit;
        struct value map;
        int r = make_used(arena, used, &map);

        if (r < 0)
                return r;
        value_edit_begin(&edit, arena, live);
        if ((r = value_edit_set(&edit, "/status/used", &map, NULL)) < 0)
                return r;
        if (!(*ret_next = value_edit_end(&edit)))
                return -ENOMEM;
        return own(arena, live, ret_next);
}

static int write_json(struct arena *arena, const struct value *tree, struct api_json *ret_json) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        int r;

        json_value(&w, tree);
        r = json_writer_finish(&w, &text, &ret_json->length);
        if (r < 0)
                return r;
        ret_json->text = arena_strndup(arena, text, ret_json->length);
        return ret_json->text ? 0 : -ENOMEM;
}

static int prepare(struct quota_room *room, struct api_state *state, size_t i, struct quota_write *write) {
        struct quota_batch *batch = &room->batch;
        const struct object *object = batch->objects[i];
        const struct value *live, *next;
        struct api_json json;
        int r = api_tree_of(batch->arena, object, &live);

        write->room = room;
        write->name = arena_strdup(batch->arena, object->name); /* for the next try, which has other objects */
        r = r ?: write->name ? make_next(batch->arena, live, &batch->states[i].used, &next) : -ENOMEM;
        r = r ?: write_json(batch->arena, next, &json);
        if (r == 0)
                r = api_change_init(&write->change, state, api_state_find(state, "", "resourcequotas"), batch->arena,
                                    next, &json);
        write->change.expected = object->revision;
        write->change.lazy = true;
        write->change.done = on_written;
        write->change.data = write;
        return r;
}

static void drop_writes(struct quota_batch *batch) {
        for (size_t i = 0; i < batch->n_writes; i++)
                api_change_deinit(&batch->writes[i].change);
        batch->n_writes = 0;
}

static int prepare_all(struct quota_room *room, struct api_state *state) {
        struct quota_batch *batch = &room->batch;
        int r = 0;

        drop_writes(batch);
        batch->writes = arena_alloc_array(batch->arena, batch->n_states, sizeof(*batch->writes));
        batch->stale = arena_alloc_array(batch->arena, batch->n_states, sizeof(*batch->stale));
        if (!batch->writes || !batch->stale)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < batch->n_states; i++)
                if (batch->states[i].changed && (r = prepare(room, state, i, &batch->writes[batch->n_writes])) == 0)
                        batch->n_writes++;
        return r;
}

static void submit(struct quota_room *room) {
        struct quota_batch *batch = &room->batch;
        size_t n = batch->n_writes;

        /* One more, so that none but the last of all concludes. */
        atomic_store(&batch->pending, (unsigned)n + 1);
        for (size_t i = 0; i < n; i++) {
                int r = api_change_submit(&batch->writes[i].change);

                if (r < 0)
                        on_written(&batch->writes[i].change, r, NULL);
        }
        finish_one(room);
}

void charge_batch_decide(struct quota_room *room, struct api_state *state) {
        struct quota_batch *batch = &room->batch;
        int r;

        batch->arena = batch->arena ?: arena_new();
        if ((r = batch->arena ? read_quotas(room, state) : -ENOMEM) < 0 || (r = charge_all(batch)) < 0 ||
            (r = prepare_all(room, state)) < 0) {
                batch->code = r;
                charge_batch_done(room);
                return;
        }
        submit(room);
}

void charge_batch_clear(struct quota_batch *batch) {
        drop_writes(batch);
        drop_states(batch);
        arena_free(batch->arena);
        *batch = (struct quota_batch){ 0 };
}
