/* What an object has to be. */
#include "kube/validate/validate.h"

#include "api/rest/rest.h"
#include "api/rest/typed.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"

static int read_both(struct api_request *r, struct validate_case *c, struct problems *problems) {
        void *object = NULL, *old = NULL;
        int error;

        if (c->kind->type->size == 0)
                return 0;
        error = api_typed(r, c->object, problems, &object);
        if (error == 0 && c->old)
                error = api_typed(r, c->old, problems, &old);
        c->typed = object;
        c->old_typed = old;
        return error;
}

/* Both are of the version that is kept when it is asked. */
enum api_step api_validate(struct api_request *r) {
        struct validate_warnings warnings = { .count = 0 };
        struct validate_case c = { .kind = r->resource->kind,
                                   .sub = r->sub ? r->sub->name : NULL,
                                   .object = r->next,
                                   .warnings = &warnings,
                                   .asks = r->server->config.asks,
                                   .asker = r };
        struct problems problems;
        int error = 0;

        if (!r->creates)
                c.old = r->current_tree;
        if (c.old && r->kind != c.kind)
                error = api_convert(r->arena, r->kind, c.kind, c.old, &c.old);
        problems_init(&problems, r->arena, NULL, NULL);
        error = error ?: read_both(r, &c, &problems) ?: validate_value(r->arena, &c, &problems);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (problems.errors > 0)
                return api_invalid(r, r->name, &problems);
        for (uint32_t i = 0; i < warnings.count; i++)
                api_warn(r, warnings.texts[i]);
        return API_NEXT;
}
