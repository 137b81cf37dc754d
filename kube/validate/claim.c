/* PersistentVolumeClaims, and templates of them. */
#include <string.h>

#include "kube/problem.h"
#include "kube/type.h"
#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"
#include "lib/arena.h"

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
        const struct kube_object_meta *m = &template->metadata;
        const struct place *meta = FIELD(at, "metadata");
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

        validate_annotations(v, FIELD(meta, "annotations"), &m->annotations);
        validate_labels(v, FIELD(meta, "labels"), &m->labels);
        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
                if (others[i].given)
                        validate_forbidden(v, FIELD(meta, others[i].name), "cannot be set");
        validate_claim_spec(v, FIELD(at, "spec"), &template->spec, NULL);
}
