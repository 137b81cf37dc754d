/* /openapi/v2, in the form that is asked for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/discovery/openapi.h"
#include "api/server/negotiate.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"

#define PROTOBUF_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

/* The old one is asked for as well; it is no media type by the letter. */
static bool takes_protobuf(const char *accept) {
        return accept && (strstr(accept, PROTOBUF_TYPE) ||
                          strstr(accept, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"));
}

static void send_document(struct api_request *r, const struct api_document *document, const char *type) {
        const char *asked = http_fields_get(&http_request_of(r->x)->fields, "if-none-match");
        char etag[API_DOCUMENT_HASH_MAX + 2];
        const struct http_field fields[] = { { "cache-control", "no-cache, private" },
                                             { "content-type", type },
                                             { "etag", etag },
                                             { "vary", "Accept" } };
        bool known;

        snprintf(etag, sizeof(etag), "\"%s\"", document->hash);
        known = asked && strcmp(asked, etag) == 0;
        api_respond_with(r, known ? 304 : 200, fields, ELEMENTS(fields), known ? NULL : document->body);
}

enum api_step api_openapi_show_v2(struct api_request *r, const char *rest) {
        const char *accept = http_fields_get(&http_request_of(r->x)->fields, "accept");
        const struct http_field none[] = { { "cache-control", "no-cache, private" }, { "vary", "Accept" } };
        bool protobuf = takes_protobuf(accept);
        struct api_document document;
        int error;

        if (!protobuf && !api_takes_json(accept)) {
                api_respond_with(r, 406, none, ELEMENTS(none), NULL);
                return API_END;
        }
        error = api_openapi_take(r->server->config.openapi, protobuf ? API_DOCUMENT_V2_PROTOBUF : API_DOCUMENT_V2,
                                 &document);
        if (error < 0)
                return api_fail(r, error, NULL);
        send_document(r, &document, protobuf ? PROTOBUF_TYPE : "application/json");
        http_body_unref(document.body);
        return API_END;
}
