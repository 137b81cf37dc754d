/* Descriptors on the loop: sources are read when their reader has room, sinks take what is given and write it when they
 * can. Neither ever blocks; both own their descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct pump_source;
struct pump_sink;

/* Reads @fd (taken over, also on failure). @on_data gets each piece; @on_end is called once at the end of file or an
 * error, after which streaming_pump_source_free() is still due. NULL without memory or when @fd cannot be watched. */
struct pump_source *streaming_pump_source_new(uv_loop_t *loop, int fd,
                                              void (*on_data)(void *data, const char *bytes, size_t n),
                                              void (*on_end)(void *data), void *data);
void streaming_pump_source_pause(struct pump_source *source); /* NULL is fine in all of these */
void streaming_pump_source_resume(struct pump_source *source);
bool streaming_pump_source_ended(const struct pump_source *source); /* true for NULL */
void streaming_pump_source_free(struct pump_source *source);

/* A sink that keeps what it is given until it is opened. @on_room is called whenever a buffer that had been half full
 * or more is less than half full again. */
struct pump_sink *streaming_pump_sink_new(uv_loop_t *loop, size_t room, void (*on_room)(void *data), void *data);

/* Writes to @fd (taken over) from now on; @on_end (may be NULL) is called once when streaming_pump_sink_end() was
 * carried out, or the other side has closed; it may free the sink. */
void streaming_pump_sink_open(struct pump_sink *sink, int fd, void (*on_end)(void *data));

/* Takes all of @bytes. This may be the sink's end, and so call on_end(). When streaming_pump_sink_full() is true
 * afterwards, the caller should give no more before on_room(). */
void streaming_pump_sink_write(struct pump_sink *sink, const void *bytes, size_t n);

/* After what is buffered, the end: a socket is shut down for writing, anything else closed. */
void streaming_pump_sink_end(struct pump_sink *sink);
bool streaming_pump_sink_full(const struct pump_sink *sink);
void streaming_pump_sink_free(struct pump_sink *sink);
