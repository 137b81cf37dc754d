/* Volumes that nothing here mounts, validated all the same: what kubelet refuses is refused
 * (pkg/apis/core/validation/validation.go, validateVolumeSource()).
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kube/check/check.h"
#include "kube/type.h"
#include "lib/cleanup.h"

#define PARTITION_MAX 255
#define LUN_MAX 255
#define TENANT_MAX 64

static void check_range(struct check *c, const char *child, int64_t value, int64_t max) {
        char range[64];

        if (value >= 0 && value <= max)
                return;
        snprintf(range, sizeof(range), "must be between 0 and %lld, inclusive", (long long)max);
        check_invalid_int(c, child, value, range);
}

static void check_aws(struct check *c, const struct kube_volume *v) {
        check_range(c, ".partition", v->aws_elastic_block_store->partition, PARTITION_MAX);
}

static void check_gce(struct check *c, const struct kube_volume *v) {
        check_range(c, ".partition", v->gce_persistent_disk->partition, PARTITION_MAX);
}

static void check_nfs(struct check *c, const struct kube_volume *v) {
        const char *path = v->nfs->path ?: "";

        if (path[0] != '/')
                check_invalid(c, ".path", path, "must be an absolute path");
}

static void check_git_repo(struct check *c, const struct kube_volume *v) {
        check_relative(c, ".directory", v->git_repo->directory ?: "");
}

static bool is_digits(const char **p, size_t n) {
        for (; n > 0; n--, (*p)++)
                if (!isdigit((unsigned char)**p))
                        return false;
        return true;
}

/* iqn.YYYY-MM.DOMAIN:NAME, with letters, digits, "-" and "." in the domain. */
static bool is_iqn(const char *name) {
        const char *p = name + 3, *domain;

        if (*p++ != '.' || !is_digits(&p, 4) || *p++ != '-' || !is_digits(&p, 2) || *p++ != '.')
                return false;
        for (domain = p; isalnum((unsigned char)*p) || *p == '-' || *p == '.'; p++)
                ;
        return p > domain && *p == ':' && p[1] && !p[1 + strcspn(p + 1, ",;*&$| \t\n\r\f\v")];
}

static bool is_initiator(const char *name) {
        size_t n = strlen(name);

        if (strncmp(name, "iqn", 3) == 0)
                return is_iqn(name);
        if (!(strncmp(name, "eui", 3) == 0 && n == 4 + 16) && !(strncmp(name, "naa", 3) == 0 && n == 4 + 32))
                return false;
        for (const char *p = name + 4; *p; p++)
                if (!isalnum((unsigned char)*p))
                        return false;
        return true;
}

static void check_iscsi(struct check *c, const struct kube_volume *v) {
        const struct kube_iscsi_volume_source *iscsi = v->iscsi;
        bool chap = iscsi->chap_auth_discovery || iscsi->chap_auth_session;

        if (iscsi->iqn && !is_initiator(iscsi->iqn))
                check_invalid(c, ".iqn", iscsi->iqn, "must be valid format starting with iqn, eui, or naa");
        check_range(c, ".lun", iscsi->lun, LUN_MAX);
        if (chap && !iscsi->secret_ref)
                check_required(c, ".secretRef", "");
        if (iscsi->initiator_name && !is_initiator(iscsi->initiator_name))
                check_invalid(c, ".initiatorname", iscsi->initiator_name,
                              "must be valid format starting with iqn, eui, or naa");
}

static void check_fc(struct check *c, const struct kube_volume *v) {
        bool names = v->fc->target_wwns.count > 0, ids = v->fc->wwids.count > 0;

        if (names == ids)
                check_required(c, ".targetWWNs", "must specify either targetWWNs or wwids, but not both");
        if (names && !v->fc->lun.set)
                check_required(c, ".lun", "lun is required if targetWWNs is specified");
        else if (names)
                check_range(c, ".lun", v->fc->lun.value, LUN_MAX);
}

/* HOST:PORT, as Go's net.SplitHostPort() takes it apart. */
static bool is_host_port(const char *at, size_t n) {
        const char *end = memchr(at, ']', n), *colon = memchr(at, ':', n);

        if (n > 0 && at[0] == '[')
                return end && end + 1 < at + n && end[1] == ':' && !memchr(end + 2, ':', (size_t)(at + n - end - 2)) &&
                       !memchr(at + 1, '[', n - 1);
        return colon && !memchr(colon + 1, ':', (size_t)(at + n - colon - 1)) && !memchr(at, '[', n) && !end;
}

static void check_quobyte(struct check *c, const struct kube_volume *v) {
        static const char wanted[] = "must be a host:port pair or multiple pairs separated by commas";
        const char *registry = v->quobyte->registry ?: "";

        if (registry[0] && strlen(v->quobyte->tenant ?: "") > TENANT_MAX) {
                check_required(c, ".tenant", "must be a UUID and may not exceed a length of 64 characters");
                return;
        }
        for (const char *p = registry; registry[0]; p += strcspn(p, ",") + 1) {
                if (!is_host_port(p, strcspn(p, ",")))
                        check_invalid(c, ".registry", registry, wanted);
                if (!p[strcspn(p, ",")])
                        break;
        }
}

