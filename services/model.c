/* Which Services there are, and who is behind them: two watches, of which only what counts is kept. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "services/internal.h"

#define OF_SERVICES(handler) ((struct services *)((char *)(handler)-offsetof(struct services, balance.heard_services)))
#define OF_SLICES(handler) ((struct services *)((char *)(handler)-offsetof(struct services, balance.heard_slices)))

int model_compare_ports(const struct model_port *a, const struct model_port *b) {
        return strcmp(a->name, b->name) ?: a->protocol - b->protocol;
}

/* Something of it is another. */
static void touch(struct services *s, struct model_service *service) {
        if (services_due_contains(service))
                return;
        services_due_append(&s->balance.due, service);
        balance_later(s, SERVICES_GATHER_MS);
}

static struct model_service *find(struct balance *b, const char *key) {
        return table_object(table_find(&b->by_key, key), struct model_service, by_key);
}

/* What has @key, as empty as it may be; NULL without memory. */
static struct model_service *get(struct balance *b, const char *key) {
        struct model_service *service = find(b, key);
        size_t n = strlen(key) + 1;

        if (service)
                return service;
        service = calloc(1, sizeof(*service) + n);
        if (!service)
                return NULL;
        memcpy(service->key, key, n);
        if (table_add(&b->by_key, &service->by_key, service->key) < 0) {
                free(service);
                return NULL;
        }
        services_all_append(&b->all, service);
        return service;
}

void model_drop(struct services *s, struct model_service *service) {
        if (service->there || !slices_is_empty(&service->slices) || services_due_contains(service))
                return;
        services_all_remove(service);
        table_remove(&s->balance.by_key, &service->by_key);
        fronts_done(&s->balance, service);
        arena_free(service->arena);
        free(service);
}

static void key_of(const struct client_object *object, char ret_key[2 * CLIENT_NAME_MAX + 2]) {
        snprintf(ret_key, 2 * CLIENT_NAME_MAX + 2, "%s/%s", object->namespace, object->name);
}

static void tell_passed_over(const char *kind, const char *key, int r) {
        log_error("%s %s of the API service is passed over: %s", kind, key,
                  r == -EINVAL ? "it cannot be read" :
                  r == -E2BIG  ? "too many of them" :
                                 "out of memory");
}

/* -- Services ---------------------------------------------------------------------------------------------- */

static void forget_service(struct services *s, struct model_service *service) {
        service->there = false;
        s->balance.n_there--;
        touch(s, service);
}

/* Those that are told of by their slices alone take no room: there may be as many of them as there are slices. */
static int take_service(struct services *s, struct model_service *service, const struct client_object *object) {
        struct balance *b = &s->balance;
        int r = !service->there && b->n_there >= SERVICES_MAX ? -E2BIG : read_service(object, service);

        if (r < 0)
                return r;
        b->n_there += !service->there;
        service->there = true;
        return 0;
}

static void on_service(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct services *s = OF_SERVICES(handler);
        char key[2 * CLIENT_NAME_MAX + 2];
        struct model_service *service;
        int r;

        key_of(object, key);
        service = change == CLIENT_DELETED ? find(&s->balance, key) : get(&s->balance, key);
        if (change == CLIENT_DELETED) {
                if (service && service->there)
                        forget_service(s, service);
                return;
        }
        if (!service)
                return tell_passed_over("service", key, -ENOMEM);
        r = take_service(s, service, object);
        if (r < 0) /* it stays as it was */
                tell_passed_over("service", key, r);
        service->listed = true;
        touch(s, service);
}

static void on_services_begin(struct informer_handler *handler) {
        struct services *s = OF_SERVICES(handler);

        s->balance.listing |= 1;
        LIST_EACH (services_all, service, &s->balance.all)
                service->listed = false;
}

static void on_services_end(struct informer_handler *handler) {
        struct services *s = OF_SERVICES(handler);

        LIST_EACH (services_all, service, &s->balance.all)
                if (service->there && !service->listed)
                        forget_service(s, service);
        s->balance.listing &= ~1u;
        balance_later(s, SERVICES_GATHER_MS);
}

/* -- EndpointSlices ---------------------------------------------------------------------------------------- */

static struct slice *find_slice(struct balance *b, const char *key) {
        return table_object(table_find(&b->slices_by_key, key), struct slice, by_key);
}

static void forget_slice(struct services *s, struct slice *slice) {
        table_remove(&s->balance.slices_by_key, &slice->by_key);
        slices_remove(slice);
        touch(s, slice->service);
        arena_free(slice->arena);
}

