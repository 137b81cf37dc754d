/* Services as variables: NAME_SERVICE_HOST, NAME_SERVICE_PORT, and those of Docker's links. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "agent/objects/internal.h"
#include "lib/arena.h"

#define PER_SERVICE 2 /* host and first port */
#define PER_PORT 6    /* its own, five of a link; the first has a link's more in place of a name */

struct made {
        struct arena *arena;
        string_map map;
        bool failed;
};

static void add(struct made *made, const char *key, const char *value) {
        if (!key || !value)
                made->failed = true;
        else
                made->map.items[made->map.count++] = (struct string_pair){ key, value };
}

/* In capitals, "-" as "_". */
static char *variable_name(struct arena *arena, const char *text) {
        char *name = arena_strdup(arena, text);

        for (char *at = name; at && *at; at++)
                *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
        return name;
}

static char *lower(struct arena *arena, const char *text) {
        char *name = arena_strdup(arena, text);

        for (char *at = name; at && *at; at++)
                *at = (char)tolower((unsigned char)*at);
        return name;
}

static void add_port(struct made *made, const char *prefix, const struct objects_service *s, size_t i) {
        const struct objects_port *port = &s->ports[i];
        bool six = strchr(s->ip, ':');
        const char *protocol = lower(made->arena, port->protocol), *upper = variable_name(made->arena, port->protocol);
        const char *number = arena_printf(made->arena, "%lld", (long long)port->port), *url, *link;

        if (!protocol || !upper || !number) {
                made->failed = true;
                return;
        }
        url = arena_printf(made->arena, six ? "%s://[%s]:%s" : "%s://%s:%s", protocol, s->ip, number);
        link = arena_printf(made->arena, "%s_PORT_%s_%s", prefix, number, upper);
        if (i == 0)
                add(made, arena_printf(made->arena, "%s_PORT", prefix), url);
        add(made, link, url);
        add(made, link ? arena_printf(made->arena, "%s_PROTO", link) : NULL, protocol);
        add(made, link ? arena_printf(made->arena, "%s_PORT", link) : NULL, number);
        add(made, link ? arena_printf(made->arena, "%s_ADDR", link) : NULL, s->ip);
}

static void add_service(struct made *made, const struct objects_service *s) {
        const char *prefix = variable_name(made->arena, s->name);

        if (!prefix || s->n_ports == 0) {
                made->failed |= !prefix;
                return;
        }
        add(made, arena_printf(made->arena, "%s_SERVICE_HOST", prefix), s->ip);
        add(made, arena_printf(made->arena, "%s_SERVICE_PORT", prefix),
            arena_printf(made->arena, "%lld", (long long)s->ports[0].port));
        for (size_t i = 0; i < s->n_ports; i++) {
                const char *name = variable_name(made->arena, s->ports[i].name);

                if (!name || *name)
                        add(made, name ? arena_printf(made->arena, "%s_SERVICE_PORT_%s", prefix, name) : NULL,
                            arena_printf(made->arena, "%lld", (long long)s->ports[i].port));
        }
        for (size_t i = 0; i < s->n_ports; i++)
                add_port(made, prefix, s, i);
}

static bool is_master(const struct objects_service *s) {
        return strcmp(s->namespace, "default") == 0 && strcmp(s->name, "kubernetes") == 0;
}

/* The texts are the services', and may go before the map does: they are copied. */
static int make(struct made *made, const struct objects_service *const *chosen, size_t n) {
        size_t room = 1;

        for (size_t i = 0; i < n; i++)
                room += PER_SERVICE + PER_PORT * chosen[i]->n_ports;
        if (!(made->map.items = arena_alloc_array(made->arena, room, sizeof(*made->map.items))))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct objects_service s = *chosen[i];

                if (!(s.ip = arena_strdup(made->arena, s.ip)))
                        return -ENOMEM;
                add_service(made, &s);
        }
        return made->failed ? -ENOMEM : 0;
}

/* One of the namespace that is called `kubernetes` takes the other's place there. */
int services_write(const struct objects *o, const char *namespace, bool links, struct arena *arena,
                   string_map *ret_variables) {
        const struct index_pair own = { namespace, NULL }, master = { "default", "kubernetes" };
        const struct objects_service *kubernetes = index_find(&o->services, service_key, &master);
        struct made made = { .arena = arena };
        const struct objects_service **chosen;
        size_t n = 0, room = 2;
        int r;

        INDEX_EACH (struct objects_service, s, &o->services, service_key, &own)
                room += links;
        if (!(chosen = arena_alloc_array(arena, room, sizeof(*chosen))))
                return -ENOMEM;
        INDEX_EACH (struct objects_service, s, &o->services, service_key, &own) {
                if (!links || is_master(s))
                        continue;
                if (strcmp(s->name, "kubernetes") == 0)
                        kubernetes = NULL;
                chosen[n++] = s;
        }
        if (kubernetes)
                chosen[n++] = kubernetes;
        if ((r = make(&made, chosen, n)) == 0)
                *ret_variables = made.map;
        return r;
}
