/* Volumes of storage systems, of which only what must be there is asked. Rows for the plain ones; persistent volumes
 * have most of them as well (persistent_volume.c). */
#include <ctype.h>
#include <string.h>

#include "kube/type.h"
#include "kube/validate/other_volume.h"
#include "kube/validate/pod_rules.h"

static void require(struct validation *v, const struct place *at, const char *field, const char *text) {
        if (!text || !*text)
                validate_required(v, FIELD(at, field), "");
}

void validate_driver_name(struct validation *v, const struct place *at, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX];
        char *lower;
        unsigned n;

        if (!name || !*name) {
                validate_required(v, at, "");
                return;
        }
        if (strlen(name) > 63)
                validate_too_long(v, at, 63);
        lower = validate_copy(v, name, strlen(name));
        for (char *c = lower; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        n = name_problems(NAME_SUBDOMAIN, lower ?: "", problems);
        for (unsigned i = 0; i < n; i++)
                validate_invalid(v, at, name, problems[i]);
}

/* --- iSCSI names --- */

static bool is_alnum_run(const char *text, size_t n) {
        return strlen(text) == n && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

/* iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$, anywhere in the text. */
static bool is_iqn(const char *text) {
        const char *colon;
        size_t n;

        if (strncmp(text, "iqn.", 4) != 0)
                return false;
        text += 4;
        if (strspn(text, "0123456789") != 4 || text[4] != '-' || strspn(text + 5, "0123456789") < 2 || text[7] != '.')
                return false;
        text += 8;
        n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
        colon = text + n;
        return n > 0 && *colon == ':' && colon[1] && colon[1 + strcspn(colon + 1, ",;*&$| \t\r\n\f\v")] == '\0';
}

static bool is_initiator(const char *name) {
        if (strncmp(name, "iqn", 3) == 0)
                return is_iqn(name);
        return name[3] != '\0' && is_alnum_run(name + 4, strncmp(name, "eui", 3) == 0 ? 16 : 32);
}

static bool has_format(const char *name) {
        return strncmp(name, "iqn", 3) == 0 || strncmp(name, "eui", 3) == 0 || strncmp(name, "naa", 3) == 0;
}

static void check_initiator(struct validation *v, const struct place *at, const char *name, bool persistent) {
        if (!has_format(name))
                validate_invalid(v, at, name,
                                 persistent ? "must be valid format" :
                                              "must be valid format starting with iqn, eui, or naa");
        else if (!is_initiator(name))
                validate_invalid(v, at, name, "must be valid format");
}

void validate_iscsi(struct validation *v, const struct place *at, const struct validate_iscsi *s) {
        require(v, at, "targetPortal", s->portal);
        if (s->pv_name && s->initiator && strlen(s->pv_name) + 1 + strlen(s->portal ?: "") > 64)
                validate_invalid(v, FIELD(at, "targetportal"), s->portal,
                                 "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
                                 "iscsi.initiatorName is specified.");
        if (!s->iqn || !*s->iqn)
                validate_required(v, FIELD(at, "iqn"), "");
        else
                check_initiator(v, FIELD(at, "iqn"), s->iqn, s->pv_name);
        validate_range(v, FIELD(at, "lun"), s->lun, 0, 255);
        if (s->chap && !s->has_secret)
                validate_required(v, FIELD(at, "secretRef"), "");
        if (s->pv_name && s->has_secret)
                require(v, FIELD(at, "secretRef"), "name", s->secret_name);
        if (s->initiator)
                check_initiator(v, FIELD(at, "initiatorname"), s->initiator, s->pv_name);
}

static void check_iscsi(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        const struct kube_iscsi_volume_source *s = volume->iscsi;

        validate_iscsi(v, at,
                       &(struct validate_iscsi){ .portal = s->target_portal,
                                                 .iqn = s->iqn,
                                                 .initiator = s->initiator_name,
                                                 .lun = s->lun,
                                                 .chap = s->chap_auth_discovery || s->chap_auth_session,
                                                 .has_secret = s->secret_ref });
}

/* --- sources that pods and persistent volumes have alike --- */

void validate_host_path(struct validation *v, const struct place *at, const struct kube_host_path_volume_source *s) {
        if (!s->path || !*s->path) {
                validate_required(v, FIELD(at, "path"), "");
                return;
        }
        validate_no_backsteps(v, FIELD(at, "path"), s->path);
        if (s->type)
                validate_choice(v, FIELD(at, "type"), s->type,
                                POD_TEXTS("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                                          "FileOrCreate", "Socket"));
}

void validate_fc(struct validation *v, const struct place *at, const struct kube_fc_volume_source *s) {
        if (s->target_wwns.count == 0 && s->wwids.count == 0)
                validate_required(v, FIELD(at, "targetWWNs"), "must specify either targetWWNs or wwids, but not both");
        if (s->target_wwns.count > 0 && s->wwids.count > 0)
                validate_invalid_json(v, FIELD(at, "targetWWNs"), validate_json_strings(v, &s->target_wwns),
                                      "targetWWNs and wwids can not be specified simultaneously");
        if (s->target_wwns.count == 0)
                return;
        if (!s->lun.set)
                validate_required(v, FIELD(at, "lun"), "lun is required if targetWWNs is specified");
        else
                validate_range(v, FIELD(at, "lun"), s->lun.value, 0, 255);
}

void validate_partitioned(struct validation *v, const struct place *at, const char *field, const char *id,
                          int32_t partition) {
        require(v, at, field, id);
        if (partition < 0 || partition > 255)
                validate_invalid_int(v, FIELD(at, "partition"), partition, "must be between 1 and 255, inclusive");
}

void validate_nfs(struct validation *v, const struct place *at, const struct kube_nfs_volume_source *s) {
        require(v, at, "server", s->server);
        require(v, at, "path", s->path);
        if (!s->path || *s->path != '/')
                validate_invalid(v, FIELD(at, "path"), s->path, "must be an absolute path");
}

void validate_flocker(struct validation *v, const struct place *at, const struct kube_flocker_volume_source *s) {
        bool name = s->dataset_name && *s->dataset_name, uuid = s->dataset_uuid && *s->dataset_uuid;

        if (!name && !uuid)
                validate_required(v, at, "one of datasetName and datasetUUID is required");
        if (name && uuid)
                validate_invalid(v, at, "resource", "datasetName and datasetUUID can not be specified simultaneously");
        if (name && strchr(s->dataset_name, '/'))
                validate_invalid(v, FIELD(at, "datasetName"), s->dataset_name, "must not contain '/'");
}

/* net.SplitHostPort(): one colon, or the host in brackets. */
static bool is_host_port(const char *text, size_t n) {
        const char *colon = memrchr(text, ':', n), *end = text + n, *close;

        if (!colon)
                return false;
        if (*text == '[') {
                close = memchr(text, ']', n);
                if (!close || close + 1 != colon || memchr(text + 1, '[', n - 1))
                        return false;
                return !memchr(colon, ']', (size_t)(end - colon)) && !memchr(close + 1, ']', (size_t)(end - close - 1));
        }
        return memchr(text, ':', n) == colon && !memchr(text, '[', n) && !memchr(text, ']', n);
}

#define PAIRS "must be a host:port pair or multiple pairs separated by commas"

void validate_quobyte(struct validation *v, const struct place *at, const struct kube_quobyte_volume_source *s) {
        const char *p = s->registry;

        if (!p || !*p) {
                validate_required(v, FIELD(at, "registry"), PAIRS);
        } else if (strlen(s->tenant ?: "") >= 65) {
                validate_required(v, FIELD(at, "tenant"),
                                  "must be a UUID and may not exceed a length of 64 characters");
        } else {
                for (size_t n = strcspn(p, ",");; p += n + 1, n = strcspn(p, ",")) {
                        if (!is_host_port(p, n))
                                validate_invalid(v, FIELD(at, "registry"), s->registry, PAIRS);
                        if (p[n] == '\0')
                                break;
                }
        }
        require(v, at, "volume", s->volume);
}

void validate_options(struct validation *v, const struct place *at, const string_map *options) {
        list_for_each (option, options) {
                const char *name = validate_key(v, ".%.*s", (int)strcspn(option->key, "/"), option->key);
                size_t n = strlen(name);

                if ((n >= 14 && strcasecmp(name + n - 14, ".kubernetes.io") == 0) ||
                    (n >= 7 && strcasecmp(name + n - 7, ".k8s.io") == 0))
                        validate_invalid(v, ENTRY(FIELD(at, "options"), option->key), option->key,
                                         "kubernetes.io and k8s.io namespaces are reserved");
        }
}

void validate_azure_disk(struct validation *v, const struct place *at, const struct kube_azure_disk_volume_source *s) {
        bool managed = kube_is(s->kind, "Managed");

        require(v, at, "diskName", s->disk_name);
        require(v, at, "diskURI", s->disk_uri);
        if (s->caching_mode)
                validate_choice(v, FIELD(at, "cachingMode"), s->caching_mode,
                                POD_TEXTS("None", "ReadOnly", "ReadWrite"));
        if (s->kind)
                validate_choice(v, FIELD(at, "kind"), s->kind, POD_TEXTS("Dedicated", "Managed", "Shared"));
        if (managed && strncmp(s->disk_uri ?: "", "/subscriptions/", 15) != 0)
                validate_unsupported_json(
                        v, FIELD(at, "diskURI"), validate_quoted(v, s->disk_uri),
                        POD_TEXTS("/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/"
                                  "disks/{disk-id}"));
        if (s->kind && !managed && strncmp(s->disk_uri ?: "", "https://", 8) != 0)
                validate_unsupported_json(
                        v, FIELD(at, "diskURI"), validate_quoted(v, s->disk_uri),
                        POD_TEXTS("https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"));
}

void validate_storageos(struct validation *v, const struct place *at, const char *volume, const char *namespace) {
        validate_name_required(v, FIELD(at, "volumeName"), NAME_LABEL, volume);
        if (namespace && *namespace)
                validate_name(v, FIELD(at, "volumeNamespace"), NAME_LABEL, namespace);
}

/* --- the pod's --- */

static void check_git(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "repository", volume->git_repo->repository);
        validate_relative(v, FIELD(at, "directory"), volume->git_repo->directory);
}

static void check_gce(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_partitioned(v, at, "pdName", volume->gce_persistent_disk->pd_name,
                             volume->gce_persistent_disk->partition);
}

static void check_aws(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_partitioned(v, at, "volumeID", volume->aws_elastic_block_store->volume_id,
                             volume->aws_elastic_block_store->partition);
}

static void check_nfs(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_nfs(v, at, volume->nfs);
}

static void check_glusterfs(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "endpoints", volume->glusterfs->endpoints);
        require(v, at, "path", volume->glusterfs->path);
}

static void check_flocker(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_flocker(v, at, volume->flocker);
}

static void check_rbd(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        if (volume->rbd->monitors.count == 0)
                validate_required(v, FIELD(at, "monitors"), "");
        require(v, at, "image", volume->rbd->image);
}

static void check_cinder(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "volumeID", volume->cinder->volume_id);
        if (volume->cinder->secret_ref)
                require(v, FIELD(at, "secretRef"), "name", volume->cinder->secret_ref->name);
}

