/* Events: the same fields by other names. */
#include <errno.h>
#include <stdio.h>

#include "kube/convert/internal.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct {
        const char *core, *events;
} fields[] = {
        { "involvedObject", "regarding" },
        { "message", "note" },
        { "source", "deprecatedSource" },
        { "firstTimestamp", "deprecatedFirstTimestamp" },
        { "lastTimestamp", "deprecatedLastTimestamp" },
        { "count", "deprecatedCount" },
        { "reportingComponent", "reportingController" },
};

static int rename_field(struct value_edit *edit, const struct value *tree, const char *from, const char *to) {
        const struct value *value = value_get(tree, from);
        char pointer[48];
        int r;

        if (!value)
                return 0;
        snprintf(pointer, sizeof(pointer), "/%s", to);
        r = convert_put(edit, pointer, value);
        snprintf(pointer, sizeof(pointer), "/%s", from);
        return r ?: convert_put(edit, pointer, NULL);
}

int convert_event_up(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(fields); i++)
                r = rename_field(edit, tree, fields[i].core, fields[i].events);
        return r;
}

int convert_event_down(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(fields); i++)
                r = rename_field(edit, tree, fields[i].events, fields[i].core);
        return r;
}