static int add_slice(struct services *s, struct slice *slice, const char *owner) {
        struct balance *b = &s->balance;
        struct model_service *service;

        if (b->slices_by_key.n >= SERVICES_SLICES_MAX)
                return -E2BIG;
        if (!(service = get(b, owner)))
                return -ENOMEM;
        touch(s, service);
        if (table_add(&b->slices_by_key, &slice->by_key, slice->key) < 0)
                return -ENOMEM;
        slice->service = service;
        slice->listed = true;
        slices_append(&service->slices, slice);
        return 0;
}

static void on_slice(struct informer_handler *handler, enum client_change change, struct client_object *object,
                     struct client_object *old) {
        struct services *s = OF_SLICES(handler);
        char key[2 * CLIENT_NAME_MAX + 2];
        struct slice *slice = NULL, *before;
        const char *owner = NULL;
        int r;

        key_of(object, key);
        before = find_slice(&s->balance, key);
        r = change == CLIENT_DELETED ? 0 : read_slice(object, s->config.node, &slice, &owner);
        if (r < 0) {
                tell_passed_over("endpointslice", key, r);
                if (before)
                        before->listed = true; /* it stays as it was */
                return;
        }
        if (before)
                forget_slice(s, before);
        if (slice && owner)
                r = add_slice(s, slice, owner);
        if (r < 0)
                tell_passed_over("endpointslice", key, r);
        if (slice && (!owner || r < 0))
                arena_free(slice->arena);
}

static void each_slice(struct services *s, void (*call)(struct services *s, struct slice *slice)) {
        LIST_EACH (services_all, service, &s->balance.all)
                LIST_EACH (slices, slice, &service->slices)
                        call(s, slice);
}

static void mark_unlisted(struct services *s, struct slice *slice) {
        slice->listed = false;
}

static void forget_unlisted(struct services *s, struct slice *slice) {
        if (!slice->listed)
                forget_slice(s, slice);
}

static void on_slices_begin(struct informer_handler *handler) {
        struct services *s = OF_SLICES(handler);

        s->balance.listing |= 2;
        each_slice(s, mark_unlisted);
}

static void on_slices_end(struct informer_handler *handler) {
        struct services *s = OF_SLICES(handler);

        each_slice(s, forget_unlisted);
        s->balance.listing &= ~2u;
        balance_later(s, SERVICES_GATHER_MS);
}

/* -- from its beginning to its end ------------------------------------------------------------------------- */

static void on_synced(void *data) {
        struct services *s = data;

        s->balance.synced = true;
        uv_timer_stop(s->balance.unheard);
        balance_later(s, 0);
}

static void on_unheard(uv_timer_t *timer) {
        log_warning("services: the API service does not tell this node of Services and EndpointSlices, whose addresses "
                    "lead nowhere from here: if it is there, it must let the group system:nodes list and watch them "
                    "(a ClusterRoleBinding to system:node-proxier)");
}

int model_init(struct services *s) {
        struct balance *b = &s->balance;

        b->unheard = handle_timer(s->config.loop, s);
        return b->unheard ? balance_init(s) : -ENOMEM;
}

int model_start(struct services *s) {
        struct balance *b = &s->balance;
        struct informer *services, *slices;

        b->heard_services = (struct informer_handler){ .changed = on_service,
                                                       .list_begins = on_services_begin,
                                                       .list_ends = on_services_end };
        b->heard_slices = (struct informer_handler){ .changed = on_slice,
                                                     .list_begins = on_slices_begin,
                                                     .list_ends = on_slices_end };
        b->informers = informers_new(s->config.client, on_synced, s);
        services = b->informers ? informers_get(b->informers, &services_services, NULL, false) : NULL;
        slices = b->informers ? informers_get(b->informers, &services_slices, NULL, false) : NULL;
        if (!services || !slices)
                return -ENOMEM;
        informer_add(services, &b->heard_services);
        informer_add(slices, &b->heard_slices);
        uv_timer_start(b->unheard, on_unheard, SERVICES_UNHEARD_MS, 0);
        return informers_start(b->informers);
}

void model_done(struct services *s) {
        struct balance *b = &s->balance;
        struct model_service *service;

        informers_free(b->informers);
        b->informers = NULL;
        balance_done(s);
        while ((service = services_all_first(&b->all))) {
                struct slice *slice;

                while ((slice = slices_pop(&service->slices)))
                        arena_free(slice->arena);
                if (services_due_contains(service))
                        services_due_remove(service);
                service->there = false;
                model_drop(s, service);
        }
        table_clear(&b->by_key);
        table_clear(&b->slices_by_key);
        handle_free(b->unheard);
        b->unheard = NULL;
}
