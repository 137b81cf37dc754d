/* What pods and volumes name, found by its place. */
#include <stdio.h>

#include "api/rbac/graph.h"
#include "lib/value.h"

struct place {
        enum rbac_vertex vertex;
        const char *path;
};

static const struct place in_volumes[] = {
        { RBAC_SECRET, "secret.secretName" },
        { RBAC_SECRET, "azureFile.secretName" },
        { RBAC_SECRET, "cephfs.secretRef.name" },
        { RBAC_SECRET, "cinder.secretRef.name" },
        { RBAC_SECRET, "csi.nodePublishSecretRef.name" },
        { RBAC_SECRET, "flexVolume.secretRef.name" },
        { RBAC_SECRET, "iscsi.secretRef.name" },
        { RBAC_SECRET, "rbd.secretRef.name" },
        { RBAC_SECRET, "scaleIO.secretRef.name" },
        { RBAC_SECRET, "storageos.secretRef.name" },
        { RBAC_CONFIG_MAP, "configMap.name" },
        { RBAC_CLAIM, "persistentVolumeClaim.claimName" },
};
static const struct place in_projections[] = {
        { RBAC_SECRET, "secret.name" },
        { RBAC_CONFIG_MAP, "configMap.name" },
};
static const struct place in_env[] = {
        { RBAC_SECRET, "valueFrom.secretKeyRef.name" },
        { RBAC_CONFIG_MAP, "valueFrom.configMapKeyRef.name" },
};
static const struct place in_env_from[] = {
        { RBAC_SECRET, "secretRef.name" },
        { RBAC_CONFIG_MAP, "configMapRef.name" },
};
static const struct place in_pull_secrets[] = { { RBAC_SECRET, "name" } };
static const struct place in_claims[] = { { RBAC_RESOURCE_CLAIM, "resourceClaimName" } };

#define COUNT(places) (sizeof(places) / sizeof((places)[0]))

struct visitor {
        rbac_reference visit;
        void *data;
};

static int look(const struct visitor *v, const struct value *value, const struct place *places, size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const char *name = value_string(value_find(value, places[i].path));

                if (name && name[0])
                        r = v->visit(v->data, places[i].vertex, name);
        }
        return r;
}

static int look_in_each(const struct visitor *v, const struct value *list, const struct place *places, size_t n) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < value_count(list); i++)
                r = look(v, value_at(list, i), places, n);
        return r;
}

static int look_in_containers(const struct visitor *v, const struct value *list) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < value_count(list); i++) {
                const struct value *container = value_at(list, i);

                r = look_in_each(v, value_get(container, "env"), in_env, COUNT(in_env));
                if (r == 0)
                        r = look_in_each(v, value_get(container, "envFrom"), in_env_from, COUNT(in_env_from));
        }
        return r;
}

/* An ephemeral volume's claim is called after its pod and itself. */
static int look_in_ephemeral(const struct visitor *v, const struct value *pod, const struct value *volume) {
        char name[2 * 253 + 2];
        const char *of = value_string_or(value_find(pod, "metadata.name"), "");

        if (value_is_null(value_get(volume, "ephemeral")))
                return 0;
        snprintf(name, sizeof(name), "%s-%s", of, value_string_or(value_get(volume, "name"), ""));
        return v->visit(v->data, RBAC_CLAIM, name);
}

static int look_in_volumes(const struct visitor *v, const struct value *pod, const struct value *list) {
        int r;

        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *volume = value_at(list, i), *sources = value_find(volume, "projected.sources");

                if ((r = look(v, volume, in_volumes, COUNT(in_volumes))) != 0 ||
                    (r = look_in_each(v, sources, in_projections, COUNT(in_projections))) != 0 ||
                    (r = look_in_ephemeral(v, pod, volume)) != 0)
                        return r;
        }
        return 0;
}

int rbac_pod_references(const struct value *pod, rbac_reference visit, void *data) {
        static const char *const containers[] = { "containers", "initContainers", "ephemeralContainers" };
        const struct visitor v = { visit, data };
        const struct value *spec = value_get(pod, "spec");
        const char *account = value_string(value_get(spec, "serviceAccountName"));
        int r = account && account[0] ? visit(data, RBAC_ACCOUNT, account) : 0;

        if (r != 0)
                return r;
        for (unsigned i = 0; i < COUNT(containers); i++)
                if ((r = look_in_containers(&v, value_get(spec, containers[i]))) != 0)
                        return r;
        r = look_in_each(&v, value_get(spec, "imagePullSecrets"), in_pull_secrets, COUNT(in_pull_secrets));
        if (r != 0 || (r = look_in_volumes(&v, pod, value_get(spec, "volumes"))) != 0 ||
            (r = look_in_each(&v, value_get(spec, "resourceClaims"), in_claims, COUNT(in_claims))) != 0)
                return r;
        return look_in_each(&v, value_find(pod, "status.resourceClaimStatuses"), in_claims, COUNT(in_claims));
}

int rbac_volume_secrets(const struct value *volume, rbac_volume_secret visit, void *data) {
        static const char *const places[] = {
                "cephfs.secretRef",       "cinder.secretRef",        "flexVolume.secretRef", "iscsi.secretRef",
                "rbd.secretRef",          "scaleIO.secretRef",       "storageos.secretRef",  "csi.nodePublishSecretRef",
                "csi.nodeStageSecretRef", "csi.nodeExpandSecretRef",
        };
        const struct value *spec = value_get(volume, "spec"), *azure = value_get(spec, "azureFile");
        const char *of_claim = value_string_or(value_find(spec, "claimRef.namespace"), "");
        const char *name = value_string(value_get(azure, "secretName"));
        int r = name ? visit(data, value_string_or(value_get(azure, "secretNamespace"), of_claim), name) : 0;

        for (unsigned i = 0; r == 0 && i < COUNT(places); i++) {
                const struct value *ref = value_find(spec, places[i]);
                const char *namespace = value_string_or(value_get(ref, "namespace"), "");

                name = value_string(value_get(ref, "name"));
                if (name && name[0])
                        r = visit(data, namespace[0] ? namespace : of_claim, name);
        }
        return r;
}
