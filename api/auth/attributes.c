#include "api/auth/attributes.h"

#include "api/auth/text.h"
#include "api/auth/user.h"
#include "lib/arena.h"
#include "lib/go_text.h"

/* `User "jane" cannot get resource "pods/log" in API group "" in the namespace "default"` */
static char *cannot(struct arena *arena, const struct auth_attributes *a) {
        const char *user = go_text_quote(arena, a->user && a->user->name ? a->user->name : ""), *group, *resource,
                   *scope;

        if (!user)
                return NULL;
        if (!a->is_resource) {
                const char *path = go_text_quote(arena, a->path);

                return path ? arena_printf(arena, "User %s cannot %s path %s", user, a->verb, path) : NULL;
        }
        resource = a->subresource[0] ? arena_printf(arena, "%s/%s", a->resource, a->subresource) : a->resource;
        resource = resource ? go_text_quote(arena, resource) : NULL;
        group = go_text_quote(arena, a->group);
        scope = a->namespace[0] ? go_text_quote(arena, a->namespace) : "";
        if (!resource || !group || !scope)
                return NULL;
        return arena_printf(arena, "User %s cannot %s resource %s in API group %s %s%s", user, a->verb, resource, group,
                            a->namespace[0] ? "in the namespace " : "at the cluster scope", scope);
}

char *auth_forbidden(struct arena *arena, const struct auth_attributes *a, const char *reason) {
        const char *what = cannot(arena, a), *name, *dot = a->group[0] ? "." : "";

        if (what && reason && reason[0])
                what = arena_printf(arena, "%s: %s", what, reason);
        if (!what)
                return NULL;
        if (!a->is_resource)
                return arena_printf(arena, "forbidden: %s", what);
        if (!a->name[0])
                return arena_printf(arena, "%s%s%s is forbidden: %s", a->resource, dot, a->group, what);
        name = go_text_quote(arena, a->name);
        return name ? arena_printf(arena, "%s%s%s %s is forbidden: %s", a->resource, dot, a->group, name, what) : NULL;
}
