#include "api/server/request.h"

#include <string.h>

#include "kube/kinds.h"
#include "lib/cleanup.h"

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
