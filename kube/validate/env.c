/* Environments: names, and where values come from. */
#include <ctype.h>
#include <string.h>

#include "kube/validate/pod_rules.h"

/* --- the pod's own fields --- */

static const char *const env_fields[] = {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs", NULL
};
static const char *const volume_fields[] = { "metadata.annotations", "metadata.labels", "metadata.name",
                                             "metadata.namespace",   "metadata.uid",    NULL };

/* podshelper.ConvertDownwardAPIFieldLabel() */
static const char *const known_fields[] = { "metadata.annotations",
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
                                            NULL };

/* "metadata.labels['a']": what is before the bracket, and what is in it. False when it is no such path. */
static bool split_subscript(struct validation *v, const char *path, char **ret_before, char **ret_in) {
        size_t n = strlen(path);
        const char *bracket = strstr(path, "['");

        if (n < 2 || strcmp(path + n - 2, "']") != 0 || !bracket || bracket == path || bracket + 2 > path + n - 2)
                return false;
        *ret_before = validate_copy(v, path, (size_t)(bracket - path));
        *ret_in = validate_copy(v, bracket + 2, (size_t)(path + n - 2 - bracket - 2));
        return true;
}

static void check_subscript(struct validation *v, const struct place *at, const char *path, char *before, char *in) {
        if (strcmp(before, "metadata.annotations") == 0) {
                for (char *c = in; *c; c++)
                        *c = (char)tolower((unsigned char)*c);
                validate_name(v, at, NAME_QUALIFIED, in);
        } else if (strcmp(before, "metadata.labels") == 0) {
                validate_name(v, at, NAME_QUALIFIED, in);
        } else {
                validate_invalid(v, FIELD(at, "fieldPath"), path,
                                 validate_text(v,
                                               "error converting fieldPath: field label does not support subscript: %s",
                                               path));
        }
}

void validate_field_ref(struct validation *v, const struct place *at, const struct kube_object_field_selector *ref,
                        bool volume) {
        const char *const *fields = volume ? volume_fields : env_fields, *path = ref->field_path;
        char *before, *in;

        if (!ref->api_version || !*ref->api_version) {
                validate_required(v, FIELD(at, "apiVersion"), "");
                return;
        }
        if (!path || !*path) {
                validate_required(v, FIELD(at, "fieldPath"), "");
                return;
        }
        if (strcmp(ref->api_version, "v1") != 0) {
                validate_invalid(
                        v, FIELD(at, "fieldPath"), path,
                        validate_text(v, "error converting fieldPath: unsupported pod version: %s", ref->api_version));
                return;
        }
        if (split_subscript(v, path, &before, &in)) {
                check_subscript(v, at, path, before, in);
                return;
        }
        if (strcmp(path, "spec.host") == 0)
                path = "spec.nodeName";
        if (!validate_is_one(path, known_fields))
                validate_invalid(v, FIELD(at, "fieldPath"), path,
                                 validate_text(v, "error converting fieldPath: field label not supported: %s", path));
        else
                validate_choice(v, FIELD(at, "fieldPath"), path, fields);
}

/* --- its resources --- */

#define BYTES_DIVISORS "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"

static const char *const container_resources[] = { "limits.cpu",
                                                   "limits.ephemeral-storage",
                                                   "limits.memory",
                                                   "requests.cpu",
                                                   "requests.ephemeral-storage",
                                                   "requests.memory",
                                                   NULL };
