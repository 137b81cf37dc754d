#include "kube/pod/env.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct builder {
        struct arena *arena;
        const struct pod *pod;
        const struct kube_container *container;
        const struct pod_facts *facts;
        string_map made; /* has room for all of the container's variables */
        struct env_index names;
        size_t size, n_names; /* of all values and names so far */
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

/* -- the API's objects ------------------------------------------------------------------------------------- */

/* An object that a container names, and whether it may be missing. */
struct wanted {
        enum pod_object_kind kind;
        const char *name;
        enum tri optional;
};

/* *@ret_object is NULL when it is optional and missing. */
static int find_object(const struct builder *b, const struct wanted *wanted, const struct pod_object **ret_object,
                       struct err **err) {
        _cleanup_err_ struct err *inner = NULL;
        int r = pod_sources_object(b->facts->sources, wanted->kind, wanted->name, ret_object, &inner);

        if (r == -ENOENT && wanted->optional == TRI_TRUE) {
                *ret_object = NULL;
                return 0;
        }
        return r < 0 ? err_move(err, TAKE_PTR(inner)) : 0;
}

static int check_text(const struct pod_object_key *key, const struct wanted *wanted, struct err **err) {
        if (strlen(key->data) == key->length)
                return 0;
        return err_set(err, EINVAL, "key %s of %s \"%.253s\" has a NUL character, which no variable holds", key->key,
                       wanted->kind == POD_SECRET ? "secret" : "configmap", wanted->name);
}

static int read_key(const struct builder *b, const struct wanted *wanted, const char *name, const char **ret_value,
                    struct err **err) {
        const struct pod_object *object = NULL;
        const struct pod_object_key *key;
        int r = find_object(b, wanted, &object, err);

        if (r < 0)
                return r;
        key = object ? pod_object_find(object, name) : NULL;
        *ret_value = NULL;
        if ((!key || key->binary) && wanted->optional == TRI_TRUE)
                return 0;
        if (!key || key->binary)
                return err_set(err, ENOENT, "couldn't find key %s in %s %s/%s", name,
                               wanted->kind == POD_SECRET ? "Secret" : "ConfigMap", b->pod->metadata.namespace,
                               wanted->name);
        *ret_value = key->data;
        return check_text(key, wanted, err);
}

/* -- one variable ------------------------------------------------------------------------------------------ */

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
        const struct kube_config_map_key_selector *map = from->config_map_key_ref;
        const struct kube_secret_key_selector *secret = from->secret_key_ref;

        if (from->field_ref)
                return pod_field_value(b->arena, b->pod, b->facts, from->field_ref->field_path, ret_value, err);
        if (from->resource_field_ref)
                return pod_resource_value(b->arena, &(struct pod_place){ b->pod, b->container, b->facts },
                                          from->resource_field_ref, ret_value, err);
        if (from->file_key_ref)
                return read_file_key(b, from->file_key_ref, ret_value, err);
        if (map)
                return read_key(b, &(struct wanted){ POD_CONFIG_MAP, map->name, map->optional }, map->key, ret_value,
                                err);
        if (secret)
                return read_key(b, &(struct wanted){ POD_SECRET, secret->name, secret->optional }, secret->key,
                                ret_value, err);
        return err_set(err, EINVAL, "valueFrom names no source");
}

