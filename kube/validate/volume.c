/* A pod's volumes: the sources that nodes know by themselves. */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/other_volume.h"
#include "kube/validate/pod_rules.h"

#define MODE_TEXT "must be a number between 0 and 0777 (octal), both inclusive"

void validate_mode(struct validation *v, const struct place *at, const struct opt_int *mode) {
        if (mode->set && (mode->value < 0 || mode->value > 0777))
                validate_invalid_int(v, at, mode->value, MODE_TEXT);
}

/* Names that begin with ".." are the atomic writer's own. */
void validate_file_path(struct validation *v, const struct place *at, const char *path) {
        validate_relative(v, at, path);
        if (path && strncmp(path, "..", 2) == 0 && path[2] != '/')
                validate_invalid(v, at, path, "must not start with '..'");
}

static void require(struct validation *v, const struct place *at, const char *field, const char *text) {
        if (!text || !*text)
                validate_required(v, FIELD(at, field), "");
}

void validate_key_path(struct validation *v, const struct place *at, const struct kube_key_to_path *item) {
        require(v, at, "key", item->key);
        require(v, at, "path", item->path);
        validate_file_path(v, FIELD(at, "path"), item->path);
        validate_mode(v, FIELD(at, "mode"), &item->mode);
}

void validate_downward_file(struct validation *v, const struct place *at,
                            const struct kube_downward_api_volume_file *file) {
        require(v, at, "path", file->path);
        validate_file_path(v, FIELD(at, "path"), file->path);
        if (file->field_ref) {
                validate_field_ref(v, FIELD(at, "fieldRef"), file->field_ref, true);
                if (file->resource_field_ref)
                        validate_invalid(v, at, "resource",
                                         "fieldRef and resourceFieldRef can not be specified simultaneously");
        } else if (file->resource_field_ref) {
                validate_resource_ref(v, FIELD(at, "resourceFieldRef"), file->resource_field_ref, true);
        } else {
                validate_required(v, at, "one of fieldRef and resourceFieldRef is required");
        }
        validate_mode(v, FIELD(at, "mode"), &file->mode);
}

/* --- sources --- */

struct source_rule {
        struct validation *v;
        const struct place *at;
        const struct kube_volume *volume;
        const struct pod_case *c;
};

static void check_empty_dir(const struct source_rule *r) {
        const struct kube_empty_dir_volume_source *s = r->volume->empty_dir;

        if (s->size_limit.set && quantity_sign(s->size_limit.amount) < 0)
                validate_forbidden(r->v, FIELD(r->at, "sizeLimit"),
                                   "SizeLimit field must be a valid resource quantity");
}

static void check_host_path(const struct source_rule *r) {
        validate_host_path(r->v, r->at, r->volume->host_path);
}

static void check_keys(const struct source_rule *r, const kube_key_to_path_items *items) {
        for (uint32_t i = 0; i < items->count; i++)
                validate_key_path(r->v, ITEM(FIELD(r->at, "items"), i), &items->items[i]);
}

static void check_secret(const struct source_rule *r) {
        const struct kube_secret_volume_source *s = r->volume->secret;

        require(r->v, r->at, "secretName", s->secret_name);
        validate_mode(r->v, FIELD(r->at, "defaultMode"), &s->default_mode);
        check_keys(r, &s->items);
}

static void check_config_map(const struct source_rule *r) {
        const struct kube_config_map_volume_source *s = r->volume->config_map;

        require(r->v, r->at, "name", s->name);
        validate_mode(r->v, FIELD(r->at, "defaultMode"), &s->default_mode);
        check_keys(r, &s->items);
}

static void check_claim(const struct source_rule *r) {
        require(r->v, r->at, "claimName", r->volume->persistent_volume_claim->claim_name);
}

