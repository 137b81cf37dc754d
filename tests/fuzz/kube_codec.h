/* What the fuzz targets of the codecs share: the types that the input's first byte picks from, and writing. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kube/apiextensions_v1.h"
#include "kube/apps_v1.h"
#include "kube/authentication_v1.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/discovery_v1.h"
#include "kube/meta_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json_writer.h"

static const struct kube_type *const fuzz_types[] = {
        &kube_pod_type,
        &kube_secret_type,
        &kube_service_type,
        &kube_event_type,
        &kube_node_type,
        &kube_apps_v1_deployment_type,
        &kube_discovery_v1_endpoint_slice_type,
        &kube_authentication_v1_token_review_type,
        &kube_apiextensions_v1_custom_resource_definition_type,
        &kube_status_type,
};

static inline const struct kube_type *fuzz_type(uint8_t byte) {
        return fuzz_types[byte % (sizeof(fuzz_types) / sizeof(fuzz_types[0]))];
}

static inline char *fuzz_json(const struct kube_type *type, const void *object, size_t *ret_length) {
        struct json_writer w = JSON_WRITER_INIT;
        char *text;

        kube_json_write(&w, type, object);
        if (json_writer_finish(&w, &text, ret_length) < 0)
                abort();
        return text;
}

static inline uint8_t *fuzz_proto(const struct kube_type *type, const void *object, size_t *ret_size) {
        uint8_t *data;

        if (kube_envelope_write_object(type, object, &data, ret_size) < 0)
                abort();
        return data;
}

static inline void fuzz_same(const void *a, size_t a_size, const void *b, size_t b_size) {
        if (a_size != b_size || memcmp(a, b, a_size) != 0)
                abort();
}

/* @text, read, copied and written again. */
static inline char *fuzz_json_again(struct arena *arena, const struct kube_type *type, const char *text, size_t length,
                                    size_t *ret_length) {
        void *object = arena_alloc(arena, type->size), *copy = arena_alloc(arena, type->size);
        bool odd;

        if (kube_json_read(arena, type, text, length, &odd, object) < 0 || odd ||
            kube_copy(arena, type, object, copy) < 0)
                abort();
        return fuzz_json(type, copy, ret_length);
}

/* What was read goes out and comes back the same, in both forms. But an object that protobuf can make and JSON writes
 * as null, as a schema's items of neither one schema nor several, is none when it is read: then from there on. */
static inline void fuzz_round(struct arena *arena, const struct kube_type *type, const void *object) {
        size_t length, size, again_length, again_size;
        void *from_proto = arena_alloc(arena, type->size);
        char *text = fuzz_json(type, object, &length), *text_again;
        uint8_t *data = fuzz_proto(type, object, &size), *data_again;

        text_again = fuzz_json_again(arena, type, text, length, &again_length);
        if (strstr(text, "\":null") && again_length != length) {
                free(text);
                text = text_again;
                length = again_length;
                text_again = fuzz_json_again(arena, type, text, length, &again_length);
        }
        fuzz_same(text, length, text_again, again_length);
        if (kube_envelope_read_object(arena, type, data, size, from_proto) < 0)
                abort();
        data_again = fuzz_proto(type, from_proto, &again_size);
        fuzz_same(data, size, data_again, again_size);
        free(text);
        free(data);
        free(text_again);
        free(data_again);
}
