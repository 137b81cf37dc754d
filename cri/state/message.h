/* Protobuf messages in arenas, and the map<string, string> fields of CRI. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "cri/api.pb-c.h"

struct arena;
struct id_mapping;

/* An empty message of @type in @arena; NULL without memory. */
void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type);

/* Unpacks @size bytes into @arena; NULL and errno when they are no such message (EBADMSG) or without memory (ENOMEM).
 */
void *message_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size);

/* @message packed into @arena; 0 or -ENOMEM. */
int message_pack(struct arena *arena, const ProtobufCMessage *message, ProtobufCBinaryData *ret_data);

/* A copy of @message in @arena by packing; NULL without memory. */
void *message_copy(struct arena *arena, const ProtobufCMessage *message);

/* @n mappings of ids as the runtime takes them; NULL without memory. */
struct id_mapping *message_id_mappings(struct arena *arena, Cri__IDMapping *const *from, size_t n);

/* Any map's entry: all have this layout. */
struct message_entry {
        ProtobufCMessage base;
        char *key, *value;
};

const char *message_map_find(void *const *entries, size_t n, const char *key);
#define MESSAGE_MAP_FIND(message, field, key)                                                                          \
        message_map_find((void *const *)(message)->field, (message)->n_##field, (key))

/* All of @selector's entries are among @labels. */
bool message_map_matches(void *const *selector, size_t n_selector, void *const *labels, size_t n_labels);

/* The map @field of @to is that of @from. */
#define MESSAGE_MAP_BORROW(to, from, field)                                                                            \
        do {                                                                                                           \
                (to)->n_##field = (from)->n_##field;                                                                   \
                (to)->field = (__typeof__((to)->field))(from)->field;                                                  \
        } while (0)
