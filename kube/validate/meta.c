/* Metadata: k8s.io/apimachinery/pkg/api/validation/objectmeta.go, and what core adds to it. Maps are looked at in the
 * order of their keys, where Go has none. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/validate/common.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/texts.h"

#define ANNOTATIONS_BYTES_MAX (256 * 1024)
#define MANAGER_BYTES_MAX 128
#define SUBRESOURCE_BYTES_MAX 256

static const struct place metadata = { .name = "metadata" };

void validate_labels(struct validation *v, const struct place *at, const string_map *labels) {
        list_for_each (label, labels) {
                validate_name(v, at, NAME_QUALIFIED, label->key);
                validate_name(v, at, NAME_LABEL_VALUE, label->value);
        }
}

/* Keys are names with no regard to case. */
static void check_annotation(struct validation *v, const struct place *at, const char *key) {
        const char *problems[NAME_PROBLEMS_MAX];
        char *lower = validate_copy(v, key, strlen(key));
        unsigned n;

        for (char *c = lower; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        n = name_problems(NAME_QUALIFIED, lower ?: key, problems);
        for (unsigned i = 0; i < n; i++)
                validate_invalid(v, at, key, problems[i]);
}

void validate_annotations(struct validation *v, const struct place *at, const string_map *annotations) {
        size_t bytes = 0;

        list_for_each (annotation, annotations) {
                bytes += strlen(annotation->key) + strlen(annotation->value ?: "");
                if (name_problem(NAME_QUALIFIED, annotation->key))
                        check_annotation(v, at, annotation->key);
        }
        if (bytes > ANNOTATIONS_BYTES_MAX)
                validate_too_long(v, at, ANNOTATIONS_BYTES_MAX);
}

/* --- owners --- */

/* "version, Kind=" of "group/version", as schema.GroupVersionKind is printed. */
static bool is_event(const struct kube_owner_reference *owner) {
        return kube_is(owner->api_version, "v1") && kube_is(owner->kind, "Event");
}

/* schema.ParseGroupVersion() reads "a/b/c" and "/" as nothing. */
static bool has_version(const char *api_version) {
        const char *slash = strchr(api_version, '/');

        if (slash && strchr(slash + 1, '/'))
                return false;
        return slash ? slash[1] != '\0' : *api_version != '\0';
}

static void check_owner(struct validation *v, const struct place *at, const struct kube_owner_reference *owner) {
        if (!has_version(owner->api_version ?: ""))
                validate_invalid(v, FIELD(at, "apiVersion"), owner->api_version, "version must not be empty");
        if (!owner->kind || !*owner->kind)
                validate_invalid(v, FIELD(at, "kind"), owner->kind, "must not be empty");
        if (!owner->name || !*owner->name)
                validate_invalid(v, FIELD(at, "name"), owner->name, "must not be empty");
        if (!owner->uid || !*owner->uid)
                validate_invalid_word(v, FIELD(at, "uid"), owner->uid, "must not be empty");
        if (is_event(owner))
                validate_invalid_object(v, at, &kube_owner_reference_type, owner,
                                        "/v1, Kind=Event is disallowed from being an owner");
}

/* All owners, as JSON. */
static const char *owners_json(struct validation *v, const kube_owner_reference_items *owners) {
        struct kube_object_meta meta = { .owner_references = *owners };

        return validate_field_json(v, &kube_object_meta_type, "ownerReferences", &meta);
}

static void check_owners(struct validation *v, const struct place *at, const kube_owner_reference_items *owners) {
        const struct kube_owner_reference *first = NULL;

        list_for_each (owner, owners) {
                check_owner(v, at, owner);
                if (owner->controller != TRI_TRUE)
                        continue;
                if (first)
                        validate_invalid_json(
                                v, at, owners_json(v, owners),
                                validate_text(v,
                                              "Only one reference can have Controller set to true. Found \"true\" in "
                                              "references for %s/%s and %s/%s",
                                              first->kind ?: "", first->name ?: "", owner->kind ?: "",
                                              owner->name ?: ""));
                first = first ?: owner;
        }
}

/* --- finalizers --- */

static void check_finalizers(struct validation *v, const struct place *at, const string_list *finalizers) {
        list_for_each (finalizer, finalizers)
                validate_name(v, at, NAME_QUALIFIED, *finalizer);
        if (kube_has(finalizers, "orphan") && kube_has(finalizers, "foregroundDeletion"))
                validate_invalid_json(v, at, validate_json_strings(v, finalizers),
                                      "finalizer orphan and foregroundDeletion cannot be both set");
}

/* One without a prefix is Kubernetes' own. */
static void check_core_finalizers(struct validation *v, const struct place *at, const string_list *finalizers) {
        static const char *const standard[] = { "foregroundDeletion", "kubernetes", "orphan", NULL };

        for (uint32_t i = 0; i < finalizers->count; i++)
                if (!strchr(finalizers->items[i] ?: "", '/') && !validate_is_one(finalizers->items[i], standard))
                        validate_invalid(v, ITEM(at, i), finalizers->items[i],
                                         "name is neither a standard finalizer name nor is it fully qualified");
}

/* Those of @new that are not among @old, as Go's %#v has a list of strings: sorted. */
static void check_new_finalizers(struct validation *v, const struct place *at, const string_list *new,
                                 const string_list *old) {
        _cleanup_validate_set_ struct validate_set known = { 0 };
        const char **more = validate_alloc(v, new->count, sizeof(*more));
        size_t n = 0;

        list_for_each (item, old)
                validate_set_add(v, &known, *item);
        list_for_each (item, new)
                if (more && validate_set_add(v, &known, *item))
                        more[n++] = *item ?: "";
        if (n == 0)
                return;
        qsort(more, n, sizeof(*more), texts_order);
        validate_forbidden(v, at,
                           validate_text(v,
                                         "no new finalizers can be added if the object is being deleted, found new "
                                         "finalizers []string{%s}",
                                         validate_join(v, more, n, true)));
}

/* --- who owns which field --- */

/* As Go's %#U: "U+0009", and the character where it is one to be seen. */
static void check_manager_characters(struct validation *v, const struct place *at, const char *manager) {
        size_t length = strlen(manager);

        for (size_t i = 0, n; i < length; i += n) {
                int32_t rune, shown;

                n = go_text_rune(manager + i, length - i, &rune);
                if (rune >= 0 && go_text_printable(rune))
                        continue;
                shown = rune < 0 ? 0xfffd : rune;
                validate_invalid(v, at, manager,
                                 validate_text(v, "invalid character U+%04X%s (at position %zu)", (unsigned)shown,
                                               rune < 0 ? " '\xef\xbf\xbd'" : "", i));
        }
}

static void check_managed_fields(struct validation *v, const struct place *at,
                                 const kube_managed_fields_entry_items *entries) {
        for (uint32_t i = 0; i < entries->count; i++) {
                const struct kube_managed_fields_entry *entry = &entries->items[i];
                const struct place *here = ITEM(at, i);

                if (!kube_is(entry->operation, "Apply") && !kube_is(entry->operation, "Update"))
                        validate_invalid_word(v, FIELD(here, "operation"), entry->operation,
                                              "must be `Apply` or `Update`");
                if (entry->fields_type && *entry->fields_type && !kube_is(entry->fields_type, "FieldsV1"))
                        validate_invalid(v, FIELD(here, "fieldsType"), entry->fields_type, "must be `FieldsV1`");
                if (strlen(entry->manager ?: "") > MANAGER_BYTES_MAX)
                        validate_too_long(v, FIELD(here, "manager"), MANAGER_BYTES_MAX);
                check_manager_characters(v, FIELD(here, "manager"), entry->manager ?: "");
                if (strlen(entry->subresource ?: "") > SUBRESOURCE_BYTES_MAX)
                        validate_too_long(v, FIELD(here, "subresource"), SUBRESOURCE_BYTES_MAX);
        }
}

/* --- all of it --- */

static void check_common(struct validation *v, const struct kube_object_meta *meta) {
        const struct place *namespace = FIELD(&metadata, "namespace");

        if (v->namespaced)
                validate_name_required(v, namespace, NAME_LABEL, meta->namespace);
        else if (meta->namespace && *meta->namespace)
                validate_forbidden(v, namespace, "not allowed on this type");
        validate_not_negative(v, FIELD(&metadata, "generation"), meta->generation);
        validate_labels(v, FIELD(&metadata, "labels"), &meta->labels);
        validate_annotations(v, FIELD(&metadata, "annotations"), &meta->annotations);
        check_owners(v, FIELD(&metadata, "ownerReferences"), &meta->owner_references);
        check_finalizers(v, FIELD(&metadata, "finalizers"), &meta->finalizers);
        check_managed_fields(v, FIELD(&metadata, "managedFields"), &meta->managed_fields);
}

static void check_name(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule) {
        if (!meta->name || !*meta->name)
                validate_required(v, FIELD(&metadata, "name"), "name or generateName is required");
        else
                validate_name(v, FIELD(&metadata, "name"), rule, meta->name);
}

void validate_plain_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule) {
        if (meta->generate_name && *meta->generate_name)
                validate_name_prefix(v, FIELD(&metadata, "generateName"), rule, meta->generate_name);
        check_name(v, meta, rule);
        check_common(v, meta);
}

