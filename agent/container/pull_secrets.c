#include "agent/container/pull_secrets.h"

#include <errno.h>
#include <string.h>

#include "agent/container/request.h"
#include "images/docker_config.h"
#include "images/reference.h"
#include "kube/pod/sources.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/value.h"

/* Types of Secrets, the key that counts, and whether the entries stand in "auths" there. */
static const struct secret_type {
        const char *type, *key;
        bool bare;
} types[] = {
        { "kubernetes.io/dockerconfigjson", ".dockerconfigjson", false },
        { "kubernetes.io/dockercfg", ".dockercfg", true },
};

/* docker's configuration that @secret holds; NULL: none that can be read. */
static const struct value *read_config(struct arena *arena, const struct pod_object *secret) {
        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
                const struct pod_object_key *key = pod_object_find(secret, types[i].key);
                struct value_member *member;
                const struct value *read = NULL;
                struct value *root;

                if (strcmp(secret->type, types[i].type) != 0 || !key)
                        continue;
                if (json_parse(arena, key->data, key->length, NULL, &read, NULL) < 0 || !types[i].bare)
                        return read;
                member = arena_new_of(arena, struct value_member);
                root = arena_new_of(arena, struct value);
                if (!member || !root)
                        return NULL;
                *member = (struct value_member){ .key = "auths", .value = *read };
                *root = (struct value){ .kind = VALUE_MAP, .count = 1, .members = member };
                return root;
        }
        return NULL;
}

/* NULL without memory. */
static Cri__AuthConfig *make_auth(struct arena *arena, const struct value *entry) {
        Cri__AuthConfig *auth = arena_new_message(arena, Cri__AuthConfig, cri__auth_config__init);

        if (!auth)
                return NULL;
        auth->username = (char *)value_string_or(value_get(entry, "username"), "");
        auth->password = (char *)value_string_or(value_get(entry, "password"), "");
        auth->auth = (char *)value_string_or(value_get(entry, "auth"), "");
        auth->identity_token = (char *)value_string_or(value_get(entry, "identitytoken"), "");
        auth->registry_token = (char *)value_string_or(value_get(entry, "registrytoken"), "");
        return auth;
}

static bool miss(struct arena *arena, struct pull_secrets *found, const char *name) {
        found->missing = arena_printf(arena, "%s%s%s", found->missing, *found->missing ? ", " : "", name);
        return found->missing;
}

int pull_secrets_find(struct arena *arena, const struct pod *pod, const struct pod_sources *sources, const char *image,
                      struct pull_secrets *ret_found) {
        struct pull_secrets found = { .missing = "" };
        struct image_reference reference;
        char host[IMAGE_NAME_MAX + 1];

        found.list = arena_alloc_array(arena, pod->spec.image_pull_secrets.count + 1, sizeof(*found.list));
        if (!found.list)
                return -ENOMEM;
        *ret_found = found;
        if (image_reference_parse(image, &reference, NULL) < 0)
                return 0;
        image_reference_host(&reference, host);
        list_for_each (secret, &pod->spec.image_pull_secrets) {
                const struct pod_object *object = NULL;
                const struct value *entry;

                if (!secret->name || !*secret->name)
                        continue;
                if (pod_sources_object(sources, POD_SECRET, secret->name, &object, NULL) < 0) {
                        if (!miss(arena, &found, secret->name))
                                return -ENOMEM;
                        continue;
                }
                entry = image_docker_config_entry(read_config(arena, object), host, image_reference_path(&reference));
                if (entry && !(found.list[found.n++] = make_auth(arena, entry)))
                        return -ENOMEM;
        }
        *ret_found = found;
        return 0;
}
