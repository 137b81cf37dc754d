#include "api/server/request.h"

#include <string.h>

#include "api/server/server.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/uuid.h"

const char *api_verb_name(uint16_t verb) {
        static const struct {
                uint16_t verb;
                const char *name;
        } names[] = {
                { KUBE_VERB_CREATE, "create" },
                { KUBE_VERB_DELETE, "delete" },
                { KUBE_VERB_DELETECOLLECTION, "deletecollection" },
                { KUBE_VERB_GET, "get" },
                { KUBE_VERB_LIST, "list" },
                { KUBE_VERB_PATCH, "patch" },
                { KUBE_VERB_UPDATE, "update" },
                { KUBE_VERB_WATCH, "watch" },
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (names[i].verb == verb)
                        return names[i].name;
        return "";
}

static const char *new_id(struct api_request *r) {
        char *text = arena_alloc_uncleared(r->arena, UUID_SIZE);
        uint8_t random[UUID_BYTES];

        api_loop_random(r->loop, random, sizeof(random));
        if (text)
                uuid_text(random, text);
        return text;
}

const char *api_audit_id(struct api_request *r) {
        const char *given;

        if (r->audit_id)
                return r->audit_id;
        given = r->x ? http_fields_get(&http_request_of(r->x)->fields, "audit-id") : NULL;
        r->audit_id = (given && *given ? arena_strdup(r->arena, given) : new_id(r)) ?: "";
        return r->audit_id;
}
