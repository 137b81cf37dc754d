/* Services that have an address, of all namespaces: of each what variables are made of, and nothing more. */
#include <errno.h>
#include <string.h>

#include "agent/objects/internal.h"
#include "kube/core_v1.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/value.h"

#define PORTS_MAX 1024 /* of a Service */

static const struct kube_kind services = { .group = "",
                                           .version = "v1",
                                           .kind = "Service",
                                           .type = &kube_service_type,
                                           .resource = "services",
                                           .namespaced = true };

static struct objects *objects_of(struct informer_handler *handler) {
        return (struct objects *)((char *)handler - offsetof(struct objects, heard));
}

static struct objects_service *free_service(struct objects_service *s) {
        if (s)
                arena_free(s->arena);
        return NULL;
}

static bool has_address(const char *ip) {
        return *ip && strcmp(ip, "None") != 0;
}

static int read_ports(struct objects_service *s, const struct value *ports) {
        uint32_t n = value_count(ports) < PORTS_MAX ? value_count(ports) : PORTS_MAX;

        if (!(s->ports = arena_alloc_array(s->arena, n + 1, sizeof(*s->ports))))
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                const struct value *from = value_at(ports, i);
                struct objects_port *port = &s->ports[i];

                port->name = arena_strdup(s->arena, value_string_or(value_get(from, "name"), ""));
                port->protocol = arena_strdup(s->arena, value_string_or(value_get(from, "protocol"), "TCP"));
                value_integer(value_get(from, "port"), &port->port);
                if (!port->name || !port->protocol)
                        return -ENOMEM;
        }
        s->n_ports = n;
        return 0;
}

/* NULL in *@ret_service: it has no address. */
static int read_service(const struct client_object *object, struct objects_service **ret_service) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        struct arena *arena = NULL;
        const struct value *tree = NULL;
        struct objects_service *s;
        const char *ip;

        if (!scratch || client_object_tree(scratch, object, &tree) < 0)
                return -ENOMEM;
        ip = value_string_or(value_find(tree, "spec.clusterIP"), "");
        if (!has_address(ip))
                return 0;
        arena = arena_new_small(256);
        s = arena ? arena_new_of(arena, struct objects_service) : NULL;
        if (!s) {
                arena_free(arena);
                return -ENOMEM;
        }
        s->arena = arena;
        s->namespace = arena_strdup(arena, object->namespace);
        s->name = arena_strdup(arena, object->name);
        s->ip = arena_strdup(arena, ip);
        if (!s->namespace || !s->name || !s->ip || read_ports(s, value_find(tree, "spec.ports")) < 0) {
                free_service(s);
                return -ENOMEM;
        }
        *ret_service = s;
        return 0;
}

static void drop(struct objects *o, const struct client_object *object) {
        const struct objects_service like = { .namespace = object->namespace, .name = object->name };

        free_service(index_remove(&o->services, &like));
}

static int add(struct objects *o, struct objects_service *service) {
        int r;

        if (index_count(&o->services) >= OBJECTS_SERVICES_MAX)
                return -E2BIG;
        if ((r = index_add(&o->services, service)) < 0)
                return r;
        service->listed = true;
        return 0;
}

static void take(struct objects *o, const struct client_object *object) {
        struct objects_service *made = NULL;
        int r = read_service(object, &made);

        drop(o, object);
        if (r == 0 && (!made || (r = add(o, made)) == 0))
                return;
        log_error("Service %s/%s gives pods no variables: %s", object->namespace, object->name,
                  r == -E2BIG ? "there are too many" : "it cannot be read, or there is no memory");
        free_service(made);
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        if (change == CLIENT_DELETED)
                drop(objects_of(handler), object);
        else
                take(objects_of(handler), object);
}

static void on_list_begins(struct informer_handler *handler) {
        struct index_cursor at = index_seek(&objects_of(handler)->services, NULL, NULL);

        for (struct objects_service *s = index_at(&at); s; s = index_next(&at))
                s->listed = false;
}

static struct objects_service *find_unlisted(struct objects *o) {
        struct index_cursor at = index_seek(&o->services, NULL, NULL);
        struct objects_service *s = index_at(&at);

        while (s && s->listed)
                s = index_next(&at);
        return s;
}

/* What a list brings is all there is; after the first, containers that waited for it are made. */
static void on_list_ends(struct informer_handler *handler) {
        struct objects *o = objects_of(handler);
        struct objects_service *s;

        while ((s = find_unlisted(o)))
                free_service(index_remove(&o->services, s));
        if (!o->have_services)
                objects_tell_all_later(o);
        o->have_services = true;
}

/* @from lives as long as what has kept it: it is copied. */
static int copy(struct arena *arena, const string_map *from, string_map *to) {
        if (!(to->items = arena_alloc_array(arena, (size_t)from->count + 1, sizeof(*to->items))))
                return -ENOMEM;
        list_for_each (pair, from) {
                struct string_pair *made = &to->items[to->count++];

                made->key = arena_strdup(arena, pair->key);
                made->value = arena_strdup(arena, pair->value);
                if (!made->key || !made->value)
                        return -ENOMEM;
        }
        return 0;
}

int objects_services(const struct objects *o, const struct pod *pod, struct arena *arena, string_map *ret_variables,
                     struct err **err) {
        const struct holder *holder = objects_find(o, pod->metadata.uid);
        const struct pod_sources *kept = holder ? objects_stand_in(holder) : NULL;

        if (o->have_services)
                return services_write(o, pod->metadata.namespace, pod->spec.enable_service_links != TRI_FALSE, arena,
                                      ret_variables);
        if (kept)
                return copy(arena, &kept->services, ret_variables);
        return err_set(err, EAGAIN, "services have not yet been read at least once, cannot construct envvars");
}

int services_begin(struct objects *o) {
        struct informer *informer;

        o->heard = (struct informer_handler){ .changed = on_changed,
                                              .list_begins = on_list_begins,
                                              .list_ends = on_list_ends };
        o->informers = informers_new(o->client, NULL, NULL);
        informer = o->informers ? informers_get(o->informers, &services, NULL, false) : NULL;
        if (!informer)
                return -ENOMEM;
        informer_add(informer, &o->heard);
        return informers_start(o->informers);
}

void services_end(struct objects *o) {
        struct index_cursor at = index_seek(&o->services, NULL, NULL);

        for (struct objects_service *s = index_at(&at); s; s = index_next(&at))
                free_service(s);
        index_clear(&o->services);
        informers_free(o->informers);
        o->informers = NULL;
}
