/* What is said of those that are not reached: in the words of Go's net and crypto/tls, as kube-apiserver passes them
 * on. */
#include <errno.h>
#include <string.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

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
static enum api_step refuse_as(struct api_request *r, int status, const char *text) {
        const char *object = arena_printf(r->arena, "( pods/log %s)", r->path.name) ?: "";

        switch (status) {
        case 401:
                return api_refuse_object(r, API_UNAUTHORIZED, r->path.name,
                                         "the server has asked for the client to provide credentials %s", object);
        case 403:
                return api_refuse_object(r, API_FORBIDDEN, r->path.name, "%s %s", text, object);
        case 404:
                return api_refuse_object(r, API_NOT_FOUND, r->path.name,
                                         "the server could not find the requested resource %s", object);
        case 429:
                return api_refuse_object(
                        r, API_TOO_MANY, r->path.name,
                        "the server has received too many requests and has asked us to try again later %s", object);
        case 503:
                return api_refuse_object(r, API_UNAVAILABLE, r->path.name,
                                         "the server is currently unable to handle the request %s", object);
        case 504:
                return api_refuse_object(
                        r, API_TIMEOUT, r->path.name,
                        "the server was unable to return a response in the time allotted, but may still be "
                        "processing the request %s",
                        object);
        default:
                return api_refuse_object(r, API_INTERNAL, r->path.name,
                                         "an error on the server (%s) has prevented the request from succeeding %s",
                                         go_text_quote(r->arena, text) ?: "", object);
        }
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
