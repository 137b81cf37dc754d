/* Descriptors on the loop: sources are read when their reader has room, sinks take what is given and write it when they
 * can. Neither ever blocks; both own their descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct source;
struct sink;

/* Reads @fd (taken over, also on failure). @on_data gets each piece; @on_end is called once at the end of file or an error,
 * after which source_free() is still due. NULL without memory or when @fd cannot be watched. */
struct source *source_new(uv_loop_t *loop, int fd, void (*on_data)(void *data, const char *bytes, size_t n),
                          void (*on_end)(void *data), void *data);
void source_pause(struct source *source); /* NULL is fine in all of these */
void source_resume(struct source *source);
bool source_ended(const struct source *source); /* true for NULL */
void source_free(struct source *source);

/* A sink that keeps what it is given until it is opened. @on_room is called whenever a buffer that had been half full
 * or more is less than half full again. */
struct sink *sink_new(uv_loop_t *loop, size_t room, void (*on_room)(void *data), void *data);

/* Writes to @fd (taken over) from now on; @on_end (may be NULL) is called once when sink_end() was carried out, or the other
 * side has closed; it may free the sink. */
void sink_open(struct sink *sink, int fd, void (*on_end)(void *data));

/* Takes all of @bytes. This may be the sink's end, and so call on_end(). When sink_full() is true afterwards, the caller should
 * give no more before on_room(). */
void sink_write(struct sink *sink, const void *bytes, size_t n);

/* After what is buffered, the end: a socket is shut down for writing, anything else closed. */
void sink_end(struct sink *sink);
bool sink_full(const struct sink *sink);
void sink_free(struct sink *sink);
