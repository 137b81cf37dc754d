/* ConfigMaps and Secrets. */
#include <string.h>

#include "kube/core_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/core.h"
#include "lib/json.h"

#define BYTES_MAX (1024 * 1024)
#define FROZEN "field is immutable when `immutable` is set"

/* --- ConfigMap --- */

/* Both are sorted by key: *@at goes along. */
static bool has_binary(const struct kube_config_map *map, uint32_t *at, const char *key) {
        int order = 1;

        while (*at < map->binary_data.count && (order = strcmp(map->binary_data.items[*at].key, key)) < 0)
                (*at)++;
        return *at < map->binary_data.count && order == 0;
}

static void check_config_map(struct validation *v, const struct kube_config_map *map) {
        const struct place *data = FIELD(NULL, "data"), *binary = FIELD(NULL, "binaryData");
        size_t bytes = 0;
        uint32_t at = 0;

        validate_meta(v, &map->metadata, NAME_SUBDOMAIN);
        list_for_each (entry, &map->data) {
                validate_name(v, ENTRY(data, entry->key), NAME_KEY, entry->key);
                if (has_binary(map, &at, entry->key))
                        validate_invalid(v, ENTRY(data, entry->key), entry->key,
                                         "duplicate of key present in binaryData");
                bytes += strlen(entry->value ?: "");
        }
        list_for_each (entry, &map->binary_data) {
                validate_name(v, ENTRY(binary, entry->key), NAME_KEY, entry->key);
                bytes += entry->value.length;
        }
        /* Of the whole object: Go's path of one empty name. */
        if (bytes > BYTES_MAX)
                validate_too_long(v, ENTRY(NULL, ""), BYTES_MAX);
}

void validate_config_map(struct validation *v, const void *object, const void *old_object) {
        const struct kube_config_map *map = object, *old = old_object;
        const struct kube_type *type = &kube_config_map_type;

        if (old)
                validate_meta_update(v, &map->metadata, &old->metadata);
        if (old && old->immutable == TRI_TRUE) {
                if (map->immutable != TRI_TRUE)
                        validate_forbidden(v, FIELD(NULL, "immutable"), FROZEN);
                if (!validate_equal_field(type, "data", map, old))
                        validate_forbidden(v, FIELD(NULL, "data"), FROZEN);
                if (!validate_equal_field(type, "binaryData", map, old))
                        validate_forbidden(v, FIELD(NULL, "binaryData"), FROZEN);
        }
        check_config_map(v, map);
}

/* --- Secret --- */

#define SERVICE_ACCOUNT_NAME "kubernetes.io/service-account.name"

static const struct kube_bytes *find_data(const struct kube_secret *secret, const char *key) {
        list_for_each (entry, &secret->data)
                if (strcmp(entry->key, key) == 0)
                        return &entry->value;
        return NULL;
}

static void require_data(struct validation *v, const struct kube_secret *secret, const char *key) {
        if (!find_data(secret, key))
                validate_required(v, ENTRY(FIELD(NULL, "data"), key), "");
}

/* Its text is a JSON object. */
static void check_json(struct validation *v, const struct kube_secret *secret, const char *key) {
        const struct kube_bytes *data = find_data(secret, key);
        const char *problem;

        require_data(v, secret, key);
        if (!data)
                return;
        problem = validate_json_problem(v, (const char *)data->data, data->length);
        if (problem)
                validate_invalid(v, ENTRY(FIELD(NULL, "data"), key), "<secret contents redacted>", problem);
}

static void check_account_token(struct validation *v, const struct kube_secret *secret) {
        const char *account = string_map_get(&secret->metadata.annotations, SERVICE_ACCOUNT_NAME);

        if (!account || !*account)
                validate_required(v, ENTRY(FIELD(FIELD(NULL, "metadata"), "annotations"), SERVICE_ACCOUNT_NAME), "");
}

static void check_docker(struct validation *v, const struct kube_secret *secret) {
        check_json(v, secret, ".dockercfg");
}

static void check_docker_json(struct validation *v, const struct kube_secret *secret) {
        check_json(v, secret, ".dockerconfigjson");
}

/* Either will do. */
static void check_basic(struct validation *v, const struct kube_secret *secret) {
        if (find_data(secret, "username") || find_data(secret, "password"))
                return;
        require_data(v, secret, "username");
        require_data(v, secret, "password");
}

static void check_ssh(struct validation *v, const struct kube_secret *secret) {
        const struct kube_bytes *key = find_data(secret, "ssh-privatekey");

        if (!key || key->length == 0)
                validate_required(v, ENTRY(FIELD(NULL, "data"), "ssh-privatekey"), "");
}

static void check_tls(struct validation *v, const struct kube_secret *secret) {
        require_data(v, secret, "tls.crt");
        require_data(v, secret, "tls.key");
}

static const struct {
        const char *type;
        void (*check)(struct validation *v, const struct kube_secret *secret);
} secret_types[] = {
        { "kubernetes.io/service-account-token", check_account_token },
        { "kubernetes.io/dockercfg", check_docker },
        { "kubernetes.io/dockerconfigjson", check_docker_json },
        { "kubernetes.io/basic-auth", check_basic },
        { "kubernetes.io/ssh-auth", check_ssh },
        { "kubernetes.io/tls", check_tls },
};

static void check_secret(struct validation *v, const struct kube_secret *secret) {
        const struct place *data = FIELD(NULL, "data");
        size_t bytes = 0;

        validate_meta(v, &secret->metadata, NAME_SUBDOMAIN);
        list_for_each (entry, &secret->data) {
                validate_name(v, ENTRY(data, entry->key), NAME_KEY, entry->key);
                bytes += entry->value.length;
        }
        if (bytes > BYTES_MAX)
                validate_too_long(v, data, BYTES_MAX);
        for (size_t i = 0; i < sizeof(secret_types) / sizeof(*secret_types); i++)
                if (kube_is(secret->type, secret_types[i].type))
                        secret_types[i].check(v, secret);
}

void validate_secret(struct validation *v, const void *object, const void *old_object) {
        const struct kube_secret *secret = object, *old = old_object;

        if (old) {
                validate_meta_update(v, &secret->metadata, &old->metadata);
                validate_immutable_field(v, FIELD(NULL, "type"), &kube_secret_type, "type", secret, old);
        }
        if (old && old->immutable == TRI_TRUE) {
                if (secret->immutable != TRI_TRUE)
                        validate_forbidden(v, FIELD(NULL, "immutable"), FROZEN);
                if (!validate_equal_field(&kube_secret_type, "data", secret, old))
                        validate_forbidden(v, FIELD(NULL, "data"), FROZEN);
        }
        check_secret(v, secret);
}