void validate_named_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule) {
        check_name(v, meta, rule);
        check_common(v, meta);
        check_core_finalizers(v, FIELD(&metadata, "finalizers"), &meta->finalizers);
}

void validate_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule) {
        validate_plain_meta(v, meta, rule);
        check_core_finalizers(v, FIELD(&metadata, "finalizers"), &meta->finalizers);
}

/* The resource version is the business of whoever asks for the change (api/rest/modify.c). */
void validate_plain_meta_update(struct validation *v, const struct kube_object_meta *meta,
                                const struct kube_object_meta *old) {
        const struct kube_type *type = &kube_object_meta_type;

        if (old->deletion_timestamp.set)
                check_new_finalizers(v, FIELD(&metadata, "finalizers"), &meta->finalizers, &old->finalizers);
        if (meta->generation < old->generation)
                validate_invalid_int(v, FIELD(&metadata, "generation"), meta->generation, "must not be decremented");
        validate_immutable_text(v, FIELD(&metadata, "name"), meta->name, old->name);
        validate_immutable_text(v, FIELD(&metadata, "namespace"), meta->namespace, old->namespace);
        validate_immutable_field(v, FIELD(&metadata, "uid"), type, "uid", meta, old);
        validate_immutable_field(v, FIELD(&metadata, "creationTimestamp"), type, "creationTimestamp", meta, old);
        validate_immutable_field(v, FIELD(&metadata, "deletionTimestamp"), type, "deletionTimestamp", meta, old);
        validate_immutable_field(v, FIELD(&metadata, "deletionGracePeriodSeconds"), type, "deletionGracePeriodSeconds",
                                 meta, old);
        validate_labels(v, FIELD(&metadata, "labels"), &meta->labels);
        validate_annotations(v, FIELD(&metadata, "annotations"), &meta->annotations);
        check_owners(v, FIELD(&metadata, "ownerReferences"), &meta->owner_references);
        check_managed_fields(v, FIELD(&metadata, "managedFields"), &meta->managed_fields);
}

