#include <stdio.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/rest/frame.h"
#include "api/rest/watch.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/stream/watch.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static const enum kube_watch_type types[] = {
        [COLLECTION_ADDED] = KUBE_WATCH_ADDED,
        [COLLECTION_MODIFIED] = KUBE_WATCH_MODIFIED,
        [COLLECTION_DELETED] = KUBE_WATCH_DELETED,
};

void watch_forget_told(struct resource_watches *of) {
        of->told = object_unref(of->told);
        of->told_bytes = bytes_unref(of->told_bytes);
}

static struct bytes *frame(enum api_form form, const struct kube_type *type, enum kube_watch_type event,
                           const char *json, size_t length) {
        return form == API_PROTOBUF ? api_frame_protobuf(type, event, json, length) :
                                      kube_watch_event_bytes(event, json, length);
}

static struct bytes *make_whole(const struct api_view *v, enum collection_event_type type, struct object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *json = NULL;

        if (!arena || api_json_as(arena, v->kind, v->resource->kind, object, &json) < 0)
                return NULL;
        return frame(v->media.form, v->kind->type, types[type], (const char *)json->data, json->size - 1);
}

static struct bytes *make_printed(struct watch *w, enum kube_watch_type type, const struct object *object) {
        _cleanup_bytes_ struct bytes *json = api_print_event(&w->view, object, !w->began_table);

        w->began_table = true;
        return json ? kube_watch_event_bytes(type, (const char *)json->data, json->size - 1) : NULL;
}

static bool is_told(const struct resource_watches *of, const struct api_view *v, enum collection_event_type type,
                    const struct object *object) {
        return of->told == object && of->told_type == type && of->told_kind == v->kind &&
               of->told_form == v->media.form;
}

struct bytes *watch_event_bytes(struct watch *w, enum collection_event_type type, struct object *object) {
        struct resource_watches *of = w->of;
        const struct api_view *v = &w->view;

        if (v->media.shape != API_WHOLE)
                return make_printed(w, types[type], object);
        if (!is_told(of, v, type, object)) {
                watch_forget_told(of);
                of->told_bytes = make_whole(v, type, object);
                of->told = object_ref(object);
                of->told_type = type;
                of->told_kind = v->kind;
                of->told_form = v->media.form;
        }
        return of->told_bytes ? bytes_ref(of->told_bytes) : NULL;
}

/* A bookmark's object, in the shape of the other events' objects. */
static struct bytes *show_bookmark(struct watch *w, int64_t revision, const struct api_json *text) {
        _cleanup_bytes_ struct bytes *json = NULL;

        if (w->view.media.shape == API_WHOLE)
                return frame(w->view.media.form, w->view.kind->type, KUBE_WATCH_BOOKMARK, text->text, text->length);
        json = bytes_new(text->length + 1);
        if (!json)
                return NULL;
        memcpy(json->data, text->text, text->length);
        json->data[text->length] = '\n';
        return make_printed(w, KUBE_WATCH_BOOKMARK, &(struct object){ .revision = revision, .json.plain = json });
}

struct bytes *watch_bookmark_bytes(struct watch *w, int64_t revision, bool end) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct kube_kind *kind = w->view.kind;
        struct problems problems;
        const struct value *tree;
        struct api_json json = { 0 };
        char *text =
                arena ? arena_printf(arena,
                                     "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{\"resourceVersion\":"
                                     "\"%lld\"%s}}",
                                     kind->kind, kind->group, *kind->group ? "/" : "", kind->version,
                                     (long long)revision,
                                     end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "") :
                        NULL;

        if (!text || json_parse(arena, text, strlen(text), NULL, &tree, NULL) < 0)
                return NULL;
        problems_init(&problems, arena, NULL, NULL);
        if (api_settle(arena, kind->type, tree, false, &problems, &json) < 0 || !json.text)
                return NULL;
        return show_bookmark(w, revision, &json);
}

struct bytes *watch_error_bytes(const struct watch *w, enum api_reason reason, const char *message) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *json = arena ? api_status_json(arena, reason, message) : NULL;

        return json ? frame(w->view.media.form, api_status_type(), KUBE_WATCH_ERROR, json, strlen(json)) : NULL;
}
