/* One batch: the namespace's quotas as they are, charged for one change after the other, and written. */
#include "api/admission/quota_batch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/cache/collection.h"
#include "api/put.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/apply/apply.h"
#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static bool is_wanted(const struct quota_batch *batch, const char *name) {
        for (size_t i = 0; i < batch->n_stale; i++)
                if (strcmp(batch->stale[i], name) == 0)
                        return true;
        return !batch->stale;
}

static int read_quota(struct quota_batch *batch, const struct object *object) {
        struct kube_resource_quota *quota = arena_new_of(batch->arena, struct kube_resource_quota);
        int r = quota ? kube_json_read(batch->arena, &kube_resource_quota_type, (const char *)object->json->data,
                                       object->json->size, NULL, quota) :
                        -ENOMEM;

        if (r < 0)
                return r;
        batch->revisions[batch->n_states] = object->revision;
        batch->states[batch->n_states++] = (struct quota_state){ .quota = quota, .used = quota->status.used };
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
        batch->n_states = 0;
        batch->states = arena_alloc_array(batch->arena, page.n, sizeof(*batch->states));
        batch->revisions = arena_alloc_array(batch->arena, page.n, sizeof(*batch->revisions));
        r = batch->states && batch->revisions ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < page.n; i++)
                if (is_wanted(batch, page.objects[i]->name))
                        r = read_quota(batch, page.objects[i]);
        collection_page_clear(&page);
        return r;
}

/* Those who are refused, and those who only look, need not wait for the writes. */
static int charge_all(struct quota_batch *batch) {
        struct quota_charges granted = { 0 };
        struct admission_charge *charge;
        int r = 0;

        while (r == 0 && (charge = quota_charges_pop(&batch->charges))) {
                const char *text = NULL;

                r = quota_charge(batch->arena, &charge->change, batch->states, batch->n_states, charge->dry, &text);
                if (r == 0 && text && !(charge->text = arena_strdup(charge->r->arena, text)))
                        r = -ENOMEM;
                if (r == 0 && (text || charge->dry))
                        quota_tell(charge, QUOTA_DECIDED);
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
        quota_batch_done(room);
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

static int make_tree(struct arena *arena, const struct kube_resource_quota *quota, const struct value **ret_tree) {
        const char *text = api_put_text(arena, &kube_resource_quota_type, quota);

        return text ? json_parse(arena, text, strlen(text), NULL, ret_tree, NULL) : -ENOMEM;
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

/* The JSON as it is kept: the type's, since what owns a field stands among what the type has in an order. */
static int settle(struct arena *arena, const struct value **tree, struct api_json *ret_json) {
        struct problems problems;
        int r;

        problems_init(&problems, arena, NULL, NULL);
        r = api_settle(arena, &kube_resource_quota_type, *tree, false, &problems, ret_json);
        if (r == 0 && !ret_json->text)
                r = -EINVAL;
        return r ?: json_parse(arena, ret_json->text, ret_json->length, NULL, tree, NULL);
}

static int prepare(struct quota_room *room, struct api_state *state, size_t i, struct quota_write *write) {
        struct quota_batch *batch = &room->batch;
        struct kube_resource_quota next = *batch->states[i].quota;
        const struct value *live, *tree;
        struct api_json json = { 0 };
        int r;

        next.status.used = batch->states[i].used;
        r = make_tree(batch->arena, batch->states[i].quota, &live);
        r = r ?: make_tree(batch->arena, &next, &tree);
        r = r ?: own(batch->arena, live, &tree);
        r = r ?: settle(batch->arena, &tree, &json);
        r = r     ?:
                    api_change_init(&write->change, state, api_state_find(state, "", "resourcequotas"), batch->arena,
                                    tree, &json);
        write->room = room;
        write->name = next.metadata.name;
        write->change.expected = batch->revisions[i];
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

void quota_batch_decide(struct quota_room *room, struct api_state *state) {
        struct quota_batch *batch = &room->batch;
        int r;

        batch->arena = batch->arena ?: arena_new();
        r = batch->arena ? read_quotas(room, state) : -ENOMEM;
        r = r ?: charge_all(batch);
        r = r ?: prepare_all(room, state);
        if (r == 0) {
                submit(room);
                return;
        }
        batch->code = r;
        quota_batch_done(room);
}

void quota_batch_clear(struct quota_batch *batch) {
        drop_writes(batch);
        arena_free(batch->arena);
        *batch = (struct quota_batch){ 0 };
}