static void check_cephfs(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        if (volume->cephfs->monitors.count == 0)
                validate_required(v, FIELD(at, "monitors"), "");
}

static void check_quobyte(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_quobyte(v, at, volume->quobyte);
}

static void check_fc(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_fc(v, at, volume->fc);
}

static void check_flex(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "driver", volume->flex_volume->driver);
        validate_options(v, at, &volume->flex_volume->options);
}

static void check_azure_file(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "secretName", volume->azure_file->secret_name);
        require(v, at, "shareName", volume->azure_file->share_name);
}

static void check_vsphere(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "volumePath", volume->vsphere_volume->volume_path);
}

static void check_photon(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "pdID", volume->photon_persistent_disk->pd_id);
}

static void check_portworx(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "volumeID", volume->portworx_volume->volume_id);
}

static void check_azure_disk(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_azure_disk(v, at, volume->azure_disk);
}

static void check_storageos(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        validate_storageos(v, at, volume->storageos->volume_name, volume->storageos->volume_namespace);
        if (volume->storageos->secret_ref)
                require(v, FIELD(at, "secretRef"), "name", volume->storageos->secret_ref->name);
}

static void check_scaleio(struct validation *v, const struct place *at, const struct kube_volume *volume) {
        require(v, at, "gateway", volume->scale_io->gateway);
        require(v, at, "system", volume->scale_io->system);
        require(v, at, "volumeName", volume->scale_io->volume_name);
}

static const struct {
        const char *name;
        void (*check)(struct validation *v, const struct place *at, const struct kube_volume *volume);
} sources[] = {
        { "gitRepo", check_git },
        { "persistentDisk", check_gce },
        { "awsElasticBlockStore", check_aws },
        { "nfs", check_nfs },
        { "iscsi", check_iscsi },
        { "glusterfs", check_glusterfs },
        { "flocker", check_flocker },
        { "rbd", check_rbd },
        { "cinder", check_cinder },
        { "cephfs", check_cephfs },
        { "quobyte", check_quobyte },
        { "fc", check_fc },
        { "flexVolume", check_flex },
        { "azureFile", check_azure_file },
        { "vsphereVolume", check_vsphere },
        { "photonPersistentDisk", check_photon },
        { "portworxVolume", check_portworx },
        { "azureDisk", check_azure_disk },
        { "storageos", check_storageos },
        { "scaleIO", check_scaleio },
};

void validate_other_source(struct validation *v, const struct place *at, const struct kube_volume *volume,
                           const char *name) {
        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
                if (strcmp(sources[i].name, name) == 0)
                        sources[i].check(v, at, volume);
}
