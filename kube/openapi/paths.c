/* Resources as paths: an operation for each verb, from a table. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kube/openapi/internal.h"
#include "kube/openapi/operations.h"
#include "kube/type.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define PATH_MAX_BYTES 512
#define ID_MAX 256

#define BIT(parameter) (1u << (parameter))

/* A path of a resource, or of a subresource. */
struct item {
        struct openapi_document *document;
        const struct kube_kind *kind;
        const struct kube_subresource *subresource; /* NULL: the resource itself */
        enum openapi_place place;
        uint16_t verbs;
};

/* "apps" and "v1" as "AppsV1", or "apps_v1": with each of the group's parts begun by a capital, but for "k8s.io". */
static void write_group(char *to, size_t size, const struct openapi_document *d, bool tag) {
        const char *group = *d->group ? d->group : "core", *end = strstr(group, ".k8s.io");
        size_t length = end ? (size_t)(end - group) : strlen(group), n = 0;
        bool capital = !tag;

        for (size_t i = 0; i < length && n + 8 < size; i++) {
                if (group[i] == '.' || group[i] == '-') {
                        capital = true;
                        continue;
                }
                to[n++] = capital ? (char)toupper(group[i]) : group[i];
                capital = false;
        }
        snprintf(to + n, size - n, "%s%s", tag ? "_" : "", d->version);
        if (!tag)
                to[n] = (char)toupper(to[n]);
}

static bool is_watch(enum openapi_place place) {
        return place >= OPENAPI_PLACE_WATCH_ITEM;
}

/* "listAppsV1DeploymentForAllNamespaces", "patchAppsV1NamespacedDeploymentScale" */
static void write_id(const struct item *item, const struct openapi_operation *op) {
        const struct kube_kind *kind = item->kind;
        char group[128], id[ID_MAX], capital[2] = { 0 };
        bool all = item->place == OPENAPI_PLACE_ALL || item->place == OPENAPI_PLACE_WATCH_ALL;
        const char *sub = item->subresource ? item->subresource->name : "";

        write_group(group, sizeof(group), item->document, false);
        capital[0] = (char)toupper(*sub);
        snprintf(id, sizeof(id), "%s%s%s%s%s%s%s%s%s", op->id, group,
                 op->verb == KUBE_VERB_DELETECOLLECTION ? "Collection" : "",
                 kind->namespaced && !all ? "Namespaced" : "", kind->kind, capital, *sub ? sub + 1 : "",
                 item->place == OPENAPI_PLACE_WATCH_COLLECTION || item->place == OPENAPI_PLACE_WATCH_ALL ? "List" : "",
                 all && kind->namespaced ? "ForAllNamespaces" : "");
        json_add_string(item->document->out, "operationId", id);
}

static void write_parameters(struct json_writer *w, uint32_t set) {
        if (set == 0)
                return;
        json_key(w, "parameters");
        json_begin_list(w);
        for (size_t i = 0; i < openapi_parameters_count; i++) {
                if (!(set & BIT(i)))
                        continue;
                json_begin_map(w);
                json_add_string(w, "name", openapi_parameters[i].name);
                json_add_string(w, "in", openapi_parameters[i].in_path ? "path" : "query");
                if (openapi_parameters[i].in_path)
                        json_add_bool(w, "required", true);
                json_key(w, "schema");
                json_begin_map(w);
                json_add_string(w, "type", openapi_parameters[i].type);
                json_add_bool(w, "uniqueItems", true);
                json_end_map(w);
                json_end_map(w);
        }
        json_end_list(w);
}

/* "content", in each of @types, with the schema called @name. */
static void write_content(struct json_writer *w, const char *const *types, const char *name) {
        json_key(w, "content");
        json_begin_map(w);
        for (; *types; types++) {
                json_key(w, *types);
                json_begin_map(w);
                json_key(w, "schema");
                openapi_write_reference(w, name);
                json_end_map(w);
        }
        json_end_map(w);
}

static const struct kube_type *own_type(const struct item *item) {
        return item->subresource ? item->subresource->type : item->kind->type;
}

/* A type of meta/v1, by the name of its kind; it is part of the document from now on. */
static const char *meta_type(struct openapi_document *d, const char *kind) {
        const struct kube_kind *found = kube_registry_kind(d->registry, KUBE_META_GROUP, "v1", kind);

        openapi_types_add(&d->types, found ? found->type : NULL);
        return found ? found->type->name : "";
}

