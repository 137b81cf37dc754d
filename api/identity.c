#include "api/identity.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/transport/transport.h"

#define GROUPS_MAX 64

static const char *text_of(struct arena *arena, X509_NAME *name, int at) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));

        return arena_strndup(arena, (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* CN is the user, each O a group. */
static int read_subject(struct arena *arena, X509 *certificate, struct api_user *ret_user) {
        X509_NAME *name = X509_get_subject_name(certificate);
        const char **groups = arena_alloc_array(arena, GROUPS_MAX, sizeof(*groups));
        int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
        uint32_t n = 0;

        if (!groups || at < 0)
                return -1;
        ret_user->name = text_of(arena, name, at);
        at = -1;
        while (n < GROUPS_MAX - 1 && (at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0)
                groups[n++] = text_of(arena, name, at);
        groups[n++] = "system:authenticated";
        ret_user->groups = (string_list){ groups, n };
        return ret_user->name ? 0 : -1;
}

static bool is_health(const char *path) {
        static const char *const paths[] = { "/livez", "/readyz", "/healthz" };

        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (strncmp(path, paths[i], strlen(paths[i])) == 0 && (!path[strlen(paths[i])] || path[strlen(paths[i])] == '/'))
                        return true;
        return false;
}

enum api_step api_authenticate(struct api_request *r) {
        struct ssl_st *tls = http_transport(r->x) ? transport_tls(http_transport(r->x)) : NULL;
        X509 *certificate = tls ? SSL_get_peer_certificate(tls) : NULL;
        int error = certificate ? read_subject(r->arena, certificate, &r->user) : -1;

        X509_free(certificate);
        if (error == 0 || is_health(r->path.whole))
                return API_NEXT;
        return api_refuse(r, API_UNAUTHORIZED, "Unauthorized");
}

static bool is_master(const struct api_user *user) {
        for (uint32_t i = 0; i < user->groups.count; i++)
                if (strcmp(user->groups.items[i], "system:masters") == 0)
                        return true;
        return false;
}

enum api_step api_authorize(struct api_request *r) {
        if (is_master(&r->user) || is_health(r->path.whole))
                return API_NEXT;
        return api_refuse(r, API_FORBIDDEN, "forbidden: User \"%s\" cannot %s path \"%s\"", r->user.name ?: "system:anonymous",
                          r->path.is_resource ? api_verb_name(r->verb) : "get", r->path.whole);
}
