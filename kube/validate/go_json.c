/* Objects as Go's json.Marshal() writes Kubernetes' internal types, which have no names for JSON and leave nothing out:
 * a type's rows with the names of Go's fields, all of them to be written, for the encoder of JSON. Types of
 * apimachinery have their names, and what Go embeds stands among what is beside it. Made when an error is told of, and
 * for that alone. */
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/meta_v1.h"
#include "kube/validate/common.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define APIMACHINERY "io.k8s.apimachinery."

struct renamed {
        const struct kube_type *from;
        struct kube_type type;
        struct renamed *next;
};

struct renaming {
        struct arena *arena;
        struct renamed *all;
        uint16_t security; /* where a pod's struct security is, seen from its spec; 0: it has none */
};

/* Letters at the beginning of a name that are capitals: those of a word that is short for others. */
static size_t capitals(const char *name) {
        static const struct {
                const char *word;
                size_t n;
        } known[] = { { "api", 3 },   { "aws", 3 },  { "ca", 2 },   { "cel", 3 },  { "cidr", 4 },  { "cidrs", 4 },
                      { "csi", 3 },   { "dns", 3 },  { "grpc", 4 }, { "http", 4 }, { "https", 5 }, { "id", 2 },
                      { "ip", 2 },    { "ips", 2 },  { "nfs", 3 },  { "os", 2 },   { "pid", 3 },   { "rbd", 3 },
                      { "fc", 2 },    { "fs", 2 },   { "gce", 3 },  { "gid", 3 },  { "gmsa", 4 },  { "iqn", 3 },
                      { "iscsi", 5 }, { "json", 4 }, { "pd", 2 },   { "pkix", 4 }, { "qos", 3 },   { "se", 2 },
                      { "ssl", 3 },   { "tcp", 3 },  { "tls", 3 },  { "tty", 3 },  { "ttl", 3 },   { "uid", 3 },
                      { "uri", 3 },   { "url", 3 },  { "wwids", 4 } };
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strlen(known[i].word) == n && strncmp(known[i].word, name, n) == 0)
                        return known[i].n;
        return 1;
}

static const char *go_name(struct arena *arena, const struct kube_type *type, const char *name) {
        static const struct {
                const char *json, *go, *of; /* the owner's type has it in its name */
        } others[] = { { "bool", "BoolValue", "DeviceAttribute" },
                       { "bools", "BoolValues", "DeviceAttribute" },
                       { "int", "IntValue", "DeviceAttribute" },
                       { "ints", "IntValues", "DeviceAttribute" },
                       { "string", "StringValue", "DeviceAttribute" },
                       { "strings", "StringValues", "DeviceAttribute" },
                       { "version", "VersionValue", "DeviceAttribute" },
                       { "versions", "VersionValues", "DeviceAttribute" },
                       { "cephfs", "CephFS", NULL },
                       { "chapAuthDiscovery", "DiscoveryCHAPAuth", NULL },
                       { "chapAuthSession", "SessionCHAPAuth", NULL },
                       { "diskURI", "DataDiskURI", NULL },
                       { "endpoints", "EndpointsName", "Glusterfs" },
                       { "image", "RBDImage", "RBD" },
                       { "monitors", "CephMonitors", "RBD" },
                       { "pdID", "PdID", NULL },
                       { "pool", "RBDPool", "RBD" },
                       { "storageos", "StorageOS", NULL },
                       { "user", "RadosUser", "RBD" } };
        size_t n = capitals(name);
        char *copy;

        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (strcmp(others[i].json, name) == 0 && (!others[i].of || strstr(type->name, others[i].of)))
                        return others[i].go;
        copy = arena_strdup(arena, name);
        for (size_t i = 0; copy && i < n; i++)
                if (copy[i] >= 'a' && copy[i] <= 'z')
                        copy[i] = (char)(copy[i] - 'a' + 'A');
        return copy;
}

static bool is_embedded(const struct kube_field *field) {
        return field->type == &kube_object_meta_type && field->form == KUBE_ONE;
}

/* --- types that are laid out otherwise in Go --- */

