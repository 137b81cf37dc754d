/* Kubernetes' protobuf form to a struct, and back; by way of a tree too. */
#include <stdint.h>

#include "kube/problem.h"
#include "lib/err.h"
#include "lib/value.h"
#include "tests/fuzz/kube_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct kube_type *type = fuzz_type(size > 0 ? data[0] : 0);
        struct arena *arena = arena_new();
        void *object = arena_alloc(arena, type->size);
        const struct value *value;
        struct problems problems;
        struct err *err = NULL;
        uint8_t *again;
        size_t again_size;

        if (size > 0 && kube_proto_read(arena, type, data + 1, size - 1, object) == 0)
                fuzz_round(arena, type, object);
        object = arena_alloc(arena, type->size);
        if (size > 0 && kube_envelope_read_object(arena, type, data + 1, size - 1, object) == 0)
                fuzz_round(arena, type, object);
        if (size > 0 && kube_value_from_envelope(arena, type, data + 1, size - 1, &value, &err) == 0) {
                problems_init(&problems, arena, NULL, NULL);
                if (kube_value_to_envelope(type, value, &problems, &again, &again_size) == 0)
                        free(again);
        }
        err_free(err);
        arena_free(arena);
        return 0;
}