static void check_flocker(struct check *c, const struct kube_volume *v) {
        const char *name = v->flocker->dataset_name ?: "";

        if (!name[0] == !v->flocker->dataset_uuid)
                check_required(c, "", "one of datasetName and datasetUUID is required, not both");
        if (strchr(name, '/'))
                check_invalid(c, ".datasetName", name, "must not contain '/'");
}

static void check_azure_disk(struct check *c, const struct kube_volume *v) {
        static const char *const modes[] = { "None", "ReadOnly", "ReadWrite", NULL };
        static const char *const kinds[] = { "Dedicated", "Managed", "Shared", NULL };
        static const char *const managed[] = {
                "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/"
                "disks/{disk-id}",
                NULL
        };
        static const char *const blobs[] = {
                "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd", NULL
        };
        const struct kube_azure_disk_volume_source *disk = v->azure_disk;
        bool is_managed = kube_is(disk->kind, "Managed");
        const char *uri = disk->disk_uri ?: "";

        check_choice(c, ".cachingMode", disk->caching_mode ?: "", modes);
        check_choice(c, ".kind", disk->kind ?: "", kinds);
        if (is_managed && strncmp(uri, "/subscriptions/", 15) != 0)
                check_unsupported(c, ".diskURI", uri, managed);
        else if (!is_managed && strncmp(uri, "https://", 8) != 0)
                check_unsupported(c, ".diskURI", uri, blobs);
}

static void check_secret(struct check *c, const struct kube_local_object_reference *secret) {
        if (secret && !secret->name)
                check_required(c, ".secretRef.name", "");
}

static void check_cinder(struct check *c, const struct kube_volume *v) {
        check_secret(c, v->cinder->secret_ref);
}

static void check_storage_os(struct check *c, const struct kube_volume *v) {
        check_secret(c, v->storageos->secret_ref);
        check_name_if(c, ".volumeName", NAME_LABEL, v->storageos->volume_name);
        check_name_if(c, ".volumeNamespace", NAME_LABEL, v->storageos->volume_namespace);
}

/* ".kubernetes.io" and ".k8s.io" are not for options. */
static bool is_reserved(const char *key) {
        static const char *const domains[] = { "kubernetes.io", "k8s.io" };
        size_t n = strcspn(key, "/");

        for (size_t i = 0; i < ELEMENTS(domains); i++) {
                size_t length = strlen(domains[i]);

                if (n >= length && strncasecmp(key + n - length, domains[i], length) == 0 &&
                    (n == length || key[n - length - 1] == '.'))
                        return true;
        }
        return false;
}

static void check_flex(struct check *c, const struct kube_volume *v) {
        list_for_each (option, &v->flex_volume->options)
                if (is_reserved(option->key))
                        check_invalid(c, ".options", option->key, "kubernetes.io and k8s.io namespaces are reserved");
}

/* Each with what it cannot be without, and what else there is to say of it. */
static const struct {
        const char *name, *required[3];
        void (*check)(struct check *c, const struct kube_volume *volume);
} kinds[] = {
        { "awsElasticBlockStore", { "volumeID" }, check_aws },
        { "azureDisk", { "diskName", "diskURI" }, check_azure_disk },
        { "cephfs", { "monitors" }, NULL },
        { "cinder", { "volumeID" }, check_cinder },
        { "fc", { NULL }, check_fc },
        { "flexVolume", { "driver" }, check_flex },
        { "flocker", { NULL }, check_flocker },
        { "gcePersistentDisk", { "pdName" }, check_gce },
        { "gitRepo", { "repository" }, check_git_repo },
        { "iscsi", { "targetPortal", "iqn" }, check_iscsi },
        { "nfs", { "server", "path" }, check_nfs },
        { "photonPersistentDisk", { "pdID" }, NULL },
        { "portworxVolume", { "volumeID" }, NULL },
        { "quobyte", { "registry", "volume" }, check_quobyte },
        { "rbd", { "monitors", "image" }, NULL },
        { "scaleIO", { "gateway", "system", "volumeName" }, NULL },
        { "storageos", { "volumeName" }, check_storage_os },
        { "vsphereVolume", { "volumePath" }, NULL },
};

/* Strings and lists of strings are what is required. */
static bool is_given(const struct kube_type *type, const void *source, const char *name) {
        const struct kube_field *field = kube_type_field(type, name, strlen(name));
        struct list list;

        if (field->form != KUBE_LIST)
                return kube_below(field, source);
        memcpy(&list, (const char *)source + field->offset, sizeof(list));
        return list.count > 0;
}

void check_other_volume(struct check *c, const struct kube_volume *volume, const struct kube_field *kind) {
        const void *source = kube_below(kind, volume);

        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                if (strcmp(kinds[i].name, kind->name) != 0)
                        continue;
                for (size_t k = 0; k < ELEMENTS(kinds[i].required) && kinds[i].required[k]; k++) {
                        char child[64];

                        snprintf(child, sizeof(child), ".%s", kinds[i].required[k]);
                        if (!is_given(kind->type, source, kinds[i].required[k]))
                                check_required(c, child, "");
                }
                if (kinds[i].check)
                        kinds[i].check(c, volume);
        }
}