/* Fields that Go has in another order: all of them, by their names in JSON. What is not named is not there. */
static const struct {
        const struct kube_type *type;
        const char *order;
} orders[] = {
        { &kube_pod_spec_type,
          "volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds "
          "activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName "
          "securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations "
          "hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead "
          "enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride "
          "schedulingGroup" },
        { &kube_volume_type,
          "name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs "
          "persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap "
          "vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral "
          "image" },
        { &kube_persistent_volume_spec_type,
          "capacity gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume cinder "
          "cephfs fc flocker azureFile vsphereVolume azureDisk photonPersistentDisk portworxVolume scaleIO local "
          "storageos csi accessModes claimRef persistentVolumeReclaimPolicy storageClassName mountOptions volumeMode "
          "nodeAffinity volumeAttributesClassName" },
        { &kube_pod_security_context_type,
          "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups "
          "supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile appArmorProfile "
          "seLinuxChangePolicy" },
};

/* A pod's security context has what stands in its spec elsewhere. */
struct security {
        bool host_network, host_pid, host_ipc;
        enum tri share_process_namespace, host_users;
        struct kube_pod_security_context own;
};

static const struct {
        const char *name;
        uint16_t offset;
} host_rows[] = {
        { "hostNetwork", offsetof(struct security, host_network) },
        { "hostPID", offsetof(struct security, host_pid) },
        { "hostIPC", offsetof(struct security, host_ipc) },
        { "shareProcessNamespace", offsetof(struct security, share_process_namespace) },
        { "hostUsers", offsetof(struct security, host_users) },
};

static const char *order_of(const struct kube_type *type) {
        for (size_t i = 0; i < ELEMENTS(orders); i++)
                if (orders[i].type == type)
                        return orders[i].order;
        return NULL;
}

static const struct kube_type *rename_type(struct renaming *r, const struct kube_type *type);

/* A row with its name in Go. */
static struct kube_field rename_row(struct renaming *r, const struct kube_type *owner, const struct kube_field *row) {
        struct kube_field field = *row;
        const char *name = go_name(r->arena, owner, row->name);

        field.name = name ?: row->name;
        field.name_length = (uint8_t)strlen(field.name);
        field.flags |= KUBE_ALWAYS;
        if (row->element == KUBE_OBJECT)
                field.type = rename_type(r, row->type);
        return field;
}

/* The rows of what Go embeds stand among those of its owner. Returns how many were added. */
static uint16_t embed_rows(const struct kube_field *row, struct kube_field *rows) {
        for (uint16_t i = 0; i < kube_object_meta_type.n_fields; i++) {
                rows[i] = kube_object_meta_type.fields[i];
                rows[i].offset = (uint16_t)(rows[i].offset + row->offset);
        }
        return kube_object_meta_type.n_fields;
}

static struct kube_field security_row(struct renaming *r, const struct kube_field *row) {
        const struct kube_type *own = rename_type(r, &kube_pod_security_context_type);
        struct kube_field *rows = arena_alloc_array(r->arena, own->n_fields + ELEMENTS(host_rows), sizeof(*rows)),
                          field = rename_row(r, &kube_pod_spec_type, row);
        struct kube_type *type = arena_new_of(r->arena, struct kube_type);

        if (!rows || !type)
                return field;
        *type = (struct kube_type){ .name = own->name, .fields = rows, .size = sizeof(struct security) };
        for (size_t i = 0; i < ELEMENTS(host_rows); i++, type->n_fields++) {
                const char *name = host_rows[i].name;

                rows[type->n_fields] =
                        rename_row(r, &kube_pod_spec_type, kube_type_field(&kube_pod_spec_type, name, strlen(name)));
                rows[type->n_fields].offset = host_rows[i].offset;
        }
        for (uint16_t i = 0; i < own->n_fields; i++, type->n_fields++) {
                rows[type->n_fields] = own->fields[i];
                rows[type->n_fields].offset = (uint16_t)(own->fields[i].offset + offsetof(struct security, own));
        }
        field.form = KUBE_ONE;
        field.type = type;
        field.offset = r->security;
        return field;
}

