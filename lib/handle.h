/* libuv's handles that are memory of their own, since they outlive their owner until the loop has closed them. */
#pragma once

#include <uv.h>

/* A timer on @loop whose data is @data; NULL without memory. */
uv_timer_t *handle_timer(uv_loop_t *loop, void *data);

/* Stops, closes and frees @handle, a uv_timer_t, uv_poll_t or the like from malloc(); NULL is fine. The descriptor of a
 * uv_poll_t may be closed at once after this, but not before: libuv goes by its number. */
void handle_free(void *handle);
