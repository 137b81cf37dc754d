#include "kube/convert/convert.h"

#include <errno.h>
#include <string.h>

#include "kube/convert/internal.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct {
        const char *kind, *from, *to; /* groups and versions */
        convert_function convert;
} rows[] = {
        { "HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2", convert_autoscaler_up },
        { "HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1", convert_autoscaler_down },
        { "Event", "v1", "events.k8s.io/v1", convert_event_up },
        { "Event", "events.k8s.io/v1", "v1", convert_event_down },
};

int convert_put(struct value_edit *edit, const char *pointer, const struct value *value) {
        int r = value ? value_edit_set(edit, pointer, value, NULL) : value_edit_remove(edit, pointer, NULL);

        return r == -ENOENT && !value ? 0 : r == -ENOENT ? -EINVAL : r;
}

static convert_function find(const char *kind, const char *from, const char *to) {
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].kind, kind) == 0 && strcmp(rows[i].from, from) == 0 && strcmp(rows[i].to, to) == 0)
                        return rows[i].convert;
        return NULL;
}

int convert_tree(struct arena *arena, const struct kube_kind *from, const struct kube_kind *to,
                 const struct value *tree, const struct value **ret_tree) {
        const char *old = kube_api_version(arena, from), *new = kube_api_version(arena, to);
        convert_function convert = old && new ? find(from->kind, old, new) : NULL;
        struct value_edit edit;
        int r;

        if (!old || !new)
                return -ENOMEM;
        value_edit_begin(&edit, arena, tree);
        if ((r = convert_put(&edit, "/apiVersion", &(struct value)VALUE_TEXT(new))) < 0 ||
            (convert && (r = convert(arena, &edit, tree)) < 0))
                return r;
        *ret_tree = value_edit_end(&edit);
        return *ret_tree ? 0 : -ENOMEM;
}
