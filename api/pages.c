#include "api/pages.h"

#include <errno.h>
#include <string.h>

#include "api/access.h"
#include "api/auth/issue.h"
#include "api/auth/keys.h"
#include "api/discovery/openapi.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"

/* Whose API it is; the version of this program is the server's own matter. */
static const char version[] = "{\n"
                              "  \"major\": \"1\",\n"
                              "  \"minor\": \"36\",\n"
                              "  \"emulationMajor\": \"1\",\n"
                              "  \"emulationMinor\": \"36\",\n"
                              "  \"minCompatibilityMajor\": \"1\",\n"
                              "  \"minCompatibilityMinor\": \"35\",\n"
                              "  \"gitVersion\": \"v1.36.3+nacelle-" NACELLE_VERSION "\",\n"
                              "  \"gitCommit\": \"\",\n"
                              "  \"gitTreeState\": \"\",\n"
                              "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n"
                              "  \"goVersion\": \"\",\n"
                              "  \"compiler\": \"cc\",\n"
                              "  \"platform\": \"linux/amd64\"\n"
                              "}";

static enum api_step show_version(struct api_request *r, const char *rest) {
        _cleanup_bytes_ struct bytes *bytes = bytes_copy(version, sizeof(version) - 1);

        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_bytes(r, 200, "application/json", bytes);
        return API_END;
}

/* --- health: each check by itself at /livez/NAME --- */

static bool always(struct api_request *r) {
        return true;
}

static bool store_told(struct api_request *r) {
        return api_state_revision(r->server->config.state) > 0;
}

static const struct {
        const char *name;
        bool (*good)(struct api_request *r);
} checks[] = {
        { "ping", always }, { "log", always }, { "etcd", store_told }, /* the name under which clients know the store */
};

static enum api_step show_check(struct api_request *r, const char *name) {
        for (size_t i = 0; i < ELEMENTS(checks); i++)
                if (strcmp(checks[i].name, name) == 0) {
                        bool good = checks[i].good(r);

                        api_respond_text(r, good ? 200 : 500, good ? "ok" : "internal server error: check failed");
                        return API_END;
                }
        return api_no_page(r);
}

static enum api_step show_health(struct api_request *r, const char *rest) {
        const char *query = http_request_of(r->x)->query, *text = "", *endpoint = r->path.whole + 1;
        bool verbose = *query && http_query(r->arena, query, "verbose"), good = true;

        if (*rest)
                return show_check(r, rest);
        for (size_t i = 0; i < ELEMENTS(checks); i++) {
                bool is = checks[i].good(r);

                good &= is;
                text = arena_printf(r->arena, "%s[%c]%s %s\n", text, is ? '+' : '-', checks[i].name, is ? "ok" : "failed: reason withheld") ?:
                               "";
        }
        text = arena_printf(r->arena, "%s%s check %s\n", text, endpoint, good ? "passed" : "failed") ?: "";
        api_respond_text(r, good ? 200 : 500, good && !verbose ? "ok" : text);
        return API_END;
}

static enum api_step show_metrics(struct api_request *r, const char *rest) {
        const char *text = arena_printf(r->arena,
                                        "# HELP kubernetes_build_info A metric with a constant '1' value labeled by "
                                        "major, minor, git version.\n"
                                        "# TYPE kubernetes_build_info gauge\n"
                                        "kubernetes_build_info{git_version=\"v1.36.3+nacelle-" NACELLE_VERSION
                                        "\",major=\"1\",minor=\"36\"} 1\n"
                                        "# HELP nacelle_api_revision The revision of the last change.\n"
                                        "# TYPE nacelle_api_revision gauge\n"
                                        "nacelle_api_revision %lld\n",
                                        (long long)api_state_revision(r->server->config.state));

        api_respond_text(r, 200, text ?: "");
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

static const struct {
        const char *path;
        enum api_step (*show)(struct api_request *r, const char *rest);
        bool below; /* it has paths below it */
} pages[] = {
        { "/version", show_version, false },     { "/livez", show_health, true },
        { "/readyz", show_health, true },        { "/healthz", show_health, true },
        { "/metrics", show_metrics, false },     { "/.well-known/openid-configuration", show_issuer, false },
        { "/openid/v1/jwks", show_keys, false }, { "/openapi/v3", api_openapi_show, true },
};

enum api_step api_page(struct api_request *r) {
        const char *path = r->path.whole;

        for (size_t i = 0; r->x && i < ELEMENTS(pages); i++) {
                size_t n = strlen(pages[i].path);

                if (strncmp(path, pages[i].path, n) == 0 && (!path[n] || (pages[i].below && path[n] == '/')))
                        return pages[i].show(r, path[n] ? path + n + 1 : "");
        }
        return API_NEXT;
}
