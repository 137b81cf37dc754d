#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

struct collection_of_rules {
        const struct rbac *rbac;
        struct arena *arena;
        rbac_rules rules;
        uint32_t room;
        string_list missing;
        int error;
};

static int add_rules(struct collection_of_rules *c, const rbac_rules *rules) {
        rbac_rules copy;

        if (c->rules.count + rules->count > c->room) {
                uint32_t room = 2 * (c->rules.count + rules->count);
                void *items = arena_alloc_array(c->arena, room, sizeof(*c->rules.items));

                if (!items)
                        return -ENOMEM;
                if (c->rules.count > 0)
                        memcpy(items, c->rules.items, c->rules.count * sizeof(*c->rules.items));
                c->rules.items = items;
                c->room = room;
        }
        if (rbac_copy_rules(c->arena, rules, &copy) < 0)
                return -ENOMEM;
        if (copy.count > 0)
                memcpy(c->rules.items + c->rules.count, copy.items, copy.count * sizeof(*copy.items));
        c->rules.count += copy.count;
        return 0;
}

static bool collect(void *data, const struct rbac_link *link) {
        struct collection_of_rules *c = data;
        const struct rbac_role *role = rbac_role_of(c->rbac, link->binding);
        char *text = role ? NULL : rbac_not_found(c->arena, &link->binding->ref);

        if (role)
                c->error = add_rules(c, &role->rules);
        else if (!text)
                c->error = -ENOMEM;
        else if (!kube_has(&c->missing, text))
                c->error = auth_list_add(c->arena, &c->missing, text);
        return c->error >= 0;
}

int rbac_rules_for(struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
                   rbac_rules *ret_rules, const char **ret_error) {
        struct collection_of_rules c = { .rbac = rbac, .arena = arena };
        const char *error = "";
        int r;

        pthread_rwlock_rdlock(&rbac->lock);
        r = rbac_each(rbac, user, namespace, arena, collect, &c);
        pthread_rwlock_unlock(&rbac->lock);
        if (r >= 0)
                r = c.error;
        if (r >= 0 && c.missing.count > 0) {
                error = auth_join(arena, &c.missing, ", ");
                if (error && c.missing.count > 1)
                        error = arena_printf(arena, "[%s]", error);
                if (!error)
                        r = -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret_rules = c.rules;
        *ret_error = error;
        return 0;
}
