/* PersistentVolumeClaims, and templates of them. */
#include <string.h>

#include "kube/problem.h"
#include "kube/type.h"
#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

/* --- spec --- */

static const char *const access_modes[] = { "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod",
                                            NULL };

static void check_modes(struct validation *v, const struct place *at, const string_list *modes) {
        bool once = false, others = false;

        list_for_each (mode, modes) {
                validate_choice(v, at, *mode, access_modes);
                once |= kube_is(*mode, "ReadWriteOncePod");
                others |= !kube_is(*mode, "ReadWriteOncePod") && validate_is_one(*mode, access_modes);
        }
        if (once && others)
                validate_forbidden(v, at, "may not use ReadWriteOncePod with other access modes");
}

void validate_access_modes(struct validation *v, const struct place *at, const string_list *modes, const char *none) {
        if (modes->count == 0)
                validate_required(v, at, none);
        check_modes(v, at, modes);
}

/* Where the data come from, of both kinds of references. */
struct source {
        const char *group, *kind, *name, *namespace;
};

static void check_source(struct validation *v, const struct place *at, const struct source *s, bool any_group) {
        bool group = s->group && *s->group;

        if (!s->name || !*s->name)
                validate_required(v, FIELD(at, "name"), "");
        if (!s->kind || !*s->kind)
                validate_required(v, FIELD(at, "kind"), "");
        if (!group && !kube_is(s->kind, "PersistentVolumeClaim"))
                validate_invalid(v, at, s->kind,
                                 "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
        if (group && !any_group)
                validate_name(v, FIELD(at, "apiGroup"), NAME_SUBDOMAIN, s->group);
        if (s->namespace && *s->namespace)
                validate_name(v, FIELD(at, "namespace"), NAME_LABEL, s->namespace);
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool is_bad_group(const char *group) {
        return group && *group && name_problem(NAME_SUBDOMAIN, group);
}

/* kube-apiserver shows the place as a value, whose fields are none that JSON knows. */
static void check_sources(struct validation *v, const struct place *at,
                          const struct kube_persistent_volume_claim_spec *spec, bool any_group) {
        const struct kube_typed_local_object_reference *source = spec->data_source;
        const struct kube_typed_object_reference *ref = spec->data_source_ref;
        bool elsewhere = ref && ref->namespace && *ref->namespace;

        if (source)
                check_source(v, FIELD(at, "dataSource"),
                             &(struct source){ source->api_group, source->kind, source->name, NULL }, any_group);
        if (ref)
                check_source(v, FIELD(at, "dataSourceRef"),
                             &(struct source){ ref->api_group, ref->kind, ref->name, ref->namespace }, any_group);
        if (!source || !ref)
                return;
        if (elsewhere)
                validate_invalid_json(v, at, "{}", "may not be specified when dataSourceRef.namespace is specified");
        else if (!source->api_group != !ref->api_group || !same_text(source->api_group, ref->api_group) ||
                 !same_text(source->kind, ref->kind) || !same_text(source->name, ref->name))
                validate_invalid_json(v, at, "{}", "must match dataSourceRef");
}

static void check_storage(struct validation *v, const struct place *at, const resource_list *requests) {
        const struct quantity *storage = resource_get(requests, "storage");

        if (!storage)
                validate_required(v, at, "");
        else if (quantity_sign(*storage) <= 0)
                validate_quantity_positive(v, at, *storage);
        else
                validate_amount(v, at, "storage", *storage);
}

static bool breaks_selector(struct validation *v, const struct kube_label_selector *selector) {
        struct problems problems = { .arena = v->arena };
        struct validation quiet = { .problems = &problems, .arena = v->arena };

        validate_selector(&quiet, NULL, selector, NULL);
        return problems.errors > 0;
}

void validate_claim_spec(struct validation *v, const struct place *at,
                         const struct kube_persistent_volume_claim_spec *spec,
                         const struct kube_persistent_volume_claim_spec *old) {
        const struct validate_selector_options options = { .any_value = old && breaks_selector(v, old->selector) };
        bool any_group = old && ((old->data_source && is_bad_group(old->data_source->api_group)) ||
                                 (old->data_source_ref && is_bad_group(old->data_source_ref->api_group)));

        if (spec->access_modes.count == 0)
                validate_required(v, FIELD(at, "accessModes"), "at least 1 access mode is required");
        validate_selector(v, FIELD(at, "selector"), spec->selector, &options);
        check_modes(v, FIELD(at, "accessModes"), &spec->access_modes);
        check_storage(v, ENTRY(FIELD(at, "resources"), "storage"), &spec->resources.requests);
        if (spec->storage_class_name && *spec->storage_class_name)
                validate_name(v, FIELD(at, "storageClassName"), NAME_SUBDOMAIN, spec->storage_class_name);
        if (spec->volume_mode)
                validate_choice(v, FIELD(at, "volumeMode"), spec->volume_mode, POD_TEXTS("Block", "Filesystem"));
        check_sources(v, at, spec, any_group);
        if (spec->volume_attributes_class_name && *spec->volume_attributes_class_name)
                validate_name(v, FIELD(at, "volumeAttributesClassName"), NAME_SUBDOMAIN,
                              spec->volume_attributes_class_name);
}

/* --- templates --- */

void validate_claim_template(struct validation *v, const struct place *at,
                             const struct kube_persistent_volume_claim_template *template) {
        validate_template_meta(v, FIELD(at, "metadata"), &template->metadata);
        validate_claim_spec(v, FIELD(at, "spec"), &template->spec, NULL);
}

/* --- claims --- */

#define CLASS_ANNOTATION "volume.beta.kubernetes.io/storage-class"

static const struct place spec_place = { .name = "spec" }, status_place = { .name = "status" };

static void check_claim(struct validation *v, const struct kube_persistent_volume_claim *claim,
                        const struct kube_persistent_volume_claim *old) {
        validate_meta(v, &claim->metadata, NAME_SUBDOMAIN);
        validate_claim_spec(v, &spec_place, &claim->spec, old ? &old->spec : NULL);
}

/* The class of the annotation becomes the field's. */
static bool takes_up_class(const struct kube_persistent_volume_claim *claim,
                           const struct kube_persistent_volume_claim *old) {
        const char *before = string_map_get(&old->metadata.annotations, CLASS_ANNOTATION),
                   *now = string_map_get(&claim->metadata.annotations, CLASS_ANNOTATION);

        return before && !old->spec.storage_class_name && kube_is(claim->spec.storage_class_name, before) &&
               (!now || strcmp(now, before) == 0);
}

/* @requests, which are in order, with @storage in it. */
static resource_list with_storage(struct validation *v, const resource_list *requests, const struct quantity *storage) {
        static const struct quantity none;
        resource_list list = { .items = validate_alloc(v, requests->count + 1, sizeof(*list.items)) };
        uint32_t i = 0;

        if (!list.items)
                return list;
        while (i < requests->count && strcmp(requests->items[i].name, "storage") < 0)
                list.items[list.count++] = requests->items[i++];
        list.items[list.count++] = (struct resource_amount){ "storage", *(storage ?: &none) };
        if (i < requests->count && strcmp(requests->items[i].name, "storage") == 0)
                i++;
        while (i < requests->count)
                list.items[list.count++] = requests->items[i++];
        return list;
}

/* The specs with what may change alike in both. */
static void settle_spec(struct validation *v, const struct kube_persistent_volume_claim *claim,
                        const struct kube_persistent_volume_claim *old, struct kube_persistent_volume_claim_spec *like,
                        struct kube_persistent_volume_claim_spec *before) {
        const char *was = string_map_get(&old->metadata.annotations, CLASS_ANNOTATION);
        bool bound = kube_is(claim->status.phase, "Bound");

        *like = claim->spec;
        *before = old->spec;
        if (!before->volume_name || !*before->volume_name)
                before->volume_name = like->volume_name;
        if (takes_up_class(claim, old))
                like->storage_class_name = NULL;
        else if (like->storage_class_name && !before->storage_class_name &&
                 (!was || strcmp(like->storage_class_name, was) == 0))
                like->storage_class_name = before->storage_class_name;
        if (bound && like->resources.requests.items)
                like->resources.requests = with_storage(v, &like->resources.requests,
                                                        resource_get(&before->resources.requests, "storage"));
        if (bound)
                like->volume_attributes_class_name = before->volume_attributes_class_name;
}

static void check_size(struct validation *v, const struct kube_persistent_volume_claim *claim,
                       const struct kube_persistent_volume_claim *old) {
        static const struct quantity none;
        const struct quantity *new_size = resource_get(&claim->spec.resources.requests, "storage") ?: &none,
                              *old_size = resource_get(&old->spec.resources.requests, "storage") ?: &none,
                              *given = resource_get(&old->status.capacity, "storage") ?: &none;

        if (quantity_compare(*new_size, *old_size) < 0 && quantity_compare(*new_size, *given) <= 0)
                validate_forbidden(v, FIELD(FIELD(FIELD(&spec_place, "resources"), "requests"), "storage"),
                                   "field can not be less than status.capacity");
}

static void check_class_change(struct validation *v, const struct kube_persistent_volume_claim *claim,
                               const struct kube_persistent_volume_claim *old) {
        const char *class = claim->spec.volume_attributes_class_name;
        const struct place *at = FIELD(&spec_place, "volumeAttributesClassName");

        if (!old->status.current_volume_attributes_class_name ||
            validate_equal_field(&kube_persistent_volume_claim_spec_type, "volumeAttributesClassName", &claim->spec,
                                 &old->spec))
                return;
        if (!class)
                validate_forbidden(
                        v, at, "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil");
        else if (!*class)
                validate_forbidden(
                        v, at,
                        "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil");
}

static void check_claim_change(struct validation *v, const struct kube_persistent_volume_claim *claim,
                               const struct kube_persistent_volume_claim *old) {
        const struct kube_type *type = &kube_persistent_volume_claim_spec_type;
        struct kube_persistent_volume_claim_spec like, before;

        if (!takes_up_class(claim, old) && !same_text(string_map_get(&claim->metadata.annotations, CLASS_ANNOTATION),
                                                      string_map_get(&old->metadata.annotations, CLASS_ANNOTATION)))
                validate_invalid(v, FIELD(FIELD(FIELD(NULL, "metadata"), "annotations"), CLASS_ANNOTATION),
                                 string_map_get(&claim->metadata.annotations, CLASS_ANNOTATION), VALIDATE_IMMUTABLE);
        settle_spec(v, claim, old, &like, &before);
        if (!validate_equal(type, &like, &before))
                validate_forbidden(v, &spec_place,
                                   validate_text(v,
                                                 "spec is immutable after creation except resources.requests and "
                                                 "volumeAttributesClassName for bound claims\n%s",
                                                 validate_difference(v, validate_go_json(v, type, &before),
                                                                     validate_go_json(v, type, &like))));
        check_size(v, claim, old);
        validate_immutable_field(v, FIELD(NULL, "volumeMode"), &kube_persistent_volume_claim_spec_type, "volumeMode",
                                 &claim->spec, &old->spec);
        check_class_change(v, claim, old);
}

void validate_claim(struct validation *v, const void *object, const void *old_object) {
        const struct kube_persistent_volume_claim *claim = object, *old = old_object;

        if (old)
                validate_meta_update(v, &claim->metadata, &old->metadata);
        check_claim(v, claim, old);
        if (old)
                check_claim_change(v, claim, old);
}

/* --- status --- */

/* False when it is wrong. */
static bool check_resource_key(struct validation *v, const struct place *at, const char *name) {
        unsigned before = validate_errors(v);

        validate_name(v, at, NAME_QUALIFIED, name);
        if (validate_errors(v) == before && validate_is_native(name) && strcmp(name, "storage") != 0)
                validate_unsupported(v, at, name, POD_TEXTS("storage"));
        return validate_errors(v) == before;
}

/* False when it is negative. */
static bool check_basic(struct validation *v, const struct place *at, struct quantity amount) {
        int64_t units = quantity_units(amount);

        if (units < 0)
                validate_invalid_int(v, at, units, "must be a valid resource quantity");
        return units >= 0;
}

static void check_resize(struct validation *v, const struct kube_persistent_volume_claim_status *s) {
        static const char *const states[] = { "ControllerResizeInProgress", "ControllerResizeInfeasible",
                                              "NodeResizeInProgress",       "NodeResizeInfeasible",
                                              "NodeResizePending",          NULL };
        static const char *const told[] = { "ControllerResizeInProgress", "ControllerResizeInfeasible",
                                            "NodeResizeInProgress",       "NodeResizeInfeasible",
                                            "NodeResizePending",          NULL };
        const struct place *at = FIELD(&status_place, "allocatedResourceStatuses"),
                           *allocated = FIELD(&status_place, "allocatedResources");

        list_for_each (entry, &s->allocated_resource_statuses) {
                check_resource_key(v, at, entry->key);
                if (!validate_is_one(entry->value, states))
                        validate_unsupported(v, at, entry->key, told);
        }
        list_for_each (r, &s->allocated_resources)
                if (check_resource_key(v, allocated, r->name) && check_basic(v, ENTRY(allocated, r->name), r->amount))
                        validate_amount(v, ENTRY(allocated, r->name), "storage", r->amount);
}

void validate_claim_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_persistent_volume_claim *claim = object, *old = old_object;

        validate_meta_update(v, &claim->metadata, &old->metadata);
        if (claim->spec.access_modes.count == 0)
                validate_required(v, FIELD(FIELD(NULL, "Spec"), "accessModes"), "");
        list_for_each (r, &claim->status.capacity)
                check_basic(v, ENTRY(FIELD(&status_place, "capacity"), r->name), r->amount);
        check_resize(v, &claim->status);
}