static const char *const byte_divisors[] = { "1",   "1k",  "1M",  "1G",  "1T",  "1P",  "1E",
                                             "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL };

/* Which resources have which divisors. */
static const struct {
        const char *name; /* behind "limits." or "requests."; a prefix if it ends with "-" */
        const char *const *divisors;
        const char *text;
} divisor_rows[] = {
        { "cpu", (const char *const[]){ "1", "1m", NULL },
          "only divisor's values 1m and 1 are supported with the cpu resource" },
        { "memory", byte_divisors, "only divisor's values " BYTES_DIVISORS " are supported with the memory resource" },
        { "ephemeral-storage", byte_divisors,
          "only divisor's values " BYTES_DIVISORS " are supported with the local ephemeral storage resource" },
        { "hugepages-", byte_divisors,
          "only divisor's values " BYTES_DIVISORS " are supported with the hugepages resource" },
};

static const char *without_list(const char *resource) {
        return strncmp(resource, "limits.", 7) == 0   ? resource + 7 :
               strncmp(resource, "requests.", 9) == 0 ? resource + 9 :
                                                        "";
}

static void check_divisor(struct validation *v, const struct place *at,
                          const struct kube_resource_field_selector *ref) {
        const char *resource = ref->resource ?: "", *name = without_list(resource);
        char text[QUANTITY_TEXT_MAX];

        if (quantity_sign(ref->divisor) == 0)
                return;
        quantity_format(ref->divisor, text);
        for (size_t i = 0; i < sizeof(divisor_rows) / sizeof(*divisor_rows); i++) {
                bool prefix = divisor_rows[i].name[strlen(divisor_rows[i].name) - 1] == '-';

                if ((prefix ? strncmp(name, divisor_rows[i].name, strlen(divisor_rows[i].name)) :
                              strcmp(name, divisor_rows[i].name)) == 0 &&
                    !validate_is_one(text, divisor_rows[i].divisors))
                        validate_invalid(v, FIELD(at, "divisor"), resource, divisor_rows[i].text);
        }
}

void validate_resource_ref(struct validation *v, const struct place *at, const struct kube_resource_field_selector *ref,
                           bool volume) {
        const char *resource = ref->resource ?: "";

        if (volume && (!ref->container_name || !*ref->container_name))
                validate_required(v, FIELD(at, "containerName"), "");
        else if (!*resource)
                validate_required(v, FIELD(at, "resource"), "");
        else if (!validate_is_one(resource, container_resources) &&
                 strncmp(without_list(resource), "hugepages-", strlen("hugepages-")) != 0)
                validate_unsupported_json(v, FIELD(at, "resource"), validate_quoted(v, resource), container_resources);
        check_divisor(v, at, ref);
}

/* --- keys of ConfigMaps, Secrets and files --- */

static void check_key_ref(struct validation *v, const struct place *at, const char *name, const char *key) {
        validate_name(v, FIELD(at, "name"), NAME_SUBDOMAIN, name);
        validate_name_required(v, FIELD(at, "key"), NAME_KEY, key);
}

static void check_file_ref(struct validation *v, const struct place *at, const struct kube_file_key_selector *ref) {
        validate_name_required(v, FIELD(at, "key"), NAME_ENV, ref->key);
        validate_name_required(v, FIELD(at, "volumeName"), NAME_LABEL, ref->volume_name);
        if (!ref->path || !*ref->path)
                validate_required(v, FIELD(at, "path"), "");
        else
                validate_no_backsteps(v, FIELD(at, "path"), ref->path);
}

static void check_source(struct validation *v, const struct place *at, const struct kube_env_var *env) {
        const struct kube_env_var_source *s = env->value_from;
        unsigned n = !!s->field_ref + !!s->resource_field_ref + !!s->config_map_key_ref + !!s->secret_key_ref +
                     !!s->file_key_ref;

        if (s->field_ref)
                validate_field_ref(v, FIELD(at, "fieldRef"), s->field_ref, false);
        if (s->resource_field_ref)
                validate_resource_ref(v, FIELD(at, "resourceFieldRef"), s->resource_field_ref, false);
        if (s->config_map_key_ref)
                check_key_ref(v, FIELD(at, "configMapKeyRef"), s->config_map_key_ref->name, s->config_map_key_ref->key);
        if (s->secret_key_ref)
                check_key_ref(v, FIELD(at, "secretKeyRef"), s->secret_key_ref->name, s->secret_key_ref->key);
        if (s->file_key_ref)
                check_file_ref(v, FIELD(at, "fileKeyRef"), s->file_key_ref);
        if (n == 0)
                validate_invalid(v, at, "",
                                 "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                                 "`secretKeyRef` or `fileKeyRef`");
        else if (env->value && *env->value)
                validate_invalid(v, at, "", "may not be specified when `value` is not empty");
        else if (n > 1)
                validate_invalid(v, at, "", "may not have more than one field specified at a time");
}

/* --- all of it --- */

/* Names may be the beginning of one. */
static void check_from(struct validation *v, const struct place *list, uint32_t i,
                       const struct kube_env_from_source *from) {
        const struct place *at = ITEM(list, i);
        const char *names[] = { from->config_map_ref ? from->config_map_ref->name ?: "" : NULL,
                                from->secret_ref ? from->secret_ref->name ?: "" : NULL };
        static const char *const fields[] = { "configMapRef", "secretRef" };

        if (from->prefix && *from->prefix)
                validate_name(v, FIELD(at, "prefix"), NAME_ENV, from->prefix);
        for (size_t j = 0; j < 2; j++) {
                const struct place *name = FIELD(FIELD(at, fields[j]), "name");

                if (names[j] && !*names[j])
                        validate_required(v, name, "");
                else if (names[j])
                        validate_name_prefix(v, name, NAME_SUBDOMAIN, names[j]);
        }
        if (!names[0] && !names[1])
                validate_invalid(v, list, "", "must specify one of: `configMapRef` or `secretRef`");
        else if (names[0] && names[1])
                validate_invalid(v, list, "", "may not have more than one field specified at a time");
}

void validate_env(struct validation *v, const struct place *at, const struct kube_container *container) {
        for (uint32_t i = 0; i < container->env.count; i++) {
                const struct kube_env_var *env = &container->env.items[i];
                const struct place *here = ITEM(FIELD(at, "env"), i);

                validate_name_required(v, FIELD(here, "name"), NAME_ENV, env->name);
                if (env->value_from)
                        check_source(v, FIELD(here, "valueFrom"), env);
        }
        for (uint32_t i = 0; i < container->env_from.count; i++)
                check_from(v, FIELD(at, "envFrom"), i, &container->env_from.items[i]);
}
