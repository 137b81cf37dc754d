#include "cri/state/message.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "runtime/spec.h"

const char *message_map_find(void *const *entries, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++) {
                const struct message_entry *entry = entries[i];

                if (strcmp(entry->key, key) == 0)
                        return entry->value;
        }
        return NULL;
}

bool message_map_matches(void *const *selector, size_t n_selector, void *const *labels, size_t n_labels) {
        for (size_t i = 0; i < n_selector; i++) {
                const struct message_entry *wanted = selector[i];
                const char *value = message_map_find(labels, n_labels, wanted->key);

                if (!value || strcmp(value, wanted->value) != 0)
                        return false;
        }
        return true;
}

void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type) {
        ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);

        if (message)
                type->message_init(message);
        return message;
}

static void *allocate(void *data, size_t size) {
        void *p = arena_alloc(data, size);

        if (!p)
                errno = ENOMEM;
        return p;
}

static void release(void *data, void *p) {
        (void)data;
        (void)p;
}

void *message_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size) {
        ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = arena };

        errno = EBADMSG;
        return protobuf_c_message_unpack(type, &allocator, size, data);
}

int message_pack(struct arena *arena, const ProtobufCMessage *message, ProtobufCBinaryData *ret_data) {
        size_t size = protobuf_c_message_get_packed_size(message);
        uint8_t *data = arena_alloc(arena, size + 1);

        if (!data)
                return -ENOMEM;
        protobuf_c_message_pack(message, data);
        *ret_data = (ProtobufCBinaryData){ .len = size, .data = data };
        return 0;
}

void *message_copy(struct arena *arena, const ProtobufCMessage *message) {
        ProtobufCBinaryData packed;
        _cleanup_arena_ struct arena *scratch = arena_new();

        if (!scratch || message_pack(scratch, message, &packed) < 0)
                return NULL;
        return message_unpack(arena, message->descriptor, packed.data, packed.len);
}

struct id_mapping *message_id_mappings(struct arena *arena, Cri__IDMapping *const *from, size_t n) {
        struct id_mapping *to = arena_alloc_array(arena, n + 1, sizeof(*to));

        for (size_t i = 0; to && i < n; i++)
                to[i] = (struct id_mapping){ .container = from[i]->container_id,
                                             .host = from[i]->host_id,
                                             .size = from[i]->length };
        return to;
}
