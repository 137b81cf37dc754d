/* Immutable bytes that many readers share: counted, and freed by the last one. Safe across threads. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* @data is written only by who made it, before it is shared. */
struct bytes {
        uint32_t refs;
        size_t size;
        uint8_t data[];
};

/* @size bytes, not initialized, with one reference; NULL without memory. */
struct bytes *bytes_new(size_t size);

/* A copy of @size bytes at @data; NULL without memory. */
struct bytes *bytes_copy(const void *data, size_t size);

/* @bytes, which is not yet shared, made smaller; memory behind its end is given back. */
struct bytes *bytes_shrink(struct bytes *bytes, size_t size);

/* One reference more; returns @bytes. */
struct bytes *bytes_ref(struct bytes *bytes);

/* One less; NULL is fine. Returns NULL. */
struct bytes *bytes_unref(struct bytes *bytes);

void bytes_unrefp(struct bytes **bytes);
#define _cleanup_bytes_ __attribute__((cleanup(bytes_unrefp)))
