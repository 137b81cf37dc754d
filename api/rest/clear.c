/* Deletion of a collection: of each object by itself, as if it were asked for, so that each is held by what holds it.
 */
#include <errno.h>

#include "api/cache/collection.h"
#include "api/rest/query.h"
#include "api/rest/rest.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "lib/arena.h"

static enum api_step choose(struct api_request *r) {
        struct collection_page *page = arena_new_of(r->arena, struct collection_page);
        struct api_query query;
        enum api_step step = page ? api_query_read(r, &query) : api_fail(r, -ENOMEM, NULL);

        if (step != API_NEXT || (step = api_query_list(r, &query.query, page)) != API_NEXT)
                return step;
        r->cleared = page;
        return api_query_next(r, page, &r->clear_next) < 0 ? api_fail(r, -ENOMEM, NULL) : API_NEXT;
}

enum api_step api_clear(struct api_request *r) {
        enum api_step step = r->cleared ? API_NEXT : choose(r);
        const struct object *next;

        if (step != API_NEXT)
                return step;
        api_warn_of_orphans(r); /* also where there is nothing to delete */
        if (r->n_cleared == r->cleared->n)
                return api_respond_list(r, r->cleared, api_list_metadata(r, r->cleared, r->clear_next));
        next = r->cleared->objects[r->n_cleared++];
        r->name = next->name;
        if (r->kind->namespaced)
                r->path.namespace = next->namespace;
        r->tries = 0;
        return API_NEXT;
}

enum api_step api_cleared(struct api_request *r) {
        return api_again(r, "clear");
}
