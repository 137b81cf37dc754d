/* gRPC messages of any bytes as requests of CRI: what is taken packs to something that unpacks again. */
#include <stdint.h>
#include <stdlib.h>

#include "cri/api.pb-c.h"
#include "cri/extension.pb-c.h"
#include "lib/bytes.h"
#include "lib/grpc/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
        &cri__run_pod_sandbox_request__descriptor,   &cri__create_container_request__descriptor,
        &cri__list_containers_request__descriptor,   &cri__update_container_resources_request__descriptor,
        &cri__container_status_response__descriptor, &cri__pull_image_request__descriptor,
        &nacelle__transfer_request__descriptor,      &nacelle__transfer_update__descriptor,
};

static void check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size) {
        struct grpc_unpacked message = {}, again = {};
        struct bytes *packed;

        if (grpc_unpack(type, data, size, &message) < 0)
                return;
        if (grpc_pack(message.message, &packed) == 0) {
                if (grpc_unpack(type, packed->data + GRPC_PREFIX_SIZE, packed->size - GRPC_PREFIX_SIZE, &again) < 0)
                        abort();
                grpc_unpacked_free(&again);
                bytes_unref(packed);
        }
        grpc_unpacked_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct grpc_reader reader = {};
        const uint8_t *p = data;
        size_t left = size;

        if (size == 0)
                return 0;
        check(types[data[0] % (sizeof(types) / sizeof(types[0]))], data + 1, size - 1);
        while (grpc_reader_feed(&reader, &p, &left, 1 << 20) > 0)
                grpc_reader_next(&reader);
        grpc_reader_free(&reader);
        return 0;
}
