/* Names to addresses, on libuv's threads. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#include "api/proxy/relay.h"

struct proxy_lookup {
        uv_getaddrinfo_t request;
        proxy_looked_up done; /* NULL: nobody waits any more */
        void *data;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
        struct proxy_lookup *lookup = request->data;

        if (lookup->done)
                lookup->done(lookup->data, status, found);
        uv_freeaddrinfo(found);
        free(lookup);
}

int proxy_lookup_begin(uv_loop_t *loop, const char *host, proxy_looked_up done, void *data,
                       struct proxy_lookup **ret_lookup) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
        struct proxy_lookup *lookup = calloc(1, sizeof(*lookup));
        int r;

        if (!lookup)
                return -ENOMEM;
        lookup->request.data = lookup;
        lookup->done = done;
        lookup->data = data;
        r = uv_getaddrinfo(loop, &lookup->request, on_resolved, host, NULL, &hints);
        if (r < 0)
                free(lookup);
        else
                *ret_lookup = lookup;
        return r;
}

void proxy_lookup_forget(struct proxy_lookup *lookup) {
        if (!lookup)
                return;
        lookup->done = NULL;
        uv_cancel((uv_req_t *)&lookup->request);
}
