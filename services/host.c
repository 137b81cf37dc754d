/* That the host's addresses or routes are others: the kernel says so. */
#include <errno.h>
#include <stdlib.h>

#include "cni/host_watch.h"
#include "cni/netlink.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "services/internal.h"

static void on_moved(uv_timer_t *timer) {
        struct services *s = timer->data;

        s->config.moved(s->config.data);
        nodes_later(s, 0);
}

static void on_event(uv_poll_t *poll, int status, int events) {
        struct services *s = poll->data;

        if (cni_host_watch_read(s->host) && !uv_is_active((uv_handle_t *)s->moved))
                uv_timer_start(s->moved, on_moved, SERVICES_MOVED_MS, 0);
}

int host_watch(struct services *s, struct err **err) {
        int r;

        s->host = malloc(sizeof(*s->host));
        s->moved = handle_timer(s->config.loop, s);
        if (!s->host || !s->moved)
                return err_set(err, ENOMEM, "out of memory");
        *s->host = NETLINK_NONE;
        r = cni_host_watch_open(s->host, err);
        if (r < 0)
                return r;
        s->poll = malloc(sizeof(*s->poll));
        if (!s->poll || uv_poll_init(s->config.loop, s->poll, cni_netlink_fd(s->host)) < 0) {
                free(s->poll);
                s->poll = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        s->poll->data = s;
        uv_poll_start(s->poll, UV_READABLE, on_event);
        return 0;
}

void host_done(struct services *s) {
        handle_free(s->poll);
        handle_free(s->moved);
        if (s->host)
                cni_netlink_close(s->host);
        free(s->host);
}
