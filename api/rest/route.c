/* Which kind a path is of, and whether its verb is known there. */
#include <string.h>

#include "api/rest/rest.h"
#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"

#define NO_RESOURCE "the server could not find the requested resource"

/* A path whose group is not served is no page; one whose group is, is no resource, in whichever version. */
struct group {
        const char *name;
        bool served;
};

static void look_for_group(void *data, const struct kube_kind *kind) {
        struct group *group = data;

        group->served |= kind->resource && strcmp(kind->group, group->name) == 0;
}

static enum api_step refuse_path(struct api_request *r) {
        struct group group = { .name = r->path.group };

        kube_registry_each(r->server->config.registry, look_for_group, &group);
        return group.served ? api_refuse(r, API_NOT_FOUND, NO_RESOURCE) : api_no_page(r);
}

static uint16_t verbs_of(const struct api_request *r) {
        return r->sub ? r->sub->verbs : r->kind->verbs;
}

/* Objects in namespaces are made and named within one; lists and watches go across all. A namespace's path says its
 * name once, where it is also who is asked for: one that was said before it would be another's right. */
static bool fits_scope(const struct api_request *r) {
        const struct api_path *p = &r->path;

        if (p->watch && (p->sub || !(r->kind->verbs & KUBE_VERB_WATCH)))
                return false;
        if (p->name && !p->sub && r->kind->verbs == KUBE_VERB_CREATE)
                return false; /* what is only answered has no name to be found by */
        if (r->kind->namespaced)
                return p->namespace || (!p->name && r->kind->verbs & KUBE_VERB_LIST);
        return !p->namespace || p->namespace == p->name;
}

/* Only what others answer has a head of its own. */
static bool is_head(const struct api_request *r) {
        return r->x && strcmp(http_request_of(r->x)->method, "HEAD") == 0;
}

/* Who answers a proxy's requests says which methods there are. */
static bool is_any(const struct api_request *r) {
        return r->x && r->sub && strcmp(r->sub->name, "proxy") == 0 &&
               strcmp(http_request_of(r->x)->method, "OPTIONS") == 0;
}

/* Collections are posted to, objects changed; what is made below an object is its subresource's. */
static bool fits_verb(const struct api_request *r) {
        const struct api_path *p = &r->path;

        if (is_any(r))
                return true;
        if (p->watch && !(r->verb & (KUBE_VERB_GET | KUBE_VERB_LIST)))
                return false; /* who may watch may change nothing by it */
        if (!(verbs_of(r) & r->verb) || (is_head(r) && !(r->sub && strcmp(r->sub->name, "proxy") == 0)))
                return false;
        if (r->verb == KUBE_VERB_DELETECOLLECTION && r->kind->namespaced && !p->namespace)
                return false;
        if (r->verb == KUBE_VERB_CREATE)
                return (!r->kind->namespaced || p->namespace) && !p->name == !p->sub;
        return p->name || !(r->verb & (KUBE_VERB_UPDATE | KUBE_VERB_PATCH));
}

/* What is served still, and better not asked for any more. */
static void warn_of_old(struct api_request *r) {
        static const struct {
                const char *resource, *text;
        } old[] = {
                { "endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" },
                { "componentstatuses", "v1 ComponentStatus is deprecated in v1.19+" },
        };

        for (size_t i = 0; !*r->kind->group && i < ELEMENTS(old); i++)
                if (strcmp(old[i].resource, r->kind->resource) == 0)
                        api_warn(r, old[i].text);
}

/* "//" in the path; behind "proxy" it is for who answers. */
static bool has_empty_segment(const struct api_path *p) {
        const char *empty = strstr(p->whole, "//"), *end;

        if (!empty || !p->sub || strcmp(p->sub, "proxy") != 0)
                return empty;
        end = p->rest ?: p->whole + strlen(p->whole);
        while (end > p->whole && end[-1] == '/')
                end--;
        return empty < end;
}

enum api_step api_route(struct api_request *r) {
        const struct api_path *p = &r->path;

        if (has_empty_segment(p))
                return api_no_route(r);
        if (!p->proxy)
                r->kind = kube_registry_resource(r->server->config.registry, p->group, p->version, p->resource);
        if (!r->kind)
                return refuse_path(r);
        if (p->sub)
                r->sub = kube_kind_subresource(r->kind, p->sub);
        if ((p->sub && !r->sub) || !fits_scope(r) || (p->rest && strcmp(p->sub, "proxy") != 0))
                return api_refuse(r, API_NOT_FOUND, NO_RESOURCE);
        if (!fits_verb(r))
                return api_refuse(r, API_METHOD_NOT_ALLOWED,
                                  "the server does not allow this method on the requested resource");
        r->resource = api_state_resource(r->server->config.state, r->kind);
        if (!r->resource && r->verb != KUBE_VERB_CREATE)
                return api_refuse(r, API_NOT_FOUND, NO_RESOURCE);
        warn_of_old(r);
        r->type = r->sub ? r->sub->type : r->kind->type;
        r->name = p->name;
        return API_NEXT;
}

enum api_step api_read_options(struct api_request *r) {
        enum api_step step;

        r->agent = arena_strdup(r->arena, http_fields_get(&http_request_of(r->x)->fields, "user-agent"));
        if (r->no_shape)
                return api_refuse(r, API_NO_SHAPE,
                                  "only the following media types are accepted: application/json, application/yaml, "
                                  "application/vnd.kubernetes.protobuf");
        if (r->no_media)
                return api_refuse(r, API_NOT_ACCEPTABLE,
                                  "406: Not Acceptable\n\nAvailable representations: application/json, "
                                  "application/yaml, application/vnd.kubernetes.protobuf%s",
                                  r->verb != KUBE_VERB_LIST ? "" :
                                                              ", application/json;stream=watch, "
                                                              "application/vnd.kubernetes.protobuf;stream=watch");
        step = api_options_read(r);
        if (step == API_NEXT && ((r->path.watch && r->verb == KUBE_VERB_GET) ||
                                 ((r->path.watch || r->options.watch) && r->verb == KUBE_VERB_LIST)))
                r->verb = KUBE_VERB_WATCH;
        if (step == API_NEXT && r->verb == KUBE_VERB_WATCH && !(r->kind->verbs & KUBE_VERB_WATCH))
                return api_refuse_object(r, API_METHOD_NOT_ALLOWED, "",
                                         "watch is not supported on resources of kind \"%s\"", r->kind->resource);
        if (step == API_NEXT && r->verb == KUBE_VERB_WATCH && r->media.form == API_YAML)
                return api_refuse(r, API_NO_SHAPE,
                                  "only the following media types are accepted: application/json;stream=watch, "
                                  "application/vnd.kubernetes.protobuf;stream=watch");
        return step;
}