static const char *answer_name(const struct item *item, enum openapi_answer answer) {
        const struct kube_type *type = answer == OPENAPI_ANSWER_LIST ? item->kind->list_type : own_type(item);

        if (answer == OPENAPI_ANSWER_STATUS)
                return meta_type(item->document, "Status");
        if (answer == OPENAPI_ANSWER_EVENT)
                return meta_type(item->document, "WatchEvent");
        openapi_types_add(&item->document->types, type);
        return type ? type->name : "";
}

static void write_response(struct json_writer *w, const char *code, const char *text, const char *const *types,
                           const char *name) {
        json_key(w, code);
        json_begin_map(w);
        json_add_string(w, "description", text);
        if (types)
                write_content(w, types, name);
        json_end_map(w);
}

/* Kinds whose deletion is answered with the object. */
static bool gives_deleted(const struct kube_kind *kind) {
        static const char *const kinds[] = {
                "Pod",
                "PodTemplate",
                "PersistentVolume",
                "PersistentVolumeClaim",
                "ResourceQuota",
                "ServiceAccount",
                "Service",
                "StorageClass",
                "VolumeAttachment",
                "CSINode",
                "CSIDriver",
                "VolumeAttributesClass",
                "DeviceClass",
                "ResourceClaim",
                "ResourceClaimTemplate",
                "ResourceSlice",
                "DeviceTaintRule",
                "ResourcePoolStatusRequest",
        };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (strcmp(kinds[i], kind->kind) == 0)
                        return true;
        return false;
}

static void write_responses(const struct item *item, const struct openapi_operation *op) {
        static const char *const once[] = { "application/json", "application/vnd.kubernetes.protobuf",
                                            "application/yaml", NULL };
        static const char *const streamed[] = { "application/json",
                                                "application/json;stream=watch",
                                                "application/vnd.kubernetes.protobuf",
                                                "application/vnd.kubernetes.protobuf;stream=watch",
                                                "application/yaml",
                                                NULL };
        bool deleted = op->verb == KUBE_VERB_DELETE && gives_deleted(item->kind);
        const char *name = answer_name(item, deleted ? OPENAPI_ANSWER_OBJECT : op->answer);
        const char *const *types =
                op->answer == OPENAPI_ANSWER_LIST || op->answer == OPENAPI_ANSWER_EVENT ? streamed : once;
        struct json_writer *w = item->document->out;

        json_key(w, "responses");
        json_begin_map(w);
        write_response(w, "200", "OK", types, name);
        if (op->created)
                write_response(w, "201", "Created", types, name);
        if (op->accepted)
                write_response(w, "202", "Accepted", types, name);
        write_response(w, "401", "Unauthorized", NULL, NULL);
        json_end_map(w);
}

static void write_body(const struct item *item, const struct openapi_operation *op) {
        static const char *const any[] = { "*/*", NULL };
        static const char *const patches[] = { "application/apply-patch+yaml", "application/json-patch+json",
                                               "application/merge-patch+json", "application/strategic-merge-patch+json",
                                               NULL };
        struct openapi_document *d = item->document;

        if (op->body == OPENAPI_BODY_NONE)
                return;
        json_key(d->out, "requestBody");
        json_begin_map(d->out);
        if (op->body == OPENAPI_BODY_OPTIONS) {
                write_content(d->out, any, meta_type(d, "DeleteOptions"));
        } else if (op->body == OPENAPI_BODY_PATCH) {
                d->types.patch = true;
                write_content(d->out, patches, OPENAPI_META "Patch");
        } else {
                write_content(d->out, any, answer_name(item, OPENAPI_ANSWER_OBJECT));
        }
        if (op->body != OPENAPI_BODY_OPTIONS)
                json_add_bool(d->out, "required", true);
        json_end_map(d->out);
}

static void write_tags(const struct openapi_document *d) {
        char tag[128];

        write_group(tag, sizeof(tag), d, true);
        json_key(d->out, "tags");
        json_begin_list(d->out);
        json_string(d->out, tag);
        json_end_list(d->out);
}

static void write_identity(const struct item *item) {
        const struct kube_subresource *sub = item->subresource;
        struct json_writer *w = item->document->out;

        json_key(w, "x-kubernetes-group-version-kind");
        json_begin_map(w);
        json_add_string(w, "group", sub ? sub->group : item->kind->group);
        json_add_string(w, "version", sub ? sub->version : item->kind->version);
        json_add_string(w, "kind", sub ? sub->kind : item->kind->kind);
        json_end_map(w);
}

static bool applies(const struct item *item, const struct openapi_operation *op) {
        return op->place == item->place && item->verbs & op->verb &&
               (op->place != OPENAPI_PLACE_ITEM || op->verb != KUBE_VERB_CREATE || item->subresource);
}

