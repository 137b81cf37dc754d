#include "api/rest/typed.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/meta_v1.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/value.h"

int api_typed(struct api_request *r, const struct value *tree, struct problems *problems, void **ret_object) {
        struct api_typed *known = tree == r->next ? &r->next_typed : &r->current_typed;
        const struct kube_type *type = r->resource->kind->type;
        uint32_t errors = problems->errors;
        int error;

        if (known->tree == tree && known->object) {
                *ret_object = known->object;
                return 0;
        }
        *known = (struct api_typed){ .object = arena_alloc(r->arena, type->size) };
        if (!known->object)
                return -ENOMEM;
        error = kube_value_read(r->arena, type, tree, "", problems, known->object);
        if (error < 0)
                return error;
        if (problems->errors == errors)
                known->tree = tree;
        *ret_object = known->object;
        return 0;
}

int api_typed_but_meta(struct api_request *r, void *object) {
        const struct kube_field *field = kube_type_field(r->resource->kind->type, "metadata", strlen("metadata"));
        struct kube_object_meta *meta;
        struct problems problems;
        int error;

        api_typed_forget(r);
        if (!field)
                return 0;
        meta = (void *)((char *)object + field->offset);
        *meta = (struct kube_object_meta){ 0 };
        problems_init(&problems, r->arena, NULL, NULL);
        error = kube_value_read(r->arena, &kube_object_meta_type, value_get(r->next, "metadata"), "metadata", &problems,
                                meta);
        if (error == 0 && problems.errors == 0)
                r->next_typed = (struct api_typed){ r->next, object };
        return error;
}

void api_typed_forget(struct api_request *r) {
        r->next_typed = (struct api_typed){ 0 };
}
