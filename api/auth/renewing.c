/* A node whose certificate is over, or not valid yet, by our clock: who was off for long, or was signed for while a
 * clock was wrong. The certificate still says who it is, since the authority has signed it and the handshake has shown
 * that the key is there. So it may ask for its next one, as long as the Node is there, and nothing else: removing the
 * Node is how such a certificate is revoked. One that was over before the Node was made belongs to another machine that
 * had its name, unless it says which Node it is of: it was signed while the clock was far behind.
 */
#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/authorizer.h"
#include "api/auth/internal.h"
#include "api/auth/text.h"
#include "lib/arena.h"

int auth_renewing_become(const struct auth_authenticator *a, int64_t ends, struct arena *arena,
                         struct auth_identity *identity) {
        const char *node = auth_user_node(&identity->user);
        struct auth_object object = { 0 };
        int r = node ? a->objects.find(a->objects.data, arena, "nodes", "", node, &object) : -ENOENT;

        if (r == -ENOMEM)
                return r;
        if (r < 0 || object.deleted)
                return -EACCES;
        if (ends < object.created && strcmp(identity->user.uid ?: "", object.uid) != 0)
                return -EACCES;
        identity->user.groups = (string_list){ 0 };
        /* Each request looks whether the Node is there. */
        identity->valid_until = 0;
        return auth_list_add(arena, &identity->user.groups, AUTH_GROUP_RENEWING);
}

static bool is(const char *text, const char *wanted) {
        return strcmp(text, wanted) == 0;
}

/* Creates requests, looks at one, and is approved as the node that it is (api/controllers/certificates.c). */
static bool may(const struct auth_attributes *a) {
        if (!a->is_resource || !is(a->group, "certificates.k8s.io") || !is(a->resource, "certificatesigningrequests"))
                return false;
        if (is(a->subresource, "selfnodeclient") || (!*a->subresource && is(a->verb, "create")))
                return is(a->verb, "create");
        if (*a->subresource)
                return false;
        return is(a->verb, "get") ||
               ((is(a->verb, "list") || is(a->verb, "watch")) && auth_attributes_exact(a, "metadata.name"));
}

static void authorize(void *data, const struct auth_attributes *a, struct arena *arena, struct auth_verdict *ret) {
        if (!auth_user_in(a->user, AUTH_GROUP_RENEWING))
                return;
        ret->decision = may(a) ? AUTH_ALLOW : AUTH_DENY;
        ret->reason =
                ret->decision == AUTH_ALLOW ?
                        "" :
                        "the node's certificate is not valid at this time: it may ask for a new one, and nothing else";
}

const struct auth_authorizer auth_renewing = { .name = "nacelle:nodes-renewing", .authorize = authorize };