static void write_operation(const struct item *item, const struct openapi_operation *op, uint32_t own) {
        struct json_writer *w = item->document->out;

        json_key(w, op->method);
        json_begin_map(w);
        write_tags(item->document);
        write_id(item, op);
        write_parameters(w, own);
        write_body(item, op);
        write_responses(item, op);
        json_add_string(w, "x-kubernetes-action", op->action);
        write_identity(item);
        json_end_map(w);
}

static const char *format_path(const struct item *item, char text[PATH_MAX_BYTES]) {
        const struct openapi_document *d = item->document;
        bool all = item->place == OPENAPI_PLACE_ALL || item->place == OPENAPI_PLACE_WATCH_ALL;
        bool one = item->place == OPENAPI_PLACE_ITEM || item->place == OPENAPI_PLACE_WATCH_ITEM;

        snprintf(text, PATH_MAX_BYTES, "%s%s/%s%s/%s%s%s%s%s", *d->group ? "/apis/" : "/api", d->group, d->version,
                 is_watch(item->place) ? "/watch" : "", item->kind->namespaced && !all ? "namespaces/{namespace}/" : "",
                 item->kind->resource, one ? "/{name}" : "", item->subresource ? "/" : "",
                 item->subresource ? item->subresource->name : "");
        return text;
}

/* What all operations of a path take stands once, at the path. */
static void write_item(const struct item *item) {
        uint32_t common = UINT32_MAX, fixed = BIT(OPENAPI_PRETTY);
        bool any = false, all = item->place == OPENAPI_PLACE_ALL || item->place == OPENAPI_PLACE_WATCH_ALL;
        struct json_writer *w = item->document->out;
        char path[PATH_MAX_BYTES];

        for (size_t i = 0; i < openapi_operations_count; i++)
                if (applies(item, &openapi_operations[i])) {
                        common &= openapi_operations[i].parameters;
                        any = true;
                }
        if (!any)
                return;
        if (item->place == OPENAPI_PLACE_ITEM || item->place == OPENAPI_PLACE_WATCH_ITEM)
                fixed |= BIT(OPENAPI_NAME);
        if (item->kind->namespaced && !all)
                fixed |= BIT(OPENAPI_NAMESPACE);
        json_key(w, format_path(item, path));
        json_begin_map(w);
        for (size_t i = 0; i < openapi_operations_count; i++)
                if (applies(item, &openapi_operations[i]))
                        write_operation(item, &openapi_operations[i], openapi_operations[i].parameters & ~common);
        write_parameters(w, common | fixed);
        json_end_map(w);
}

/* What is only gone through (log, exec, proxy) is no operation on an object: its type has no metadata. */
static bool is_object(const struct kube_subresource *sub) {
        return sub->type && kube_type_field(sub->type, "metadata", strlen("metadata"));
}

void openapi_write_paths(struct openapi_document *document, const struct kube_kind *kind) {
        struct item item = { document, kind, NULL, OPENAPI_PLACE_ITEM, kind->verbs };

        for (; item.place <= OPENAPI_PLACE_WATCH_ALL; item.place++)
                if ((item.place != OPENAPI_PLACE_ALL && item.place != OPENAPI_PLACE_WATCH_ALL) || kind->namespaced)
                        write_item(&item);
        item.place = OPENAPI_PLACE_ITEM;
        for (uint16_t i = 0; i < kind->n_subresources; i++) {
                item.subresource = &kind->subresources[i];
                item.verbs = item.subresource->verbs;
                if (is_object(item.subresource) && strcmp(item.subresource->name, "log") != 0)
                        write_item(&item);
        }
}

void openapi_write_root(struct openapi_document *d) {
        static const char *const types[] = { "application/json", "application/vnd.kubernetes.protobuf",
                                             "application/yaml", NULL };
        char path[PATH_MAX_BYTES], group[128], id[ID_MAX];

        snprintf(path, sizeof(path), "%s%s/%s/", *d->group ? "/apis/" : "/api", d->group, d->version);
        write_group(group, sizeof(group), d, false);
        snprintf(id, sizeof(id), "get%sAPIResources", group);
        json_key(d->out, path);
        json_begin_map(d->out);
        json_key(d->out, "get");
        json_begin_map(d->out);
        write_tags(d);
        json_add_string(d->out, "operationId", id);
        json_key(d->out, "responses");
        json_begin_map(d->out);
        write_response(d->out, "200", "OK", types, meta_type(d, "APIResourceList"));
        write_response(d->out, "401", "Unauthorized", NULL, NULL);
        json_end_map(d->out);
        json_end_map(d->out);
        json_end_map(d->out);
}
