/* What is said of those that are not reached: in the words of Go's net and crypto/tls, as kube-apiserver passes them
 * on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/json_writer.h"

const char *proxy_host_port(struct arena *arena, const struct proxy_target *target) {
        bool six = strchr(target->host, ':');
        const char *port = *target->port ? target->port : strcmp(target->scheme, "https") == 0 ? "443" : "80";

        return arena_printf(arena, six ? "[%s]:%s" : "%s:%s", target->host, port);
}

/* OpenSSL's words of a certificate that does not count, and Go's. */
static const char *certificate_words(const char *why) {
        static const struct {
                const char *part, *words;
        } known[] = {
                { "local issuer", "x509: certificate signed by unknown authority" },
                { "self-signed", "x509: certificate signed by unknown authority" },
                { "self signed", "x509: certificate signed by unknown authority" },
                { "unable to verify", "x509: certificate signed by unknown authority" },
                { "has expired", "x509: certificate has expired or is not yet valid" },
                { "not yet valid", "x509: certificate has expired or is not yet valid" },
                { "IP address mismatch", "x509: certificate is not valid for this address" },
                { "ostname mismatch", "x509: certificate is not valid for this name" },
        };

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strstr(why, known[i].part))
                        return known[i].words;
        return NULL;
}

static const char *errno_words(int error) {
        switch (error) {
        case -ECONNREFUSED:
                return "connect: connection refused";
        case -EHOSTUNREACH:
                return "connect: no route to host";
        case -ENETUNREACH:
                return "connect: network is unreachable";
        case -ETIMEDOUT:
                return "i/o timeout";
        case -ECONNRESET:
                return "read: connection reset by peer";
        default:
                return strerror(-error);
        }
}

const char *proxy_dial_words(struct arena *arena, const char *address, int error, const char *why) {
        const char *certificate = why ? certificate_words(why) : NULL;

        if (error == -EPROTOTYPE)
                return "http: server gave HTTP response to HTTPS client";
        if (certificate)
                return arena_printf(arena, "tls: failed to verify certificate: %s", certificate);
        if (error == -EPROTO && why)
                return arena_printf(arena, "remote error: tls: %s", why);
        if (!address)
                return arena_printf(arena, "dial tcp: %s", why ?: errno_words(error));
        return arena_printf(arena, "dial tcp %s: %s", address, errno_words(error));
}

void proxy_refuse(struct api_request *r, const struct proxy_target *target, const char *words, bool sent) {
        const char *url;

        words = words ?: "out of memory";
        if (target->form == PROXY_REQUEST && http_request_of(r->x)->upgrade) {
                api_refuse(r, API_BROKEN, sent ? "%s" : "error dialing backend: %s", words);
                return;
        }
        switch (target->form) {
        case PROXY_EXEC:
        case PROXY_FORWARD:
                api_refuse(r, API_BROKEN, sent ? "%s" : "error dialing backend: %s", words);
                return;
        case PROXY_LOG:
                url = arena_printf(r->arena, "%s://%s%s%s%s", target->scheme, proxy_host_port(r->arena, target),
                                   target->path, *target->query ? "?" : "", target->query);
                api_refuse(r, API_BROKEN, "Get \"%s\": %s", url ?: "", words);
                return;
        case PROXY_REQUEST:
                api_refuse(r, API_UNAVAILABLE, "error trying to reach service: %s", words);
                return;
        }
}

/* What apimachinery's NewGenericServerResponse() says of a status. */
static const struct {
        int status;
        const char *reason, *words; /* @words NULL: the kubelet's own */
} refusals[] = {
        { 401, "Unauthorized", "the server has asked for the client to provide credentials" },
        { 403, "Forbidden", NULL },
        { 404, "NotFound", "the server could not find the requested resource" },
        { 405, "MethodNotAllowed", "the server does not allow this method on the requested resource" },
        { 409, "Conflict", "the server reported a conflict" },
        { 429, "TooManyRequests", "the server has received too many requests and has asked us to try again later" },
        { 503, "ServiceUnavailable", "the server is currently unable to handle the request" },
        { 504, "Timeout",
          "the server was unable to return a response in the time allotted, but may still be processing the request" },
};

static const char *log_words(struct arena *arena, int status, const char *text, const char **ret_reason) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++)
                if (refusals[i].status == status) {
                        *ret_reason = refusals[i].reason;
                        return refusals[i].words ?: text;
                }
        *ret_reason = status > 500 ? "InternalError" : NULL;
        return status > 500 ?
                       arena_printf(arena, "an error on the server (%s) has prevented the request from succeeding",
                                    go_text_quote(arena, text) ?: "") :
                       arena_printf(arena,
                                    "the server responded with the status code %d but did not return more details",
                                    status);
}

static void refuse_as(struct api_request *r, int status, const char *text) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        const char *reason, *words = log_words(r->arena, status, text, &reason);
        size_t length = 0;

        json_begin_map(&w);
        json_add_string(&w, "kind", "Status");
        json_add_string(&w, "apiVersion", "v1");
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_end_map(&w);
        json_add_string(&w, "status", "Failure");
        json_add_string(&w, "message", arena_printf(r->arena, "%s ( pods/log %s)", words ?: "", r->path.name) ?: "");
        json_add_string_if(&w, "reason", reason);
        json_key(&w, "details");
        json_begin_map(&w);
        json_add_string(&w, "name", r->path.name);
        json_add_string(&w, "kind", "pods/log");
        json_end_map(&w);
        json_add_int(&w, "code", status);
        json_end_map(&w);
        if (json_writer_finish(&w, &json, &length) < 0)
                length = 0;
        api_respond_status(r, status, json, length);
}

void proxy_refuse_log(struct api_request *r, int status, const char *text) {
        const struct api_cause cause = { .message = text };

        if (status == 400)
                api_refuse(r, API_BAD_REQUEST, "%s", text);
        else if (status == 500)
                api_refuse_cause(r, API_INTERNAL, arena_printf(r->arena, "Internal error occurred: %s", text) ?: "",
                                 &cause, 0);
        else
                refuse_as(r, status, text);
}

void proxy_refuse_redirect(struct api_request *r, const char *location) {
        api_refuse(r, API_BROKEN, "Get \"%s\": redirects forbidden", location);
}

void proxy_refuse_switch(struct api_request *r, const char *protocol) {
        api_refuse(r, API_BROKEN, "backend tried to switch protocol %s when \"\" was requested",
                   go_text_quote(r->arena, protocol) ?: "");
}
