/* What a PersistentVolume is made of: one of many kinds of storage. */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/core.h"
#include "kube/validate/other_volume.h"
#include "kube/validate/pod_rules.h"
#include "lib/cleanup.h"

static void require(struct validation *v, const struct place *at, const char *field, const char *text) {
        if (!text || !*text)
                validate_required(v, FIELD(at, field), "");
}

struct source_rule {
        struct validation *v;
        const struct place *at;
        const struct kube_persistent_volume *pv;
        const struct kube_persistent_volume_spec *spec;
};

static void check_host_path(const struct source_rule *r) {
        validate_host_path(r->v, r->at, r->spec->host_path);
}

static void check_gce(const struct source_rule *r) {
        validate_partitioned(r->v, r->at, "pdName", r->spec->gce_persistent_disk->pd_name,
                             r->spec->gce_persistent_disk->partition);
}

static void check_aws(const struct source_rule *r) {
        validate_partitioned(r->v, r->at, "volumeID", r->spec->aws_elastic_block_store->volume_id,
                             r->spec->aws_elastic_block_store->partition);
}

static void check_glusterfs(const struct source_rule *r) {
        const struct kube_glusterfs_persistent_volume_source *s = r->spec->glusterfs;
        const struct place *namespace = FIELD(r->at, "endpointsNamespace");

        require(r->v, r->at, "endpoints", s->endpoints);
        require(r->v, r->at, "path", s->path);
        if (s->endpoints_namespace && !*s->endpoints_namespace)
                validate_invalid(r->v, namespace, "",
                                 "if the endpointnamespace is set, it must be a valid namespace name");
        else if (s->endpoints_namespace)
                validate_name(r->v, namespace, NAME_LABEL, s->endpoints_namespace);
}

static void check_flocker(const struct source_rule *r) {
        validate_flocker(r->v, r->at, r->spec->flocker);
}

static void check_nfs(const struct source_rule *r) {
        validate_nfs(r->v, r->at, r->spec->nfs);
}

static void check_rbd(const struct source_rule *r) {
        if (r->spec->rbd->monitors.count == 0)
                validate_required(r->v, FIELD(r->at, "monitors"), "");
        require(r->v, r->at, "image", r->spec->rbd->image);
}

static void check_quobyte(const struct source_rule *r) {
        validate_quobyte(r->v, r->at, r->spec->quobyte);
}

static void check_cephfs(const struct source_rule *r) {
        if (r->spec->cephfs->monitors.count == 0)
                validate_required(r->v, FIELD(r->at, "monitors"), "");
}

static void check_iscsi(const struct source_rule *r) {
        const struct kube_iscsi_persistent_volume_source *s = r->spec->iscsi;

        validate_iscsi(r->v, r->at,
                       &(struct validate_iscsi){ .portal = s->target_portal,
                                                 .iqn = s->iqn,
                                                 .initiator = s->initiator_name,
                                                 .pv_name = r->pv->metadata.name ?: "",
                                                 .lun = s->lun,
                                                 .chap = s->chap_auth_discovery || s->chap_auth_session,
                                                 .has_secret = s->secret_ref,
                                                 .secret_name = s->secret_ref ? s->secret_ref->name : NULL });
}

static void check_cinder(const struct source_rule *r) {
        const struct kube_cinder_persistent_volume_source *s = r->spec->cinder;

        require(r->v, r->at, "volumeID", s->volume_id);
        if (!s->secret_ref)
                return;
        require(r->v, FIELD(r->at, "secretRef"), "name", s->secret_ref->name);
        require(r->v, FIELD(r->at, "secretRef"), "namespace", s->secret_ref->namespace);
}

static void check_fc(const struct source_rule *r) {
        validate_fc(r->v, r->at, r->spec->fc);
}

static void check_flex(const struct source_rule *r) {
        require(r->v, r->at, "driver", r->spec->flex_volume->driver);
        validate_options(r->v, r->at, &r->spec->flex_volume->options);
}

static void check_azure_file(const struct source_rule *r) {
        const struct kube_azure_file_persistent_volume_source *s = r->spec->azure_file;

        require(r->v, r->at, "secretName", s->secret_name);
        require(r->v, r->at, "shareName", s->share_name);
        if (s->secret_namespace)
                require(r->v, r->at, "secretNamespace", s->secret_namespace);
}

static void check_vsphere(const struct source_rule *r) {
        require(r->v, r->at, "volumePath", r->spec->vsphere_volume->volume_path);
}

static void check_photon(const struct source_rule *r) {
        require(r->v, r->at, "pdID", r->spec->photon_persistent_disk->pd_id);
}

static void check_portworx(const struct source_rule *r) {
        require(r->v, r->at, "volumeID", r->spec->portworx_volume->volume_id);
}

static void check_azure_disk(const struct source_rule *r) {
        validate_azure_disk(r->v, r->at, r->spec->azure_disk);
}

static void check_scaleio(const struct source_rule *r) {
        require(r->v, r->at, "gateway", r->spec->scale_io->gateway);
        require(r->v, r->at, "system", r->spec->scale_io->system);
        require(r->v, r->at, "volumeName", r->spec->scale_io->volume_name);
}

