/* What an object has to be. */
#include "kube/validate/validate.h"

#include <errno.h>
#include <string.h>

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

/* Where two groups have one kind (events) each asks what is its own, and errors name the kept one. */
static bool is_by_other_door(const struct api_request *r) {
        return strcmp(r->kind->group, r->resource->kind->group) != 0;
}

static int read_both(struct api_request *r, struct validate_case *c, struct problems *problems) {
        void *object = NULL, *old = NULL;
        int error;

        if (c->kind->type->size == 0 || is_by_other_door(r))
                return 0; /* the latter are read where they are looked at */
        error = api_typed(r, c->object, problems, &object);
        if (error == 0 && c->old)
                error = api_typed(r, c->old, problems, &old);
        c->typed = object;
        c->old_typed = old;
        return error;
}

static int show_both(struct api_request *r, struct validate_case *c) {
        const struct kube_kind *kept = r->resource->kind;

        if (!is_by_other_door(r))
                return c->old && r->kind != kept ? api_convert(r->arena, r->kind, kept, c->old, &c->old) : 0;
        c->kind = r->kind;
        return api_convert(r->arena, kept, r->kind, c->object, &c->object);
}

static enum api_step refuse(struct api_request *r, const struct problems *problems) {
        const struct kube_kind *own = r->kind;
        enum api_step step;

        if (is_by_other_door(r))
                r->kind = r->resource->kind;
        step = api_invalid(r, r->name, problems);
        r->kind = own;
        return step;
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
        int error;

        if (!r->creates)
                c.old = r->current_tree;
        problems_init(&problems, r->arena, NULL, NULL);
        error = show_both(r, &c) ?: read_both(r, &c, &problems) ?: validate_value(r->arena, &c, &problems);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (problems.errors > 0)
                return refuse(r, &problems);
        for (uint32_t i = 0; i < warnings.count; i++)
                api_warn(r, warnings.texts[i]);
        return API_NEXT;
}
