/* Autoscalers and events of any JSON from version to version and back: annotations hold documents of anybody's. What
 * comes of them can be written and read again, and is bounded in depth; the object is as before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/convert/convert.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kube_kind kinds[] = {
        { .group = "autoscaling", .version = "v1", .kind = "HorizontalPodAutoscaler" },
        { .group = "autoscaling", .version = "v2", .kind = "HorizontalPodAutoscaler" },
        { .group = "", .version = "v1", .kind = "Event" },
        { .group = "events.k8s.io", .version = "v1", .kind = "Event" },
};

static void check(struct arena *arena, const struct value *value) {
        const struct value_options options = { .nodes_max = UINT32_MAX, .bytes_max = SIZE_MAX };
        const struct value *again;
        char *text = NULL;
        size_t length;

        if (json_format(value, false, &text, &length) < 0 ||
            json_parse(arena, text, length, &options, &again, NULL) < 0 || !value_equal(value, again))
                abort();
        free(text);
}

static void try_pair(struct arena *arena, const struct kube_kind *from, const struct kube_kind *to,
                     const struct value *tree) {
        const struct value *there, *back;

        if (convert_tree(arena, from, to, tree, &there) < 0)
                return;
        check(arena, there);
        if (convert_tree(arena, to, from, there, &back) == 0)
                check(arena, back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct arena *arena = arena_new();
        const struct value *root, *copy;

        if (json_parse(arena, (const char *)data, size, &options, &root, NULL) == 0 && value_is(root, VALUE_MAP)) {
                copy = value_copy(arena, root);
                for (unsigned i = 0; i < 4; i++)
                        try_pair(arena, &kinds[i], &kinds[i ^ 1], root);
                if (!value_equal(root, copy))
                        abort();
        }
        arena_free(arena);
        return 0;
}