static void check_local(const struct source_rule *r) {
        const char *path = r->spec->local->path;

        if (!path || !*path)
                validate_required(r->v, FIELD(r->at, "path"), "");
        else
                validate_no_backsteps(r->v, FIELD(r->at, "path"), path);
        if (!r->spec->node_affinity)
                validate_required(r->v, FIELD(r->at->up, "nodeAffinity"), "Local volume requires node affinity");
}

static void check_storageos(const struct source_rule *r) {
        const struct kube_storage_os_persistent_volume_source *s = r->spec->storageos;

        validate_storageos(r->v, r->at, s->volume_name, s->volume_namespace);
        if (!s->secret_ref)
                return;
        require(r->v, FIELD(r->at, "secretRef"), "name", s->secret_ref->name);
        require(r->v, FIELD(r->at, "secretRef"), "namespace", s->secret_ref->namespace);
}

static void check_csi_secret(const struct source_rule *r, const char *field, const struct kube_secret_reference *ref) {
        if (!ref)
                return;
        validate_name_required(r->v, FIELD(FIELD(r->at, field), "name"), NAME_SUBDOMAIN, ref->name);
        validate_name_required(r->v, FIELD(FIELD(r->at, field), "namespace"), NAME_LABEL, ref->namespace);
}

static void check_csi(const struct source_rule *r) {
        const struct kube_csi_persistent_volume_source *s = r->spec->csi;

        validate_driver_name(r->v, FIELD(r->at, "driver"), s->driver);
        require(r->v, r->at, "volumeHandle", s->volume_handle);
        check_csi_secret(r, "controllerPublishSecretRef", s->controller_publish_secret_ref);
        check_csi_secret(r, "controllerExpandSecretRef", s->controller_expand_secret_ref);
        check_csi_secret(r, "nodePublishSecretRef", s->node_publish_secret_ref);
        check_csi_secret(r, "nodeExpandSecretRef", s->node_expand_secret_ref);
}

/* In the order in which kube-apiserver looks at them; some are called otherwise in its errors. */
static const struct {
        const char *name;
        void (*check)(const struct source_rule *r);
        const char *as, *as_second; /* NULL: @name */
        bool mounts;                /* with options */
} sources[] = {
        { "hostPath", check_host_path, NULL, NULL, false },
        { "gcePersistentDisk", check_gce, "persistentDisk", NULL, true },
        { "awsElasticBlockStore", check_aws, NULL, NULL, true },
        { "glusterfs", check_glusterfs, NULL, NULL, true },
        { "flocker", check_flocker, NULL, NULL, false },
        { "nfs", check_nfs, NULL, NULL, true },
        { "rbd", check_rbd, NULL, NULL, true },
        { "quobyte", check_quobyte, NULL, NULL, true },
        { "cephfs", check_cephfs, NULL, "cephFS", true },
        { "iscsi", check_iscsi, NULL, NULL, true },
        { "cinder", check_cinder, NULL, NULL, true },
        { "fc", check_fc, NULL, NULL, false },
        { "flexVolume", check_flex, NULL, NULL, false },
        { "azureFile", check_azure_file, NULL, NULL, true },
        { "vsphereVolume", check_vsphere, NULL, NULL, true },
        { "photonPersistentDisk", check_photon, NULL, NULL, true },
        { "portworxVolume", check_portworx, NULL, NULL, false },
        { "azureDisk", check_azure_disk, NULL, NULL, true },
        { "scaleIO", check_scaleio, NULL, NULL, false },
        { "local", check_local, NULL, NULL, false },
        { "storageos", check_storageos, NULL, NULL, false },
        { "csi", check_csi, NULL, NULL, false },
};

#define N_SOURCES (sizeof(sources) / sizeof(*sources))

static bool has_source(const struct kube_persistent_volume_spec *spec, size_t i) {
        const char *name = sources[i].name;

        return kube_below(kube_type_field(&kube_persistent_volume_spec_type, name, strlen(name)), spec);
}

/* One source only; a flexVolume is never the second. */
void validate_volume_sources(struct validation *v, const struct place *at, const struct kube_persistent_volume *pv) {
        unsigned n = 0;

        for (size_t i = 0; i < N_SOURCES; i++) {
                const char *name = sources[i].as ?: sources[i].name;

                if (!has_source(&pv->spec, i))
                        continue;
                if (n++ > 0 && sources[i].check != check_flex)
                        validate_forbidden(v, FIELD(at, sources[i].as_second ?: sources[i].name),
                                           "may not specify more than 1 volume type");
                else
                        sources[i].check(&(struct source_rule){ v, FIELD(at, name), pv, &pv->spec });
        }
        if (n == 0)
                validate_required(v, at, "must specify a volume type");
}

bool validate_volume_takes_options(const struct kube_persistent_volume *pv) {
        for (size_t i = 0; i < N_SOURCES; i++)
                if (sources[i].mounts && has_source(&pv->spec, i))
                        return true;
        return false;
}
