#include "api/rest/annotated.h"

#include <string.h>

#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_number.h"
#include "lib/go_text.h"
#include "lib/value.h"

static const struct row {
        const char *kind, *key;
        bool may_be_empty, is_told; /* which annotation it is */
} rows[] = {
        { "DaemonSet", ANNOTATED_TEMPLATE, false, false },
        { "Deployment", ANNOTATED_ROLLBACK, true, true },
};

static const struct row *row_of(const struct api_request *r) {
        const struct kube_kind *kind = r->kind;

        for (size_t i = 0; strcmp(kind->group, "apps") == 0 && r->type == kind->type && i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].kind, kind->kind) == 0)
                        return &rows[i];
        return NULL;
}

static const char *tell(struct arena *arena, const struct row *row, const char *text, int error) {
        const char *quoted = go_text_quote(arena, text) ?: "", *why = go_number_error(error);

        if (row->is_told)
                return arena_printf(arena,
                                    "failed to parse annotation[%s]=%s as int64: strconv.ParseInt: parsing %s: %s",
                                    row->key, text, quoted, why);
        return arena_printf(arena, "strconv.ParseInt: parsing %s: %s", quoted, why);
}

const char *api_annotated_problem(struct api_request *r, const struct value *object) {
        const struct row *row = row_of(r);
        const char *text = row ? value_string(value_get(value_find(object, "metadata.annotations"), row->key)) : NULL;
        int64_t number;
        int error;

        if (!text || (!*text && row->may_be_empty))
                return NULL;
        error = go_number_int(text, &number);
        return error < 0 ? tell(r->arena, row, text, error) ?: "" : NULL;
}
