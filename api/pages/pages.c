#include "api/pages/pages.h"

#include <errno.h>
#include <string.h>

#include "api/access/access.h"
#include "api/auth/issue.h"
#include "api/auth/keys.h"
#include "api/discovery/openapi.h"
#include "api/pages/health.h"
#include "api/pages/metrics.h"
#include "api/pages/paths.h"
#include "api/pages/zpages.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/version.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"

/* Whose API it is; the version of this program is the server's own matter. */
static const char version[] = "{\n"
                              "  \"major\": \"" KUBE_VERSION_MAJOR "\",\n"
                              "  \"minor\": \"" KUBE_VERSION_MINOR "\",\n"
                              "  \"emulationMajor\": \"1\",\n"
                              "  \"emulationMinor\": \"36\",\n"
                              "  \"minCompatibilityMajor\": \"1\",\n"
                              "  \"minCompatibilityMinor\": \"35\",\n"
                              "  \"gitVersion\": \"" KUBE_GIT_VERSION "\",\n"
                              "  \"gitCommit\": \"\",\n"
                              "  \"gitTreeState\": \"\",\n"
                              "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n"
                              "  \"goVersion\": \"\",\n"
                              "  \"compiler\": \"cc\",\n"
                              "  \"platform\": \"linux/amd64\"\n"
                              "}";

static enum api_step show_version(struct api_request *r, const char *rest) {
        _cleanup_bytes_ struct bytes *bytes = bytes_copy(version, sizeof(version) - 1);

        if (!api_takes_json(http_fields_get(&http_request_of(r->x)->fields, "accept")))
                return api_refuse(r, API_NOT_ACCEPTABLE,
                                  "406: Not Acceptable\n\nAvailable representations: application/json");
        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_bytes(r, 200, "application/json", bytes);
        return API_END;
}

/* --- OpenID discovery: how others check service account tokens --- */

static enum api_step show_document(struct api_request *r, const char *type, const char *text) {
        _cleanup_bytes_ struct bytes *bytes = text ? bytes_copy(text, strlen(text)) : NULL;

        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        r->public_s = 3600;
        api_respond_bytes(r, 200, type, bytes);
        return API_END;
}

static enum api_step show_issuer(struct api_request *r, const char *rest) {
        const struct auth_issue *issue = api_access_issue(r->server->config.data);
        const char *keys = arena_printf(r->arena, "https://%s/openid/v1/jwks", r->server->config.address);

        if (!issue->keys)
                return api_no_page(r);
        return show_document(r, "application/json",
                             keys ? auth_discovery(r->arena, issue->keys, issue->issuer, keys) : NULL);
}

static enum api_step show_keys(struct api_request *r, const char *rest) {
        const struct auth_issue *issue = api_access_issue(r->server->config.data);

        if (!issue->keys)
                return api_no_page(r);
        return show_document(r, "application/jwk-set+json", auth_jwks(r->arena, issue->keys));
}

/* --- the pages --- */

static enum api_step show_paths(struct api_request *r, const char *rest);

enum { BELOW = 1, READ_ONLY = 2, UNLISTED = 4 };

static const struct {
        const char *path;
        enum api_step (*show)(struct api_request *r, const char *rest);
        unsigned flags; /* BELOW: it has paths below it; READ_ONLY: other methods than GET are refused; UNLISTED: "/"
                           does not tell of it */
} pages[] = {
        { "/", show_paths, 0 },
        { "/index.html", show_paths, 0 },
        { "/version", show_version, READ_ONLY },
        { "/livez", api_health_show, BELOW },
        { "/readyz", api_health_show, BELOW },
        { "/healthz", api_health_show, BELOW },
        { "/metrics", api_metrics_show, 0 },
        { "/metrics/slis", api_health_show_metrics, 0 },
        { "/.well-known/openid-configuration", show_issuer, READ_ONLY },
        { "/openid/v1/jwks", show_keys, READ_ONLY },
        { "/flagz", api_flagz_show, 0 },
        { "/statusz", api_statusz_show, UNLISTED },
        { "/openapi/v2", api_openapi_show_v2, 0 },
        { "/openapi/v3", api_openapi_show, BELOW },
};

static enum api_step show_paths(struct api_request *r, const char *rest) {
        const char *own[ELEMENTS(pages) + API_HEALTH_PATHS_MAX + 3];
        size_t n = 0;

        own[n++] = "/api";
        own[n++] = "/apis";
        own[n++] = "/apis/";
        for (size_t i = 1; i < ELEMENTS(pages); i++) /* all but "/" */
                if (!(pages[i].flags & UNLISTED))
                        own[n++] = pages[i].path;
        n += api_health_paths(r->arena, own + n);
        return api_paths_show(r, own, n);
}

/* A page of the router has its path with a slash behind it as well. */
static bool is_at(const char *path, size_t i) {
        size_t n = strlen(pages[i].path);

        if (strncmp(path, pages[i].path, n) != 0)
                return false;
        return !path[n] || (path[n] == '/' && (pages[i].flags & BELOW || (pages[i].flags & READ_ONLY && !path[n + 1])));
}

static enum api_step show(struct api_request *r, size_t i, const char *rest) {
        bool reads = strcmp(http_request_of(r->x)->method, "GET") == 0;

        r->page = pages[i].path;
        if (!reads && pages[i].flags & READ_ONLY)
                return api_refuse(r, API_METHOD_NOT_ALLOWED,
                                  "the server does not allow this method on the requested resource");
        return pages[i].show(r, rest);
}

enum api_step api_page(struct api_request *r) {
        const char *path = r->path.whole;

        for (size_t i = 0; r->x && i < ELEMENTS(pages); i++) {
                size_t n = strlen(pages[i].path);

                if (is_at(path, i))
                        return show(r, i, path[n] ? path + n + 1 : "");
        }
        return API_NEXT;
}