static uint16_t rename_in_order(struct renaming *r, const struct kube_type *type, const char *order,
                                struct kube_field *rows) {
        uint16_t n = 0;

        for (const char *name = order; *name; name += strspn(name, " ")) {
                size_t length = strcspn(name, " ");
                const struct kube_field *row = kube_type_field(type, name, length);

                if (row && row->type == &kube_pod_security_context_type && r->security > 0)
                        rows[n++] = security_row(r, row);
                else if (row)
                        rows[n++] = rename_row(r, type, row);
                name += length;
        }
        return n;
}

static uint16_t rename_rows(struct renaming *r, const struct kube_type *type, struct kube_field *rows) {
        bool kind = type->flags & KUBE_KIND;
        const char *order = order_of(type);
        uint16_t n = 0;

        if (order)
                return rename_in_order(r, type, order, rows);
        for (uint16_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *row = &type->fields[i];

                if (is_embedded(row))
                        n = (uint16_t)(n + embed_rows(row, &rows[n]));
                else
                        rows[n++] = kind && i < 2 ? *row : rename_row(r, type, row);
        }
        return n;
}

static const struct kube_type *rename_type(struct renaming *r, const struct kube_type *type) {
        struct renamed *made;
        struct kube_field *rows;

        if (strncmp(type->name, APIMACHINERY, strlen(APIMACHINERY)) == 0)
                return type;
        for (made = r->all; made; made = made->next)
                if (made->from == type)
                        return &made->type;
        made = arena_new_of(r->arena, struct renamed);
        rows = arena_alloc_array(r->arena, (size_t)type->n_fields + kube_object_meta_type.n_fields,
                                 sizeof(struct kube_field));
        if (!made || !rows)
                return type;
        *made = (struct renamed){ type, *type, r->all };
        r->all = made;
        made->type.fields = rows;
        made->type.slots = NULL;
        made->type.n_fields = rename_rows(r, type, rows);
        return &made->type;
}

static const char *write_json(struct validation *v, const struct kube_type *type, const void *object, size_t skip) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        size_t length;

        kube_json_write(&w, type, object);
        if (json_writer_finish(&w, &text, &length) < 0 || length <= skip + 1)
                return "null";
        return arena_strndup(v->arena, text + skip, length - skip - (skip > 0)) ?: "null";
}

const char *validate_go_json(struct validation *v, const struct kube_type *type, const void *object) {
        struct renaming renaming = { .arena = v->arena };

        if (validate_is_full(v) || !object)
                return "null";
        return write_json(v, rename_type(&renaming, type), object, 0);
}

/* The field alone is written, as an object with nothing else; what stands behind the colon is its JSON. */
const char *validate_go_json_field(struct validation *v, const struct kube_type *type, const char *name,
                                   const void *object) {
        const struct kube_field *field = kube_type_field(type, name, strlen(name));
        struct renaming renaming = { .arena = v->arena };
        struct kube_field row;
        struct kube_type alone = { .name = type->name, .fields = &row, .n_fields = 1, .size = type->size };

        if (validate_is_full(v) || !field)
                return "null";
        row = rename_row(&renaming, type, field);
        return write_json(v, &alone, object, strlen("{\"\":") + row.name_length);
}

const char *validate_go_template_json(struct validation *v, const struct kube_pod_template_spec *template,
                                      bool spec_alone) {
        struct {
                struct kube_pod_template_spec template;
                struct security security;
        } pod = { .template = *template };
        const struct kube_pod_spec *spec = &template->spec;
        struct renaming renaming = { .arena = v->arena };

        if (validate_is_full(v))
                return "null";
        pod.security =
                (struct security){ spec->host_network, spec->host_pid, spec->host_ipc, spec->share_process_namespace,
                                   spec->host_users,   { 0 } };
        if (spec->security_context)
                pod.security.own = *spec->security_context;
        renaming.security = (uint16_t)((const char *)&pod.security - (const char *)&pod.template.spec);
        if (spec_alone)
                return write_json(v, rename_type(&renaming, &kube_pod_spec_type), &pod.template.spec, 0);
        return write_json(v, rename_type(&renaming, &kube_pod_template_spec_type), &pod.template, 0);
}
