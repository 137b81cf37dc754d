#include "api/usage/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache/collection.h"
#include "api/rest/query.h"
#include "api/rest/show.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "api/usage/internal.h"
#include "kube/kinds.h"
#include "kube/quantity.h"
#include "kube/scalar.h"
#include "kube/selector/field.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define WINDOW_TEXT_MAX 48

/* --- one object --- */

/* As Go writes a duration. */
static void write_window(struct json_writer *w, int64_t ms) {
        char text[WINDOW_TEXT_MAX], part[16] = "";
        int64_t seconds = ms / 1000, rest = ms % 1000, hours = seconds / 3600, minutes = seconds / 60 % 60;

        if (rest > 0) {
                snprintf(part, sizeof(part), ".%03d", (int)rest);
                for (size_t n = strlen(part); part[n - 1] == '0'; n--)
                        part[n - 1] = '\0';
        }
        if (seconds == 0)
                snprintf(text, sizeof(text), rest > 0 ? "%dms" : "%ds", (int)rest);
        else if (hours > 0)
                snprintf(text, sizeof(text), "%lldh%dm%d%ss", (long long)hours, (int)minutes, (int)(seconds % 60),
                         part);
        else if (minutes > 0)
                snprintf(text, sizeof(text), "%dm%d%ss", (int)minutes, (int)(seconds % 60), part);
        else
                snprintf(text, sizeof(text), "%d%ss", (int)seconds, part);
        json_add_string(w, "window", text);
}

static void write_time(struct json_writer *w, const char *key, int64_t seconds) {
        char text[KUBE_TIME_TEXT_MAX];

        kube_time_format(&(struct kube_time){ seconds, 0, true }, false, text);
        json_add_string(w, key, text);
}

static void write_usage(struct json_writer *w, const struct usage_point *point, int64_t nano) {
        char text[QUANTITY_TEXT_MAX];

        json_key(w, "usage");
        json_begin_map(w);
        json_add_string(
                w, "cpu",
                quantity_format((struct quantity){ .value = nano, .exponent = -9, .style = QUANTITY_DECIMAL }, text));
        json_add_string(w, "memory",
                        quantity_format(quantity_from_units((int64_t)point->memory, QUANTITY_BINARY), text));
        json_end_map(w);
}

/* The metadata is that of the node or pod, made now. */
static void begin_object(struct json_writer *w, const struct api_request *r, const struct object *of) {
        json_begin_map(w);
        json_add_string(w, "kind", r->kind->kind);
        json_add_string(w, "apiVersion", arena_printf(r->arena, "%s/%s", r->kind->group, r->kind->version) ?: "");
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "name", of->name);
        json_add_string_if(w, "namespace", of->namespace);
        write_time(w, "creationTimestamp", time(NULL));
        if (of->n_labels > 0) {
                json_key(w, "labels");
                json_begin_map(w);
                for (uint16_t i = 0; i < of->n_labels; i++)
                        json_add_string(w, of->labels[i].key, of->labels[i].value);
                json_end_map(w);
        }
        json_end_map(w);
}

static bool write_node(struct json_writer *w, const struct usage_points *points) {
        int64_t nano;

        if (!usage_point_rate(&points->node, &nano))
                return false;
        write_time(w, "timestamp", points->node.at_ms / 1000);
        write_window(w, points->node.at_ms - points->node.before_ms);
        write_usage(w, &points->node, nano);
        return true;
}

/* One of whose containers nothing is known yet is left out. */
static bool write_pod(struct json_writer *w, const struct usage_points *points, const struct object *pod) {
        const struct usage_point *all, *first;
        int64_t nano;
        size_t n;

        all = first = usage_points_find(points, pod->namespace, pod->name, &n);
        for (size_t i = 0; i < n; i++) {
                if (!usage_point_rate(&all[i], &nano))
                        return false;
                first = all[i].at_ms < first->at_ms ? &all[i] : first;
        }
        if (n == 0)
                return false;
        write_time(w, "timestamp", first->at_ms / 1000);
        write_window(w, first->at_ms - first->before_ms);
        json_key(w, "containers");
        json_begin_list(w);
        for (size_t i = 0; i < n; i++) {
                json_begin_map(w);
                json_add_string(w, "name", all[i].container);
                usage_point_rate(&all[i], &nano);
                write_usage(w, &all[i], nano);
                json_end_map(w);
        }
        json_end_list(w);
        return true;
}

static struct object *make_object(const struct api_request *r, const struct object *of, struct json_writer *w) {
        const char *fields[SELECTOR_FIELDS_MAX] = { 0 };
        struct object_parts parts = { .namespace = of->namespace,
                                      .name = of->name,
                                      .labels = of->labels,
                                      .n_labels = of->n_labels,
                                      .fields = fields,
                                      .n_fields = (uint16_t)r->resource->fields->n };
        _cleanup_bytes_ struct bytes *json = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;

