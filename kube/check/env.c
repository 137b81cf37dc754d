#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "lib/cleanup.h"

static const char *const env_fields[] = {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs", NULL,
};
static const char *const volume_fields[] = {
        "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid", NULL,
};
static const char *const resource_fields[] = {
        "limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
        "requests.cpu", "requests.ephemeral-storage", "requests.memory",
        NULL,
};

/* All that a fieldRef may name somewhere. */
static const char *const all_fields[] = {
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.schedulerName",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        NULL,
};

static bool is_one_of(const char *const *list, const char *text) {
        for (; *list; list++)
                if (strcmp(*list, text) == 0)
                        return true;
        return false;
}

static void refuse_label(struct check *c, const char *path, const char *why) {
        char text[256];

        snprintf(text, sizeof(text), "error converting fieldPath: %s: %.128s", why, path);
        check_invalid(c, ".fieldPath", path, text);
}

/* metadata.labels['KEY'] and metadata.annotations['KEY']. */
static bool check_subscript(struct check *c, const char *path) {
        const char *bracket = strstr(path, "['");
        size_t length = strlen(path), n;
        char key[512];

        if (!bracket || length < 4 || strcmp(path + length - 2, "']") != 0)
                return false;
        n = (size_t)(path + length - 2 - (bracket + 2));
        snprintf(key, sizeof(key), "%.*s", (int)n, bracket + 2);
        n = (size_t)(bracket - path);
        if (strncmp(path, "metadata.labels", n) == 0 && n == strlen("metadata.labels"))
                check_name_if(c, "", NAME_QUALIFIED, key);
        else if (strncmp(path, "metadata.annotations", n) == 0 && n == strlen("metadata.annotations"))
                check_name_if(c, "", NAME_QUALIFIED, key);
        else
                refuse_label(c, path, "field label does not support subscript");
        return true;
}

void check_field_ref(struct check *c, const struct kube_object_field_selector *ref, bool volume) {
        size_t before;

        if (!ref)
                return;
        before = TRAIL_ENTER(c, ".fieldRef");
        if (!ref->field_path)
                check_required(c, ".fieldPath", "");
        else if (strcmp(ref->api_version, "v1") != 0)
                check_invalid(c, ".fieldPath", ref->field_path, "error converting fieldPath: unsupported pod version");
        else if (check_subscript(c, ref->field_path))
                ;
        else if (!is_one_of(all_fields, ref->field_path))
                refuse_label(c, ref->field_path, "field label not supported");
        else if (!is_one_of(volume ? volume_fields : env_fields, ref->field_path))
                check_unsupported(c, ".fieldPath", ref->field_path, volume ? volume_fields : env_fields);
        TRAIL_LEAVE(c, before);
}

/* A divisor of 0 is one that was not given. */
static void check_divisor(struct check *c, const struct kube_resource_field_selector *ref) {
        static const char *const sizes[] = {
                "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL,
        };
        static const char *const cpus[] = { "1m", "1", NULL };
        char text[QUANTITY_TEXT_MAX];
        const char *dot = strchr(ref->resource, '.');
        bool cpu = dot && strcmp(dot, ".cpu") == 0;

        if (quantity_sign(ref->divisor) == 0 || is_one_of(cpu ? cpus : sizes, quantity_format(ref->divisor, text)))
                return;
        if (cpu)
                check_invalid(c, ".divisor", ref->resource,
                              "only divisor's values 1m and 1 are supported with the cpu resource");
        else
                check_invalid(c, ".divisor", ref->resource,
                              "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "
                              "supported with this resource");
}

void check_resource_ref(struct check *c, const struct kube_resource_field_selector *ref, bool volume) {
        size_t before;

        if (!ref)
                return;
        before = TRAIL_ENTER(c, ".resourceFieldRef");
        if (volume && !ref->container_name)
                check_required(c, ".containerName", "");
        else if (!ref->resource)
                check_required(c, ".resource", "");
        else if (!is_one_of(resource_fields, ref->resource) && strncmp(ref->resource, "requests.hugepages-", 19) != 0 &&
                 strncmp(ref->resource, "limits.hugepages-", 17) != 0)
                check_unsupported(c, ".resource", ref->resource, resource_fields);
        if (ref->container_name && !pod_find_container(c->pod, ref->container_name))
                check_not_found(c, ".containerName", ref->container_name);
        if (ref->resource)
                check_divisor(c, ref);
        TRAIL_LEAVE(c, before);
}

