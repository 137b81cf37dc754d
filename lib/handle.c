#include "lib/handle.h"

#include <stdlib.h>

uv_timer_t *handle_timer(uv_loop_t *loop, void *data) {
        uv_timer_t *timer = calloc(1, sizeof(*timer));

        if (timer) {
                uv_timer_init(loop, timer);
                timer->data = data;
        }
        return timer;
}

static void on_closed(uv_handle_t *handle) {
        free(handle);
}

void handle_free(void *handle) {
        if (handle)
                uv_close(handle, on_closed);
}