static void check_downward(const struct source_rule *r) {
        const struct kube_downward_api_volume_source *s = r->volume->downward_api;

        validate_mode(r->v, FIELD(r->at, "defaultMode"), &s->default_mode);
        list_for_each (file, &s->items)
                validate_downward_file(r->v, r->at, file);
}

static void check_projected(const struct source_rule *r) {
        validate_projected(r->v, r->at, r->volume->projected, r->c);
}

static void check_csi(const struct source_rule *r) {
        const struct kube_csi_volume_source *s = r->volume->csi;

        validate_driver_name(r->v, FIELD(r->at, "driver"), s->driver);
        if (!s->node_publish_secret_ref)
                return;
        require(r->v, FIELD(r->at, "nodePublishSecretRef"), "name", s->node_publish_secret_ref->name);
        if (s->node_publish_secret_ref->name && *s->node_publish_secret_ref->name)
                validate_name(r->v, FIELD(r->at, "name"), NAME_SUBDOMAIN, s->node_publish_secret_ref->name);
}

static void check_ephemeral(const struct source_rule *r) {
        const struct kube_ephemeral_volume_source *s = r->volume->ephemeral;
        const char *pod = r->c->meta ? r->c->meta->name : NULL, *name = r->volume->name, *claim;
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n;

        if (!s->volume_claim_template)
                validate_required(r->v, FIELD(r->at, "volumeClaimTemplate"), "");
        else
                validate_claim_template(r->v, FIELD(r->at, "volumeClaimTemplate"), s->volume_claim_template);
        if (!pod || !*pod || !name || !*name)
                return;
        claim = validate_key(r->v, "%s-%s", pod, name);
        n = name_problems(NAME_SUBDOMAIN, claim, problems);
        for (unsigned i = 0; i < n; i++)
                validate_invalid(r->v, FIELD(r->at->up, "name"), name,
                                 validate_text(r->v, "PVC name %s: %s", validate_quoted(r->v, claim), problems[i]));
}

static void check_image(const struct source_rule *r) {
        const struct kube_image_volume_source *s = r->volume->image;

        if (r->c->is_pod)
                require(r->v, r->at, "reference", s->reference);
        validate_pull_policy(r->v, FIELD(r->at, "pullPolicy"), s->pull_policy);
}

static void check_other(const struct source_rule *r) {
        validate_other_source(r->v, r->at, r->volume, r->at->name);
}

/* In the order in which kube-apiserver looks at them; some are called otherwise in its errors. */
static const struct {
        const char *name;
        void (*check)(const struct source_rule *r);
        const char *as, *as_second; /* NULL: @name */
} sources[] = {
        { "emptyDir", check_empty_dir, NULL, NULL },
        { "hostPath", check_host_path, NULL, NULL },
        { "gitRepo", check_other, NULL, NULL },
        { "gcePersistentDisk", check_other, "persistentDisk", NULL },
        { "awsElasticBlockStore", check_other, NULL, NULL },
        { "secret", check_secret, NULL, NULL },
        { "nfs", check_other, NULL, NULL },
        { "iscsi", check_other, NULL, NULL },
        { "glusterfs", check_other, NULL, NULL },
        { "flocker", check_other, NULL, NULL },
        { "persistentVolumeClaim", check_claim, NULL, NULL },
        { "rbd", check_other, NULL, NULL },
        { "cinder", check_other, NULL, NULL },
        { "cephfs", check_other, NULL, "cephFS" },
        { "quobyte", check_other, NULL, NULL },
        { "downwardAPI", check_downward, NULL, "downwarAPI" },
        { "fc", check_other, NULL, NULL },
        { "flexVolume", check_other, NULL, NULL },
        { "configMap", check_config_map, NULL, NULL },
        { "azureFile", check_other, NULL, NULL },
        { "vsphereVolume", check_other, NULL, NULL },
        { "photonPersistentDisk", check_other, NULL, NULL },
        { "portworxVolume", check_other, NULL, NULL },
        { "azureDisk", check_other, NULL, NULL },
        { "storageos", check_other, NULL, NULL },
        { "projected", check_projected, NULL, NULL },
        { "scaleIO", check_other, NULL, NULL },
        { "csi", check_csi, NULL, NULL },
        { "ephemeral", check_ephemeral, NULL, NULL },
        { "image", check_image, NULL, NULL },
};

