#include "api/server/request.h"

#include <string.h>

#include "kube/kinds.h"
#include "lib/arena.h"
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

/* RFC 9111's old form, which clients of Kubernetes read: 299 - "text". */
static char *quote(struct arena *arena, const char *text) {
        char *quoted = arena_alloc(arena, 2 * strlen(text) + sizeof("299 - \"\"")), *to = quoted;

        if (!quoted)
                return NULL;
        to = stpcpy(to, "299 - \"");
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        *to++ = '\\';
                *to++ = *text;
        }
        strcpy(to, "\"");
        return quoted;
}

void api_warn(struct api_request *r, const char *text) {
        char *quoted = r->n_warnings < API_WARNINGS_MAX ? quote(r->arena, text) : NULL;

        for (uint32_t i = 0; quoted && i < r->n_warnings; i++)
                if (strcmp(r->warnings[i], quoted) == 0)
                        return;
        if (quoted)
                r->warnings[r->n_warnings++] = quoted;
}
