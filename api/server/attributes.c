#include "api/server/attributes.h"

#include <string.h>

#include "api/server/options.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/http/exchange.h"

static const char *lower(struct arena *arena, const char *text) {
        char *copy = arena_strdup(arena, text);

        for (char *c = copy; c && *c; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
        return copy ?: "";
}

static bool is_segment(const char *name) {
        return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strpbrk(name, "/%");
}

/* Which of a collection's objects: who may see some alone may when only these are asked for. */
static void read_query(struct api_request *r, struct auth_attributes *a) {
        const char *query = http_request_of(r->x)->query, *watch, *fields, *name;

        if (!*query || r->path.watch)
                return;
        watch = http_query(r->arena, query, "watch");
        if (r->verb == KUBE_VERB_LIST && watch && api_option_bool(watch))
                a->verb = "watch";
        fields = http_query(r->arena, query, "fieldSelector");
        if (!fields || auth_attributes_select(r->arena, fields, a) < 0 || r->verb != KUBE_VERB_LIST)
                return;
        name = auth_attributes_exact(a, "metadata.name");
        if (name && is_segment(name))
                a->name = name;
}

struct auth_attributes api_attributes(struct api_request *r) {
        const struct api_path *p = &r->path;
        struct auth_attributes a = AUTH_ATTRIBUTES(&r->user);

        a.path = p->whole;
        a.is_resource = p->is_resource;
        if (!p->is_resource) {
                a.verb = r->x ? lower(r->arena, http_request_of(r->x)->method) : "";
                return a;
        }
        a.verb = p->watch || p->proxy ? (p->watch ? "watch" : "proxy") : api_verb_name(r->verb);
        a.group = p->group;
        a.version = p->version;
        a.resource = p->resource;
        a.namespace = p->namespace ?: "";
        a.subresource = p->sub ?: "";
        a.name = p->name ?: "";
        if (r->x && r->verb & (KUBE_VERB_LIST | KUBE_VERB_DELETECOLLECTION))
                read_query(r, &a);
        return a;
}