static const struct kube_field *field_of(size_t i) {
        return kube_type_field(&kube_volume_type, sources[i].name, strlen(sources[i].name));
}

/* Total length of volume name and portal, where an initiator is named. */
static void check_iscsi_name(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        const struct kube_iscsi_volume_source *s = volume->iscsi;

        if (s && s->initiator_name && strlen(volume->name ?: "") + 1 + strlen(s->target_portal ?: "") > 64)
                validate_invalid(v, FIELD(at, "name"), volume->name,
                                 "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
                                 "iscsi.initiatorName is specified.");
}

/* One source only: the second and all further ones are named. */
static void check_sources(struct validation *v, const struct place *at, const struct kube_volume *volume,
                          const struct pod_case *c) {
        unsigned n = 0;

        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
                const char *name = sources[i].as ?: sources[i].name;

                if (!kube_below(field_of(i), volume))
                        continue;
                if (n++ > 0)
                        validate_forbidden(v, FIELD(at, sources[i].as_second ?: sources[i].name),
                                           "may not specify more than 1 volume type");
                else
                        sources[i].check(&(struct source_rule){ v, FIELD(at, name), volume, c });
                if (strcmp(sources[i].name, "iscsi") == 0)
                        check_iscsi_name(v, at, volume);
        }
        if (n == 0)
                validate_required(v, at, "must specify a volume type");
}

/* --- all of them --- */

static void check_volume(struct validation *v, const struct place *at, const struct kube_volume *volume,
                         struct pod_case *c) {
        unsigned before = validate_errors(v);

        check_sources(v, at, volume, c);
        validate_name_required(v, FIELD(at, "name"), NAME_LABEL, volume->name);
        if (validate_set_has(&c->volumes, volume->name))
                validate_duplicate(v, FIELD(at, "name"), volume->name);
        if (validate_errors(v) > before || !c->known)
                return;
        c->known[c->volumes.n] = volume;
        validate_set_add(v, &c->volumes, volume->name);
}

static void check_made_claim(struct validation *v, const struct place *at, const struct kube_volume *volume,
                             const struct validate_set *made) {
        const char *name = volume->persistent_volume_claim ? volume->persistent_volume_claim->claim_name : NULL;

        if (volume->persistent_volume_claim && validate_set_has(made, name))
                validate_invalid(v, FIELD(FIELD(at, "persistentVolumeClaim"), "claimName"), name,
                                 "must not reference a PVC that gets created for an ephemeral volume");
}

void validate_volumes(struct validation *v, const struct place *at, struct pod_case *c) {
        const char *pod = c->meta && c->meta->name && *c->meta->name ? c->meta->name : NULL;
        _cleanup_validate_set_ struct validate_set made = { 0 };
        const kube_volume_items *list = &c->spec->volumes;

        if (list->count == 0)
                return;
        c->known = validate_alloc(v, list->count, sizeof(*c->known));
        for (uint32_t i = 0; i < list->count && pod; i++)
                if (list->items[i].ephemeral)
                        validate_set_add(v, &made, validate_key(v, "%s-%s", pod, list->items[i].name ?: ""));
        for (uint32_t i = 0; i < list->count; i++) {
                check_volume(v, ITEM(at, i), &list->items[i], c);
                check_made_claim(v, ITEM(at, i), &list->items[i], &made);
        }
}

const struct kube_volume *validate_known_volume(const struct pod_case *c, const char *name) {
        int64_t index = validate_set_find(&c->volumes, name);

        return index < 0 ? NULL : c->known[index];
}
