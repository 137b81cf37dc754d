#include "kube/pod/env.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"

struct builder {
        struct arena *arena;
        const struct pod *pod;
        const struct kube_container *container;
        const struct pod_facts *facts;
        string_map made; /* has room for all of the container's variables */
        struct env_index names;
        size_t size; /* of all values so far */
};

/* The latest of a name counts, in the place of the first. */
static int set(struct builder *b, const char *name, const char *value) {
        struct string_pair *pair = env_index_find(&b->names, name, strlen(name));

        if (pair) {
                pair->value = value;
                return 0;
        }
        pair = &b->made.items[b->made.count++];
        *pair = (struct string_pair){ name, value };
        return env_index_add(&b->names, pair);
}

/* A reference to an API object: nothing when it is optional, which then is as if the object were missing. */
static int refuse_object(const char *kind, const char *name, enum tri optional, const char **ret_value,
                         struct err **err) {
        if (optional != TRI_TRUE)
                return err_set(err, EINVAL, "%s \"%.253s\" not found", kind, name ?: "");
        *ret_value = NULL;
        return 0;
}

static int read_file_key(struct builder *b, const struct kube_file_key_selector *ref, const char **ret_value,
                         struct err **err) {
        struct err *inner = NULL;
        int r;

        if (!b->facts->file_key)
                return err_set(err, EINVAL, "fileKeyRef is not supported here");
        r = b->facts->file_key(b->facts->file_key_data, b->arena, ref, ret_value, &inner);
        if (r == -ENOENT && ref->optional == TRI_TRUE) {
                err_free(inner);
                *ret_value = NULL;
                return 0;
        }
        return r < 0 ? err_move(err, inner) : 0;
}

/* The value of an optional source that is missing is NULL: the variable is left out. */
static int resolve(struct builder *b, const struct kube_env_var_source *from, const char **ret_value,
                   struct err **err) {
        if (from->field_ref)
                return pod_field_value(b->arena, b->pod, b->facts, from->field_ref->field_path, ret_value, err);
        if (from->resource_field_ref)
                return pod_resource_value(b->arena, &(struct pod_place){ b->pod, b->container, b->facts },
                                          from->resource_field_ref, ret_value, err);
        if (from->file_key_ref)
                return read_file_key(b, from->file_key_ref, ret_value, err);
        if (from->config_map_key_ref)
                return refuse_object("configmap", from->config_map_key_ref->name, from->config_map_key_ref->optional,
                                     ret_value, err);
        if (from->secret_key_ref)
                return refuse_object("secret", from->secret_key_ref->name, from->secret_key_ref->optional, ret_value,
                                     err);
        return err_set(err, EINVAL, "valueFrom names no source");
}

static int add(struct builder *b, const struct kube_env_var *env, struct err **err) {
        const char *value = "";
        int r = 0;

        if (env->value) {
                value = env_expand(b->arena, env->value, &b->names);
                if (!value)
                        r = err_set(err, E2BIG, "out of memory, or its value is longer than %zu bytes", ENV_VALUE_MAX);
        } else if (env->value_from) {
                r = resolve(b, env->value_from, &value, err);
        }
        if (r < 0)
                return err_wrap(err, r, "env %.128s", env->name);
        if (!value)
                return 0;
        b->size += strlen(value);
        if (b->size > ENV_TOTAL_MAX)
                return err_set(err, E2BIG, "the environment is larger than %zu bytes", ENV_TOTAL_MAX);
        return set(b, env->name, value) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int add_all(struct builder *b, struct err **err) {
        const char *value;
        int r;

        list_for_each (from, &b->container->env_from) {
                const struct kube_config_map_env_source *map = from->config_map_ref;
                const struct kube_secret_env_source *secret = from->secret_ref;

                r = 0;
                if (map)
                        r = refuse_object("configmap", map->name, map->optional, &value, err);
                else if (secret)
                        r = refuse_object("secret", secret->name, secret->optional, &value, err);
                if (r < 0)
                        return r;
        }
        list_for_each (env, &b->container->env) {
                r = add(b, env, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int pod_environment(struct arena *arena, const struct pod *pod, const struct kube_container *container,
                    const struct pod_facts *facts, string_map *ret_environment, struct err **err) {
        struct builder b = {
                .arena = arena, .pod = pod, .container = container, .facts = facts, .names = { .arena = arena }
        };
        int r;

        b.made.items = arena_alloc_array(arena, container->env.count, sizeof(*b.made.items));
        if (!b.made.items)
                return err_set(err, ENOMEM, "out of memory");
        r = add_all(&b, err);
        env_index_clear(&b.names);
        if (r == 0)
                *ret_environment = b.made;
        return r;
}