static int put(struct builder *b, const char *name, const char *value, struct err **err) {
        b->size += strlen(value);
        b->n_names += strlen(name) + 1;
        if (b->n_names > ENV_NAMES_MAX)
                return err_set(err, E2BIG, "the environment's names are larger than %zu bytes", ENV_NAMES_MAX);
        if (b->size > ENV_TOTAL_MAX)
                return err_set(err, E2BIG, "the environment is larger than %zu bytes", ENV_TOTAL_MAX);
        return set(b, name, value) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

/* What only the pod's own manifest can have wrong names the variable; of the API's objects kubelet's words stand alone.
 */
static int resolve_named(struct builder *b, const struct kube_env_var *env, const char **ret_value, struct err **err) {
        const struct kube_env_var_source *from = env->value_from;
        int r = resolve(b, from, ret_value, err);

        return r < 0 && !from->config_map_key_ref && !from->secret_key_ref ? err_wrap(err, r, "env %.128s", env->name) :
                                                                             r;
}

static int add(struct builder *b, const struct kube_env_var *env, struct err **err) {
        const char *value = "";
        int r = 0;

        if (env->value && (*env->value || !env->value_from)) {
                value = env_expand(b->arena, env->value, &b->names);
                if (!value)
                        return err_set(err, E2BIG, "env %.128s: out of memory, or its value is longer than %zu bytes",
                                       env->name, ENV_VALUE_MAX);
        } else if (env->value_from && (r = resolve_named(b, env, &value, err)) < 0)
                return r;
        return value ? put(b, env->name, value, err) : 0;
}

/* -- all of them ------------------------------------------------------------------------------------------- */

static bool names_object(const struct kube_env_from_source *from, struct wanted *ret) {
        if (from->config_map_ref)
                *ret = (struct wanted){ POD_CONFIG_MAP, from->config_map_ref->name, from->config_map_ref->optional };
        else if (from->secret_ref)
                *ret = (struct wanted){ POD_SECRET, from->secret_ref->name, from->secret_ref->optional };
        return from->config_map_ref || from->secret_ref;
}

static int add_from(struct builder *b, const struct kube_env_from_source *from, struct err **err) {
        const char *prefix = from->prefix ?: "";
        const struct pod_object *object = NULL;
        struct wanted wanted = { 0 };
        int r = names_object(from, &wanted) ? find_object(b, &wanted, &object, err) : 0;

        for (size_t i = 0; r == 0 && object && i < object->n_keys; i++) {
                const struct pod_object_key *key = &object->keys[i];
                const char *name = *prefix ? arena_printf(b->arena, "%s%s", prefix, key->key) : key->key;

                if (key->binary)
                        continue;
                if (!name)
                        return err_set(err, ENOMEM, "out of memory");
                r = check_text(key, &wanted, err) ?: put(b, name, key->data, err);
        }
        return r;
}

static int add_all(struct builder *b, struct err **err) {
        int r;

        if (b->facts->services)
                list_for_each (variable, b->facts->services)
                        if ((r = put(b, variable->key, variable->value, err)) < 0)
                                return r;
        list_for_each (from, &b->container->env_from)
                if ((r = add_from(b, from, err)) < 0)
                        return r;
        list_for_each (env, &b->container->env)
                if ((r = add(b, env, err)) < 0)
                        return r;
        return 0;
}

/* How many variables there can be. What is not known is found out later. */
static size_t count(const struct builder *b) {
        size_t n = b->container->env.count + (b->facts->services ? b->facts->services->count : 0);

        list_for_each (from, &b->container->env_from) {
                const struct pod_object *object;
                struct wanted wanted;

                if (names_object(from, &wanted) &&
                    pod_sources_object(b->facts->sources, wanted.kind, wanted.name, &object, NULL) == 0)
                        n += object->n_keys;
        }
        return n;
}

int pod_environment(struct arena *arena, const struct pod *pod, const struct kube_container *container,
                    const struct pod_facts *facts, string_map *ret_environment, struct err **err) {
        struct builder b = {
                .arena = arena, .pod = pod, .container = container, .facts = facts, .names = { .arena = arena }
        };
        size_t n = count(&b);
        int r;

        if (n > ENV_COUNT_MAX)
                return err_set(err, E2BIG, "the environment has more than %zu variables", ENV_COUNT_MAX);
        b.made.items = arena_alloc_array(arena, n + 1, sizeof(*b.made.items));
        if (!b.made.items)
                return err_set(err, ENOMEM, "out of memory");
        r = add_all(&b, err);
        env_index_clear(&b.names);
        if (r == 0)
                *ret_environment = b.made;
        return r;
}
