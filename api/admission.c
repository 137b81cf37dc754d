#include "api/admission.h"

#include <string.h>

#include "api/attributes.h"
#include "api/cache/collection.h"
#include "api/rbac/nodes.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

/* Namespace lifecycle: nothing is made in a namespace that is not there or is going. */
static enum api_step admit_namespace(struct api_request *r) {
        struct api_resource *namespaces = api_state_find(r->server->config.state, "", "namespaces");
        _cleanup_object_ struct object *object = NULL;
        const struct value *tree;

        if (!r->creates || !r->kind->namespaced || !namespaces)
                return API_NEXT;
        object = collection_get(namespaces->collection, "", r->path.namespace);
        if (!object) {
                r->kind = namespaces->kind;
                return api_not_found(r, r->path.namespace);
        }
        if (api_tree_of(r->arena, object, &tree) < 0)
                return api_fail(r, -ENOMEM, NULL);
        if (!value_find(tree, "metadata.deletionTimestamp"))
                return API_NEXT;
        return api_refuse_object(
                r, API_FORBIDDEN, r->name,
                "%s%s%s \"%s\" is forbidden: unable to create new content in namespace %s because it is "
                "being terminated",
                r->kind->resource, *r->kind->group ? "." : "", r->kind->group, r->name, r->path.namespace);
}

enum api_step api_admit_node(struct api_request *r, const struct value *object, const struct value *old) {
        const struct auth_attributes attributes = api_attributes(r);
        const char *text = "", *name = r->name ?: r->path.name ?: "";
        int error;

        if (!auth_user_node(&r->user))
                return API_NEXT;
        error = rbac_node_restriction(&attributes, object, old, r->arena, &text);
        if (error == -EACCES)
                return api_refuse_object(r, API_FORBIDDEN, name, "%s%s%s \"%s\" is forbidden: %s", r->kind->resource,
                                         *r->kind->group ? "." : "", r->kind->group, name, text);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

static enum api_step restrict_node(struct api_request *r) {
        return api_admit_node(r, r->next, r->creates ? NULL : r->current_tree);
}

/* In the order in which kube-apiserver has its plugins, and what its storage asks behind them; each is asked until one
 * answers. */
static enum api_step (*const plugins[])(struct api_request *r) = { admit_namespace, restrict_node, api_admit_grant };

enum api_step api_admit(struct api_request *r) {
        enum api_step step = API_NEXT;

        for (size_t i = 0; step == API_NEXT && i < ELEMENTS(plugins); i++)
                step = plugins[i](r);
        return step;
}

enum api_step api_admit_removal(struct api_request *r) {
        return api_admit_node(r, NULL, r->current_tree);
}
