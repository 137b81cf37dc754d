/* Volumes that nothing here mounts, validated all the same: what kubelet refuses is refused
 * (pkg/apis/core/validation/validation.go, validateVolumeSource()). Their types were checked when they were read.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kube/check.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define PARTITION_MAX 255
#define LUN_MAX 255
#define TENANT_MAX 64

static const char *text(const struct value *volume, const char *name) {
        return value_string_or(value_get(volume, name), "");
}

static void check_range(struct check *c, const struct value *volume, const char *name, int64_t max) {
        const struct value *value = value_get(volume, name);
        char child[64], range[64];

        if (!value || value->kind != VALUE_INT || (value->integer >= 0 && value->integer <= max))
                return;
        snprintf(child, sizeof(child), ".%s", name);
        snprintf(range, sizeof(range), "must be between 0 and %lld, inclusive", (long long)max);
        check_invalid_int(c, child, value->integer, range);
}

static void check_partition(struct check *c, const struct value *v) {
        check_range(c, v, "partition", PARTITION_MAX);
}

static void check_nfs(struct check *c, const struct value *v) {
        if (text(v, "path")[0] != '/')
                check_invalid(c, ".path", text(v, "path"), "must be an absolute path");
}

static void check_git_repo(struct check *c, const struct value *v) {
        check_relative(c, ".directory", text(v, "directory"));
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

static void check_iscsi(struct check *c, const struct value *v) {
        bool chap = value_bool_or(value_get(v, "chapAuthDiscovery"), false) ||
                    value_bool_or(value_get(v, "chapAuthSession"), false);

        if (text(v, "iqn")[0] && !is_initiator(text(v, "iqn")))
                check_invalid(c, ".iqn", text(v, "iqn"), "must be valid format starting with iqn, eui, or naa");
        check_range(c, v, "lun", LUN_MAX);
        if (chap && !value_get(v, "secretRef"))
                check_required(c, ".secretRef", "");
        if (value_get(v, "initiatorName") && !is_initiator(text(v, "initiatorName")))
                check_invalid(c, ".initiatorname", text(v, "initiatorName"),
                              "must be valid format starting with iqn, eui, or naa");
}

static void check_fc(struct check *c, const struct value *v) {
        bool names = value_count(value_get(v, "targetWWNs")) > 0, ids = value_count(value_get(v, "wwids")) > 0;

        if (names == ids)
                check_required(c, ".targetWWNs", "must specify either targetWWNs or wwids, but not both");
        if (names && !value_get(v, "lun"))
                check_required(c, ".lun", "lun is required if targetWWNs is specified");
        else if (names)
                check_range(c, v, "lun", LUN_MAX);
}

/* HOST:PORT, as Go's net.SplitHostPort() takes it apart. */
static bool is_host_port(const char *at, size_t n) {
        const char *end = memchr(at, ']', n), *colon = memchr(at, ':', n);

        if (n > 0 && at[0] == '[')
                return end && end + 1 < at + n && end[1] == ':' && !memchr(end + 2, ':', (size_t)(at + n - end - 2)) &&
                       !memchr(at + 1, '[', n - 1);
        return colon && !memchr(colon + 1, ':', (size_t)(at + n - colon - 1)) && !memchr(at, '[', n) && !end;
}

static void check_quobyte(struct check *c, const struct value *v) {
        static const char wanted[] = "must be a host:port pair or multiple pairs separated by commas";
        const char *registry = text(v, "registry");

        if (registry[0] && strlen(text(v, "tenant")) > TENANT_MAX) {
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

static void check_flocker(struct check *c, const struct value *v) {
        bool name = text(v, "datasetName")[0], uuid = text(v, "datasetUUID")[0];

        if (name == uuid)
                check_required(c, "", "one of datasetName and datasetUUID is required, not both");
        if (strchr(text(v, "datasetName"), '/'))
                check_invalid(c, ".datasetName", text(v, "datasetName"), "must not contain '/'");
}

static bool is_one_of(const char *name, const char *const *names) {
        for (; *names; names++)
                if (strcmp(name, *names) == 0)
                        return true;
        return false;
}

static void check_azure_disk(struct check *c, const struct value *v) {
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
        bool is_managed = strcmp(text(v, "kind"), "Managed") == 0;

        if (!is_one_of(text(v, "cachingMode"), modes))
                check_unsupported(c, ".cachingMode", text(v, "cachingMode"), modes);
        if (!is_one_of(text(v, "kind"), kinds))
                check_unsupported(c, ".kind", text(v, "kind"), kinds);
        if (is_managed && strncmp(text(v, "diskURI"), "/subscriptions/", 15) != 0)
                check_unsupported(c, ".diskURI", text(v, "diskURI"), managed);
        else if (!is_managed && strncmp(text(v, "diskURI"), "https://", 8) != 0)
                check_unsupported(c, ".diskURI", text(v, "diskURI"), blobs);
}

static void check_secret(struct check *c, const struct value *v) {
        const struct value *secret = value_get(v, "secretRef");

        if (secret && !text(secret, "name")[0])
                check_required(c, ".secretRef.name", "");
}

static void check_storage_os(struct check *c, const struct value *v) {
        check_secret(c, v);
        if (text(v, "volumeName")[0])
                check_name(c, ".volumeName", NAME_LABEL, text(v, "volumeName"));
        if (text(v, "volumeNamespace")[0])
                check_name(c, ".volumeNamespace", NAME_LABEL, text(v, "volumeNamespace"));
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

static void check_flex(struct check *c, const struct value *v) {
        const struct value *options = value_get(v, "options");

        for (uint32_t i = 0; i < value_count(options); i++)
                if (is_reserved(options->members[i].key))
                        check_invalid(c, ".options", options->members[i].key,
                                      "kubernetes.io and k8s.io namespaces are reserved");
}

/* Each with what it cannot be without, and what else there is to say of it. */
static const struct {
        const char *name, *required[3];
        void (*check)(struct check *c, const struct value *volume);
} kinds[] = {
        { "awsElasticBlockStore", { "volumeID" }, check_partition },
        { "azureDisk", { "diskName", "diskURI" }, check_azure_disk },
        { "cephfs", { "monitors" }, NULL },
        { "cinder", { "volumeID" }, check_secret },
        { "fc", { NULL }, check_fc },
        { "flexVolume", { "driver" }, check_flex },
        { "flocker", { NULL }, check_flocker },
        { "gcePersistentDisk", { "pdName" }, check_partition },
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

static bool is_given(const struct value *value) {
        return value_count(value) > 0 || (value_string(value) && value_string(value)[0]);
}

void check_other_volume(struct check *c, const struct named_value *volume) {
        size_t before = TRAIL_ENTER(c, ".%s", volume->name);

        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                if (strcmp(kinds[i].name, volume->name) != 0)
                        continue;
                for (size_t k = 0; k < ELEMENTS(kinds[i].required) && kinds[i].required[k]; k++) {
                        char child[64];

                        snprintf(child, sizeof(child), ".%s", kinds[i].required[k]);
                        if (!is_given(value_get(volume->value, kinds[i].required[k])))
                                check_required(c, child, "");
                }
                if (kinds[i].check)
                        kinds[i].check(c, volume->value);
        }
        TRAIL_LEAVE(c, before);
}