/* The key of a ConfigMap or Secret. */
static void check_key_ref(struct check *c, const char *child, const char *name, const char *key) {
        size_t before = TRAIL_ENTER(c, "%s", child);

        if (!name)
                check_required(c, ".name", "");
        if (!key)
                check_required(c, ".key", "");
        TRAIL_LEAVE(c, before);
}

static void check_file_key_ref(struct check *c, const struct kube_file_key_selector *ref) {
        const struct kube_volume *volume;
        size_t before;

        if (!ref)
                return;
        before = TRAIL_ENTER(c, ".fileKeyRef");
        check_name(c, ".key", NAME_ENV, ref->key);
        check_name(c, ".volumeName", NAME_LABEL, ref->volume_name);
        if (!ref->path)
                check_required(c, ".path", "");
        else
                check_no_backsteps(c, ".path", ref->path);
        volume = ref->volume_name ? pod_find_volume(c->pod, ref->volume_name) : NULL;
        if (ref->volume_name && !volume)
                check_not_found(c, ".volumeName", ref->volume_name);
        else if (volume && !volume->empty_dir)
                check_invalid(c, ".volumeName", ref->volume_name, "referenced volume must be of type emptyDir");
        TRAIL_LEAVE(c, before);
}

static void check_value_from(struct check *c, const struct kube_env_var *env) {
        const struct kube_env_var_source *from = env->value_from;
        unsigned n = !!from->field_ref + !!from->resource_field_ref + !!from->config_map_key_ref +
                     !!from->secret_key_ref + !!from->file_key_ref;

        check_field_ref(c, from->field_ref, false);
        check_resource_ref(c, from->resource_field_ref, false);
        if (from->config_map_key_ref)
                check_key_ref(c, ".configMapKeyRef", from->config_map_key_ref->name, from->config_map_key_ref->key);
        if (from->secret_key_ref)
                check_key_ref(c, ".secretKeyRef", from->secret_key_ref->name, from->secret_key_ref->key);
        check_file_key_ref(c, from->file_key_ref);
        if (n == 0)
                check_invalid(c, "", "",
                              "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                              "`secretKeyRef` or `fileKeyRef`");
        else if (env->value)
                check_invalid(c, "", "", "may not be specified when `value` is not empty");
        else if (n > 1)
                check_invalid(c, "", "", "may not have more than one field specified at a time");
}

static void check_env_from(struct check *c, const struct kube_env_from_source *from) {
        unsigned n = !!from->config_map_ref + !!from->secret_ref;

        check_name_if(c, ".prefix", NAME_ENV, from->prefix);
        if (n == 0)
                check_invalid(c, "", "", "must specify one of: `configMapRef` or `secretRef`");
        else if (n > 1)
                check_invalid(c, "", "", "may not have more than one field specified at a time");
        if (from->config_map_ref && !from->config_map_ref->name)
                check_required(c, ".configMapRef.name", "");
        if (from->secret_ref && !from->secret_ref->name)
                check_required(c, ".secretRef.name", "");
}

void check_env(struct check *c, const struct kube_container *container) {
        size_t before;

        for (uint32_t i = 0; i < container->env.count; i++) {
                const struct kube_env_var *env = &container->env.items[i];

                before = TRAIL_ENTER(c, ".env[%u]", i);
                check_name(c, ".name", NAME_ENV, env->name);
                if (env->value_from) {
                        size_t inner = TRAIL_ENTER(c, ".valueFrom");

                        check_value_from(c, env);
                        TRAIL_LEAVE(c, inner);
                }
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < container->env_from.count; i++) {
                before = TRAIL_ENTER(c, ".envFrom[%u]", i);
                check_env_from(c, &container->env_from.items[i]);
                TRAIL_LEAVE(c, before);
        }
}
