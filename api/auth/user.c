#include "api/auth/user.h"

#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "kube/names.h"
#include "lib/arena.h"

bool auth_user_in(const struct auth_user *user, const char *group) {
        return kube_has(&user->groups, group);
}

const char *auth_user_extra(const struct auth_user *user, const char *key) {
        list_for_each (entry, &user->extra) {
                if (strcmp(entry->key, key) == 0)
                        return entry->value.count > 0 ? entry->value.items[0] : NULL;
        }
        return NULL;
}

const char *auth_user_node(const struct auth_user *user) {
        const size_t n = strlen(AUTH_NODE_PREFIX);

        if (!user->name || strncmp(user->name, AUTH_NODE_PREFIX, n) != 0 || !user->name[n])
                return NULL;
        return auth_user_in(user, AUTH_GROUP_NODES) ? user->name + n : NULL;
}

int auth_account_split(struct arena *arena, const char *name, const char **ret_namespace, const char **ret_name) {
        const size_t n = strlen(AUTH_ACCOUNT_PREFIX);
        const char *colon, *namespace;

        if (strncmp(name, AUTH_ACCOUNT_PREFIX, n) != 0 || !(colon = strchr(name + n, ':')))
                return -EINVAL;
        namespace = arena_strndup(arena, name + n, (size_t)(colon - name) - n);
        name = arena_strdup(arena, colon + 1);
        if (!namespace || !name)
                return -ENOMEM;
        if (name_problem(NAME_LABEL, namespace) || name_problem(NAME_SUBDOMAIN, name))
                return -EINVAL;
        *ret_namespace = namespace;
        *ret_name = name;
        return 0;
}

int auth_user_add_group(struct arena *arena, struct auth_user *user, const char *group) {
        return auth_user_in(user, group) ? 0 : auth_list_add(arena, &user->groups, arena_strdup(arena, group));
}

/* A new entry for @key, where the order has it. */
static struct kube_strings_entry *insert_extra(struct arena *arena, struct auth_user *user, const char *key) {
        struct kube_strings_entry *items = arena_alloc_array(arena, user->extra.count + 1, sizeof(*items));
        uint32_t at = 0;

        key = arena_strdup(arena, key);
        if (!items || !key)
                return NULL;
        while (at < user->extra.count && strcmp(user->extra.items[at].key, key) < 0) {
                items[at] = user->extra.items[at];
                at++;
        }
        for (uint32_t i = at; i < user->extra.count; i++)
                items[i + 1] = user->extra.items[i];
        items[at].key = key;
        user->extra.items = items;
        user->extra.count++;
        return &items[at];
}

int auth_user_add_extra(struct arena *arena, struct auth_user *user, const char *key, const char *value) {
        struct kube_strings_entry *entry = NULL;

        list_for_each (there, &user->extra) {
                if (strcmp(there->key, key) == 0)
                        entry = there;
        }
        if (!entry)
                entry = insert_extra(arena, user, key);
        return entry ? auth_list_add(arena, &entry->value, arena_strdup(arena, value)) : -ENOMEM;
}

int auth_user_copy(struct arena *arena, const struct auth_user *user, struct auth_user *ret_copy) {
        struct auth_user copy = { .name = arena_strdup(arena, user->name), .uid = arena_strdup(arena, user->uid) };
        int r = auth_list_copy(arena, &user->groups, &copy.groups);

        copy.extra.items = arena_alloc_array(arena, user->extra.count + 1, sizeof(*copy.extra.items));
        if (r < 0 || !copy.extra.items || (user->name && !copy.name) || (user->uid && !copy.uid))
                return -ENOMEM;
        list_for_each (entry, &user->extra) {
                struct kube_strings_entry *to = &copy.extra.items[copy.extra.count++];

                to->key = arena_strdup(arena, entry->key);
                if (!to->key || auth_list_copy(arena, &entry->value, &to->value) < 0)
                        return -ENOMEM;
        }
        *ret_copy = copy;
        return 0;
}

struct kube_authentication_v1_user_info auth_user_info(const struct auth_user *user) {
        return (struct kube_authentication_v1_user_info){
                .username = user->name,
                .uid = user->uid,
                .groups = user->groups,
                .extra = { user->extra.items, user->extra.count },
        };
}
