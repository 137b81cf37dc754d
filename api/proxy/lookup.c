/* Names to addresses, each on a thread of its own: the resolver asks servers that may not answer for half a minute, and
 * nobody can stop it. Whoever wants no answer any more leaves the thread alone with it, at the end of the service too,
 * where libuv's threads would be waited for.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/relay.h"
#include "lib/cleanup.h"
#include "lib/handle.h"

#define LOOKUPS_MAX 128
#define STACK_SIZE ((size_t)512 << 10)

/* The thread's and the loop's: whoever is the last to let go frees it. */
struct proxy_lookup {
        atomic_uint refs;
        char *host;
        int status;
        struct addrinfo *found;

        pthread_mutex_t lock;
        uv_async_t *arrived; /* NULL: nobody waits any more */

        /* The loop's. */
        proxy_looked_up done;
        void *data;
};

static atomic_uint n_lookups;

static void let_go(struct proxy_lookup *lookup) {
        if (atomic_fetch_sub(&lookup->refs, 1) > 1)
                return;
        if (lookup->found)
                freeaddrinfo(lookup->found);
        pthread_mutex_destroy(&lookup->lock);
        free(lookup->host);
        free(lookup);
}

static int in_words_of_uv(int status) {
        switch (status) {
        case 0:
                return 0;
        case EAI_NONAME:
                return UV_EAI_NONAME;
        case EAI_NODATA:
                return UV_EAI_NODATA;
        case EAI_AGAIN:
                return UV_EAI_AGAIN;
        case EAI_MEMORY:
                return UV_EAI_MEMORY;
        case EAI_ADDRFAMILY:
                return UV_EAI_ADDRFAMILY;
        default:
                return UV_EAI_FAIL;
        }
}

static void *run(void *data) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
        struct proxy_lookup *lookup = data;

        lookup->status = in_words_of_uv(getaddrinfo(lookup->host, NULL, &hints, &lookup->found));
        pthread_mutex_lock(&lookup->lock);
        if (lookup->arrived)
                uv_async_send(lookup->arrived);
        pthread_mutex_unlock(&lookup->lock);
        atomic_fetch_sub(&n_lookups, 1);
        let_go(lookup);
        return NULL;
}

/* Nothing is sent behind it. */
static void close_arrived(struct proxy_lookup *lookup) {
        uv_async_t *arrived = lookup->arrived;

        pthread_mutex_lock(&lookup->lock);
        lookup->arrived = NULL;
        pthread_mutex_unlock(&lookup->lock);
        handle_free(arrived);
}

static void on_arrived(uv_async_t *arrived) {
        struct proxy_lookup *lookup = arrived->data;

        close_arrived(lookup);
        lookup->done(lookup->data, lookup->status, lookup->found);
        let_go(lookup);
}

void proxy_lookup_forget(struct proxy_lookup *lookup) {
        if (!lookup)
                return;
        close_arrived(lookup);
        let_go(lookup);
}

/* The thread has the signals of the one that starts it: none. */
static int start_thread(struct proxy_lookup *lookup) {
        pthread_attr_t attributes;
        pthread_t thread;
        int r;

        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        r = -pthread_create(&thread, &attributes, run, lookup);
        pthread_attr_destroy(&attributes);
        return r;
}

static int make_arrived(uv_loop_t *loop, struct proxy_lookup *lookup) {
        uv_async_t *arrived = malloc(sizeof(*arrived));
        int r = arrived ? uv_async_init(loop, arrived, on_arrived) : -ENOMEM;

        if (r < 0) {
                free(arrived);
                return r;
        }
        arrived->data = lookup;
        lookup->arrived = arrived;
        return 0;
}

static int begin(uv_loop_t *loop, struct proxy_lookup *lookup) {
        int r = lookup->host ? make_arrived(loop, lookup) : -ENOMEM;

        if (r < 0)
                return r;
        atomic_fetch_add(&lookup->refs, 1);
        r = start_thread(lookup);
        if (r < 0) {
                atomic_fetch_sub(&lookup->refs, 1);
                close_arrived(lookup);
        }
        return r;
}

int proxy_lookup_begin(uv_loop_t *loop, const char *host, proxy_looked_up done, void *data,
                       struct proxy_lookup **ret_lookup) {
        bool full = atomic_fetch_add(&n_lookups, 1) >= LOOKUPS_MAX;
        struct proxy_lookup *lookup = full ? NULL : calloc(1, sizeof(*lookup));
        int r;

        if (!lookup) {
                atomic_fetch_sub(&n_lookups, 1);
                return full ? -EAGAIN : -ENOMEM;
        }
        atomic_init(&lookup->refs, 1);
        pthread_mutex_init(&lookup->lock, NULL);
        lookup->host = strdup(host);
        lookup->done = done;
        lookup->data = data;
        r = begin(loop, lookup);
        if (r < 0) {
                atomic_fetch_sub(&n_lookups, 1);
                let_go(lookup);
                return r;
        }
        *ret_lookup = lookup;
        return 0;
}