void validate_meta_update(struct validation *v, const struct kube_object_meta *meta,
                          const struct kube_object_meta *old) {
        validate_plain_meta_update(v, meta, old);
        check_core_finalizers(v, FIELD(&metadata, "finalizers"), &meta->finalizers);
}

/* All else is refused by its name in Go, whose first letter alone is made a small one. */
void validate_template_meta(struct validation *v, const struct place *at, const struct kube_object_meta *m) {
        const struct {
                const char *name;
                bool given;
        } others[] = {
                { "name", m->name && *m->name },
                { "generateName", m->generate_name && *m->generate_name },
                { "namespace", m->namespace && *m->namespace },
                { "selfLink", m->self_link && *m->self_link },
                { "uID", m->uid && *m->uid },
                { "resourceVersion", m->resource_version && *m->resource_version },
                { "generation", m->generation != 0 },
                { "creationTimestamp", m->creation_timestamp.set },
                { "deletionTimestamp", m->deletion_timestamp.set },
                { "deletionGracePeriodSeconds", m->deletion_grace_period_seconds.set },
                { "ownerReferences", m->owner_references.items },
                { "finalizers", m->finalizers.items },
                { "managedFields", m->managed_fields.items },
        };

        validate_annotations(v, FIELD(at, "annotations"), &m->annotations);
        validate_labels(v, FIELD(at, "labels"), &m->labels);
        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
                if (others[i].given)
                        validate_forbidden(v, FIELD(at, others[i].name), "cannot be set");
}
