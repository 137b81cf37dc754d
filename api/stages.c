/* The table of stages that a request goes through, and the first of them. */
#include <errno.h>
#include <string.h>

#include "api/access/access.h"
#include "api/admission/admission.h"
#include "api/audit/audit.h"
#include "api/discovery/discovery.h"
#include "api/pages/pages.h"
#include "api/pods/pods.h"
#include "api/priority/priority.h"
#include "api/proxy/proxy.h"
#include "api/rest/rest.h"
#include "api/reviews.h"
#include "api/server/deadline.h"
#include "api/server/flow.h"
#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/services/services.h"
#include "api/usage/usage.h"
#include "api/server/respond.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"

static uint16_t verb_of(const char *method, bool named) {
        static const struct {
                const char *method;
                uint16_t of_object, of_collection;
        } verbs[] = {
                { "GET", KUBE_VERB_GET, KUBE_VERB_LIST },
                { "HEAD", KUBE_VERB_GET, KUBE_VERB_LIST },
                { "POST", KUBE_VERB_CREATE, KUBE_VERB_CREATE },
                { "PUT", KUBE_VERB_UPDATE, KUBE_VERB_UPDATE },
                { "PATCH", KUBE_VERB_PATCH, KUBE_VERB_PATCH },
                { "DELETE", KUBE_VERB_DELETE, KUBE_VERB_DELETECOLLECTION },
        };

        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (strcmp(verbs[i].method, method) == 0)
                        return named ? verbs[i].of_object : verbs[i].of_collection;
        return 0;
}

/* Over HTTP/2 (RFC 8441), where GET is not what it is asked by. */
static bool asks_for_websocket(const struct http_request *q) {
        return q->version == 20 && q->upgrade && strcmp(q->method, "CONNECT") == 0;
}

/* Before anybody is asked who he is, in the words of Go's http.Error. */
static enum api_step refuse_half(struct api_request *r) {
        static const struct http_field own[] = { { "content-type", "text/plain; charset=utf-8" },
                                                 { "x-content-type-options", "nosniff" } };
        const char *target = http_request_of(r->x)->target;
        const char *text = arena_printf(r->arena,
                                        "Internal Server Error: \"%s\": failed to create RequestInfo: unable to "
                                        "determine kind and namespace from url, %s\n",
                                        target, target);
        _cleanup_bytes_ struct bytes *bytes = text ? bytes_copy(text, strlen(text)) : NULL;
        struct http_body *body = bytes ? http_body_new(bytes) : NULL;

        if (!body)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_with(r, 500, own, ELEMENTS(own), body);
        http_body_unref(body);
        return API_END;
}

/* What is asked for, by path and method alone. */
static enum api_step read_target(struct api_request *r) {
        const struct http_request *q = http_request_of(r->x);
        int error = api_path_parse(r->arena, q->target, q->n_path, &r->path);

        if (error == -EDOM)
                return refuse_half(r);
        if (error < 0)
                return error == -ENOMEM ? api_fail(r, error, NULL) :
                                          api_refuse(r, API_BAD_REQUEST, "the path is no valid encoding");
        r->verb = r->path.is_resource ? verb_of(asks_for_websocket(q) ? "GET" : q->method, r->path.name) : 0;
        return API_NEXT;
}

enum {
        CHANGES = KUBE_VERB_CREATE | KUBE_VERB_UPDATE | KUBE_VERB_PATCH,
        REMOVES = KUBE_VERB_DELETE,
        CLEARS = KUBE_VERB_DELETECOLLECTION,
        READS = KUBE_VERB_GET | KUBE_VERB_LIST,
};

const struct api_stage api_stages[] = {
        { "target", API_ALWAYS, 0, read_target },
        { "form", API_ALWAYS, 0, api_read_form },
        { "deadline", API_ALWAYS, 0, api_deadline_read },
        { "authenticate", API_ALWAYS, 0, api_authenticate },
        { "audit", API_ALWAYS, 0, audit_begin },
        { "impersonate", API_ALWAYS, 0, api_impersonate },
        { "classify", API_ALWAYS, 0, priority_classify },
        { "enter", API_ALWAYS, 0, api_enter },
        { "authorize", API_ALWAYS, 0, api_authorize },
        { "page", API_FOR_OTHERS, 0, api_page },
        { "discover", API_FOR_OTHERS, 0, api_discover },
        { "route", API_FOR_RESOURCES, 0, api_route },
        { "authorize-tunnel", API_FOR_RESOURCES, KUBE_VERB_GET, api_authorize_tunnel },
        { "connect", API_FOR_RESOURCES, 0, api_connect },
        { "options", API_FOR_RESOURCES, 0, api_read_options },
        { "measure", API_FOR_RESOURCES, READS | KUBE_VERB_WATCH, api_measure },
        { "read", API_FOR_RESOURCES, READS, api_read },
        { "watch", API_FOR_RESOURCES, KUBE_VERB_WATCH, api_watch },
        { "receive", API_FOR_RESOURCES, CHANGES | REMOVES | CLEARS, api_receive },
        { "decode", API_FOR_RESOURCES, CHANGES | REMOVES | CLEARS, api_decode_body },
        { "note", API_FOR_RESOURCES, CHANGES | REMOVES | CLEARS, audit_note },
        { "admit-below", API_FOR_RESOURCES, KUBE_VERB_CREATE, api_admit_below },
        { "act", API_FOR_RESOURCES, KUBE_VERB_CREATE, api_pods_act },
        { "review", API_FOR_RESOURCES, KUBE_VERB_CREATE, api_review },
        { "clear", API_FOR_RESOURCES, CLEARS, api_clear },
        { "turn", API_FOR_RESOURCES, KUBE_VERB_UPDATE | KUBE_VERB_PATCH | KUBE_VERB_DELETE, api_take_turn },
        { "modify", API_FOR_RESOURCES, CHANGES, api_modify },
        { "default", API_FOR_RESOURCES, CHANGES, api_default },
        { "mutate", API_FOR_RESOURCES, CHANGES, api_mutate },
        { "prepare", API_FOR_RESOURCES, CHANGES, api_prepare },
        { "grant", API_FOR_RESOURCES, CHANGES, api_admit_grant },
        { "allocate", API_FOR_RESOURCES, CHANGES, api_services_allocate },
        { "validate", API_FOR_RESOURCES, CHANGES, api_validate },
        { "authorize-creation", API_FOR_RESOURCES, KUBE_VERB_UPDATE | KUBE_VERB_PATCH, api_authorize_creation },
        { "admit", API_FOR_RESOURCES, CHANGES, api_admit },
        { "remove", API_FOR_RESOURCES, REMOVES | CLEARS, api_remove },
        { "admit-removal", API_FOR_RESOURCES, REMOVES | CLEARS, api_admit_removal },
        { "commit", API_FOR_RESOURCES, CHANGES | REMOVES | CLEARS, api_commit },
        { "answer", API_FOR_RESOURCES, CHANGES | REMOVES | CLEARS, api_answer },
        { 0 },
};