        for (uint16_t i = 0; i < parts.n_fields; i++)
                fields[i] = strcmp(r->resource->fields->fields[i].label, "metadata.name") == 0      ? of->name :
                            strcmp(r->resource->fields->fields[i].label, "metadata.namespace") == 0 ? of->namespace :
                                                                                                      "";
        if (json_writer_finish(w, &text, &length) < 0)
                return NULL;
        json = bytes_new(length + 1);
        if (!json)
                return NULL;
        memcpy(json->data, text, length);
        json->data[length] = '\n';
        parts.json = json;
        return object_new(&parts);
}

/* --- which of them --- */

struct answering {
        struct api_usage *usage;
        struct api_request *r;
        struct api_resource *of; /* nodes or pods */
        bool pods;
};

static const struct usage_points *points_of(const struct answering *a, const struct object *of) {
        const char *name = a->pods ? api_resource_field(a->of, of, "spec.nodeName") : of->name;
        const struct usage_node *node =
                table_object(table_find(&a->usage->nodes, name ?: ""), struct usage_node, in_all);

        return node ? node->points : NULL;
}

/* Only pods that run are measured. 0; -ENOENT: nothing is known of it; -ENOMEM. */
static int measure(const struct answering *a, const struct object *of, struct object **ret_object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        const struct usage_points *points;
        bool known;

        if (a->pods && strcmp(api_resource_field(a->of, of, "status.phase") ?: "", "Running") != 0)
                return -ENOENT;
        begin_object(&w, a->r, of);
        pthread_mutex_lock(&a->usage->lock);
        points = points_of(a, of);
        known = points && (a->pods ? write_pod(&w, points, of) : write_node(&w, points));
        pthread_mutex_unlock(&a->usage->lock);
        if (!known)
                return -ENOENT;
        json_end_map(&w);
        *ret_object = make_object(a->r, of, &w);
        return *ret_object ? 0 : -ENOMEM;
}

static enum api_step answer_one(const struct answering *a) {
        struct api_request *r = a->r;
        _cleanup_object_ struct object *of =
                collection_get(a->of->collection, r->kind->namespaced ? r->path.namespace : "", r->name);
        _cleanup_object_ struct object *object = NULL;
        int error = of ? measure(a, of, &object) : -ENOENT;

        if (error == -ENOENT)
                return api_refuse_object(r, API_NOT_FOUND, r->name, "%smetrics.%s \"%s\" not found",
                                         a->pods ? "pod" : "node", USAGE_GROUP, r->name);
        return error < 0 ? api_fail(r, error, NULL) : api_show(r, 200, object);
}

static int collect(const struct answering *a, const struct api_query *query, const struct collection_page *page,
                   struct collection_page *ret_measured) {
        const struct collection_filter *filter = &query->query.filter;

        ret_measured->objects = calloc(page->n + 1, sizeof(*page->objects));
        if (!ret_measured->objects)
                return -ENOMEM;
        for (size_t i = 0; i < page->n; i++) {
                struct object *object;
                int error = measure(a, page->objects[i], &object);

                if (error == -ENOENT)
                        continue;
                if (error < 0)
                        return error;
                if (!filter->matches || filter->matches(filter->data, object))
                        ret_measured->objects[ret_measured->n++] = object;
                else
                        object_unref(object);
        }
        return 0;
}

static enum api_step answer_list(const struct answering *a) {
        struct collection_page page = { 0 }, measured = { 0 };
        struct api_request *r = a->r;
        struct collection_query all = { 0 };
        struct api_query query;
        enum api_step step = api_query_read(r, &query);
        int error;

        if (step != API_NEXT)
                return step;
        all.filter.namespace = query.query.filter.namespace;
        all.filter.name = query.query.filter.name;
        error = collection_list(a->of->collection, &all, &page);
        if (error == 0) {
                error = collect(a, &query, &page, &measured);
                collection_page_clear(&page);
        }
        step = error < 0 ? api_fail(r, error, NULL) : api_respond_list(r, &measured, "{}");
        if (measured.objects)
                collection_page_clear(&measured);
        return step;
}

enum api_step usage_answer(struct api_usage *usage, struct api_request *r) {
        struct answering a = { .usage = usage, .r = r, .pods = strcmp(r->kind->resource, "pods") == 0 };

        if (!r->x)
                return API_END;
        /* Its window is a message of its own in protobuf, which nobody asks for alone. */
        if (r->media.form == API_PROTOBUF)
                r->media.form = API_JSON;
        a.of = api_state_find(r->server->config.state, "", r->kind->resource);
        if (!a.of)
                return api_fail(r, -ENOENT, NULL);
        return r->verb == KUBE_VERB_GET ? answer_one(&a) : answer_list(&a);
}
