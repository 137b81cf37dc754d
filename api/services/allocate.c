/* The stage, and what a request holds. */
#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/services/addresses.h"
#include "api/services/ports.h"
#include "api/services/services.h"
#include "api/services/work.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static void release(void *held) {
        struct service_claims *claims = held;

        for (unsigned i = 0; i < claims->n_addresses; i++)
                addresses_unclaim(claims->services->addresses, &claims->addresses[i]);
        for (uint32_t i = 0; i < claims->n_ports; i++)
                ports_unclaim(claims->services->ports, claims->ports[i]);
        claims->n_addresses = claims->n_ports = 0;
}

static struct service_claims *new_claims(struct api_request *r, struct service_work *w) {
        struct service_claims *claims = arena_new_of(r->arena, struct service_claims);

        if (!claims)
                return NULL;
        claims->services = w->services;
        if (r->held)
                r->release(r->held);
        r->held = w->dry ? NULL : claims;
        r->release = release;
        return claims;
}

static int read_service(struct api_request *r, const struct value *tree, struct kube_service **ret_service) {
        struct kube_service *service = arena_new_of(r->arena, struct kube_service);
        struct problems problems;
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = service ? kube_value_read(r->arena, &kube_service_type, tree, "", &problems, service) : -ENOMEM;
        if (error == 0)
                *ret_service = service;
        return error ?: problems.errors > 0 ? -EBADMSG : 0;
}

static int write_service(struct api_request *r, const struct kube_service *service) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        size_t length;
        int error;

        kube_json_write(&w, &kube_service_type, service);
        error = json_writer_finish(&w, &text, &length);
        return error ?: json_parse(r->arena, text, length, NULL, &r->next, NULL);
}

static int work(struct service_work *w) {
        int r;

        if ((w->old && (r = service_families_keep(w)) < 0) || (r = service_families_normalize(w)) < 0 ||
            (r = service_families_choose(w)) < 0 || (r = service_addresses_give(w)) < 0 ||
            (r = service_ports_give(w)) < 0)
                return r;
        if (!service_has_addresses(w->service))
                w->service->spec.internal_traffic_policy = NULL;
        return w->old ? service_types_drop(w) : 0;
}

static enum api_step answer(struct api_request *r, const struct service_work *w, int error) {
        switch (error) {
        case -EINVAL:
                return api_invalid(r, r->name, &w->problems);
        case -EPROTO:
                return api_refuse(r, API_BROKEN, "%s", w->internal ?: "");
        default:
                return api_fail(r, error, w->internal);
        }
}

enum api_step api_services_allocate(struct api_request *r) {
        struct service_work w = { .arena = r->arena, .services = r->server->config.services, .dry = r->options.dry };
        struct kube_service *old = NULL;
        int error;

        if (!w.services || r->sub || strcmp(r->kind->resource, "services") != 0 || *r->kind->group)
                return API_NEXT;
        problems_init(&w.problems, r->arena, NULL, NULL);
        w.claims = new_claims(r, &w);
        error = w.claims ? read_service(r, r->next, &w.service) : -ENOMEM;
        if (error == 0 && !r->creates && r->current_tree)
                error = read_service(r, r->current_tree, &old);
        w.old = old;
        error = error ?: work(&w);
        error = error ?: write_service(r, w.service);
        return error < 0 ? answer(r, &w, error) : API_NEXT;
}
