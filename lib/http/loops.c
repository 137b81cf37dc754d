#include "lib/http/loops.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/mailbox.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"

#define STACK_SIZE ((size_t)1 << 20)
#define LISTENERS_MAX 16

enum order { ORDER_TLS = 1, ORDER_DRAIN = 2, ORDER_STOP = 4 };

struct loop {
        uv_loop_t loop;
        uv_async_t orders; /* says that @due has grown: orders, unlike posts, are never refused */
        atomic_uint due;
        atomic_uint handed; /* connections on their way to it */
        struct mailbox *mailbox;
        struct http_server *server;
        struct http_loops *loops;
        pthread_t thread;
        void *data;
        bool running, has_data, stopping;
};

struct http_loops {
        struct http_loops_config config;
        struct listener *listeners[LISTENERS_MAX];
        unsigned n_listeners, n_loops;
        atomic_uint undrained;
        void (*on_drained)(void *data);
        void *drained_data;
        pthread_mutex_t lock; /* of what follows */
        struct tls_context *tls;
        struct loop all[];
};

static unsigned count_processors(void) {
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* --- connections: accepted by the first loop, served by the one that has the fewest --- */

struct handed {
        struct loop *to;
        int fd;
};

static void take(void *data) {
        struct handed *handed = data;
        int r = 0;

        if (handed->to->stopping)
                close(handed->fd);
        else
                r = http_server_accept(handed->to->server, handed->fd);
        if (r < 0)
                log_debug("HTTP connection: %s", strerror(-r));
        atomic_fetch_sub(&handed->to->handed, 1);
        free(handed);
}

static unsigned load_of(const struct loop *loop) {
        return http_server_connections(loop->server) + atomic_load(&loop->handed);
}

static struct loop *least_loaded(struct http_loops *loops) {
        struct loop *least = &loops->all[0];

        for (unsigned i = 1; i < loops->n_loops; i++)
                if (load_of(&loops->all[i]) < load_of(least))
                        least = &loops->all[i];
        return least;
}

static void on_connection(void *data, int fd) {
        struct http_loops *loops = data;
        struct loop *to = least_loaded(loops);
        struct handed *handed = malloc(sizeof(*handed));

        if (!handed) {
                close(fd);
                return;
        }
        *handed = (struct handed){ to, fd };
        atomic_fetch_add(&to->handed, 1);
        if (to == &loops->all[0])
                return take(handed);
        if (mailbox_post(to->mailbox, take, handed) == 0)
                return;
        atomic_fetch_sub(&to->handed, 1);
        close(fd);
        free(handed);
}

int http_loops_listen(struct http_loops *loops, int fd) {
        int r;

        assert(!loops->all[0].running);
        if (loops->n_listeners == LISTENERS_MAX) {
                close(fd);
                return -ENOSPC;
        }
        r = listener_new(&loops->all[0].loop, fd, on_connection, loops, &loops->listeners[loops->n_listeners]);
        if (r < 0)
                return r;
        loops->n_listeners++;
        return 0;
}

/* --- orders --- */

static void stop_listening(struct http_loops *loops) {
        while (loops->n_listeners > 0)
                listener_free(loops->listeners[--loops->n_listeners]);
}

static void on_loop_drained(void *data) {
        struct http_loops *loops = data;

        if (atomic_fetch_sub(&loops->undrained, 1) == 1 && loops->on_drained)
                loops->on_drained(loops->drained_data);
}

static void on_server_gone(void *data) {
        struct loop *loop = data;

        if (loop->loops->config.stop && loop->has_data)
                loop->loops->config.stop(loop->data);
        if (loop->mailbox)
                mailbox_close(loop->mailbox);
        uv_close((uv_handle_t *)&loop->orders, NULL);
}

static void stop_loop(struct loop *loop) {
        struct http_server *server = loop->server;

        if (loop->stopping)
                return;
        loop->stopping = true;
        if (loop == &loop->loops->all[0])
                stop_listening(loop->loops);
        http_server_free(server, on_server_gone, loop);
}

static void set_tls(struct loop *loop) {
        struct tls_context *tls;

        pthread_mutex_lock(&loop->loops->lock);
        tls = tls_context_ref(loop->loops->tls);
        pthread_mutex_unlock(&loop->loops->lock);
        http_server_set_tls(loop->server, tls);
        tls_context_unref(tls);
}

static void on_orders(uv_async_t *async) {
        struct loop *loop = async->data;
        unsigned due = atomic_exchange(&loop->due, 0);

        if ((due & ORDER_TLS) && !loop->stopping)
                set_tls(loop);
        if ((due & ORDER_DRAIN) && !loop->stopping) {
                if (loop == &loop->loops->all[0])
                        stop_listening(loop->loops);
                http_server_drain(loop->server, on_loop_drained, loop->loops);
        }
        if (due & ORDER_STOP)
                stop_loop(loop);
}

static void order(struct http_loops *loops, enum order order) {
        for (unsigned i = 0; i < loops->n_loops; i++) {
                atomic_fetch_or(&loops->all[i].due, order);
                uv_async_send(&loops->all[i].orders);
        }
}

void http_loops_set_tls(struct http_loops *loops, struct tls_context *tls) {
        struct tls_context *old;

        pthread_mutex_lock(&loops->lock);
        old = loops->tls;
        loops->tls = tls_context_ref(tls);
        pthread_mutex_unlock(&loops->lock);
        tls_context_unref(old);
        order(loops, ORDER_TLS);
}

void http_loops_drain(struct http_loops *loops, void (*on_drained)(void *data), void *data) {
        loops->on_drained = on_drained;
        loops->drained_data = data;
        atomic_store(&loops->undrained, loops->n_loops);
        order(loops, ORDER_DRAIN);
}

/* --- the loops --- */

static int make_loop(struct http_loops *loops, unsigned i, struct err **err) {
        struct loop *loop = &loops->all[i];
        struct http_server_config config = loops->config.server;
        int r;

        r = uv_loop_init(&loop->loop);
        if (r < 0)
                return err_set(err, -r, "loop %u: %s", i, uv_strerror(r));
        loops->n_loops++;
        loop->loops = loops;
        loop->orders.data = loop;
        if ((r = uv_async_init(&loop->loop, &loop->orders, on_orders)) < 0 ||
            (r = mailbox_new(&loop->loop, HTTP_POSTS_MAX, &loop->mailbox)) < 0)
                return err_set(err, -r, "loop %u: %s", i, uv_strerror(r));
        config.loop = i;
        config.connections_max =
                ((config.connections_max ?: HTTP_CONNECTIONS_MAX) + loops->config.n_loops - 1) / loops->config.n_loops;
        if (loops->config.start) {
                r = loops->config.start(config.data, i, &loop->loop, &loop->data);
                if (r < 0)
                        return err_set(err, -r, "loop %u: %s", i, strerror(-r));
                loop->has_data = true;
                config.data = loop->data;
        }
        return http_server_new(&loop->loop, &config, &loop->server, err);
}

int http_loops_new(const struct http_loops_config *config, struct http_loops **ret_loops, struct err **err) {
        unsigned n = config->n_loops ?: count_processors();
        struct http_loops *loops;
        int r = 0;

        if (config->n_loops > HTTP_LOOPS_MAX)
                return err_set(err, EINVAL, "more than %d loops", HTTP_LOOPS_MAX);
        n = n < HTTP_LOOPS_MAX ? n : HTTP_LOOPS_MAX;
        loops = calloc(1, sizeof(*loops) + n * sizeof(loops->all[0]));
        if (!loops)
                return err_set(err, ENOMEM, "out of memory");
        loops->config = *config;
        loops->config.n_loops = n;
        if (config->server.tls)
                loops->tls = tls_context_ref(config->server.tls);
        pthread_mutex_init(&loops->lock, NULL);
        for (unsigned i = 0; i < n && r >= 0; i++)
                r = make_loop(loops, i, err);
        if (r < 0) {
                http_loops_free(loops);
                return r;
        }
        *ret_loops = loops;
        return 0;
}

static void *run(void *data) {
        struct loop *loop = data;
        char name[16];

        snprintf(name, sizeof(name), "http-%u", (unsigned)(loop - loop->loops->all));
        pthread_setname_np(pthread_self(), name);
        uv_run(&loop->loop, UV_RUN_DEFAULT);
        return NULL;
}

/* Signals are for the thread that has asked for them. */
int http_loops_start(struct http_loops *loops) {
        sigset_t all, before;
        pthread_attr_t attributes;
        int r = 0;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        for (unsigned i = 0; i < loops->n_loops && r == 0; i++) {
                r = -pthread_create(&loops->all[i].thread, &attributes, run, &loops->all[i]);
                loops->all[i].running = r == 0;
        }
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

/* A loop whose thread never ran, or which is only half made, ends on the caller's. */
static void end_loop(struct loop *loop) {
        if (loop->running) {
                atomic_fetch_or(&loop->due, ORDER_STOP);
                uv_async_send(&loop->orders);
                pthread_join(loop->thread, NULL);
        } else if (loop->server)
                stop_loop(loop);
        else if (loop->orders.type == UV_ASYNC)
                on_server_gone(loop);
        uv_run(&loop->loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop->loop);
}

/* The first one, which looks at the others to hand them connections, ends first; who posts to a loop that has ended
 * may do so until all have. */
void http_loops_free(struct http_loops *loops) {
        if (!loops)
                return;
        for (unsigned i = 0; i < loops->n_loops; i++)
                end_loop(&loops->all[i]);
        for (unsigned i = 0; i < loops->n_loops; i++)
                mailbox_free(loops->all[i].mailbox);
        tls_context_unref(loops->tls);
        pthread_mutex_destroy(&loops->lock);
        free(loops);
}

int http_loops_post(struct http_loops *loops, unsigned i, void (*run_it)(void *data), void *data) {
        return mailbox_post(loops->all[i].mailbox, run_it, data);
}

unsigned http_loops_count(const struct http_loops *loops) {
        return loops->n_loops;
}

uint64_t http_loops_failed_handshakes(const struct http_loops *loops) {
        uint64_t n = 0;

        for (unsigned i = 0; i < loops->n_loops; i++)
                n += http_server_failed_handshakes(loops->all[i].server);
        return n;
}

unsigned http_loops_connections(const struct http_loops *loops, unsigned i) {
        return http_server_connections(loops->all[i].server);
}
