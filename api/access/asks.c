#include "api/access/asks.h"

#include "api/access/access.h"
#include "api/server/attributes.h"
#include "api/auth/authorizer.h"
#include "api/auth/user.h"
#include "api/cache/collection.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static const char *label(void *asker, const char *namespace, const char *label) {
        struct api_request *r = asker;
        struct api_resource *of = api_state_find(r->server->config.state, "", "namespaces");
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, "", namespace) : NULL;
        struct kube_namespace *read = object ? arena_new_of(r->arena, struct kube_namespace) : NULL;

        if (!read || api_struct_of(r->arena, of->kind->type, object, read) < 0)
                return NULL;
        return string_map_get(&read->metadata.labels, label);
}

static const char *verb(void *asker) {
        const struct api_request *r = asker;

        return api_verb_name(r->verb);
}

static const char *account_node(void *asker) {
        struct api_request *r = asker;
        const char *namespace, *name;

        if (auth_account_split(r->arena, r->user.name, &namespace, &name) < 0)
                return NULL;
        return auth_user_extra(&r->user, AUTH_EXTRA_NODE);
}

static const char *refuses(void *asker, const struct validate_right *right) {
        struct api_request *r = asker;
        struct auth_attributes attributes = api_attributes(r);
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(r->server->config.data, &n);
        struct auth_verdict verdict;

        attributes.verb = right->verb;
        attributes.subresource = right->sub;
        attributes.namespace = right->namespace;
        attributes.name = right->name;
        verdict = auth_authorize(chain, n, &attributes, r->arena);
        if (verdict.decision == AUTH_ALLOW)
                return NULL;
        return auth_forbidden(r->arena, &attributes, verdict.reason) ?: "";
}

const struct validate_asks api_asks = {
        .label = label, .verb = verb, .account_node = account_node, .refuses = refuses
};
