#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/arena.h"
#include "lib/handle.h"
#include "lib/http/gunzip.h"
#include "lib/http/internal.h"

void exchange_forget(struct http_exchange *x) {
        free(x->head);
        arena_free(x->arena);
        x->head = NULL;
        x->arena = NULL;
}

/* One that is over goes to the next request, with its memory. */
static void exchange_free(struct http_exchange *x) {
        struct http_hub *hub = x->hub;
        struct http_exchange_head *head = x->head;
        struct arena *arena = x->arena;

        if (x->over)
                x->over(x->over_data);
        queue_clear(&x->out);
        hub->n_exchanges--;
        if (head)
                http_gunzip_free(head->gunzip);
        /* It may be the one whose closed() has closed the hub. */
        if (!head || hub->n_spare == HTTP_SPARE_MAX || uv_is_closing((uv_handle_t *)&hub->later)) {
                exchange_forget(x);
                free(x);
                return;
        }
        arena_reset(arena);
        *head = (struct http_exchange_head){ .x = x };
        *x = (struct http_exchange){ .head = head, .arena = arena };
        TAILQ_INSERT_HEAD(&hub->spare, x, link);
        hub->n_spare++;
}

static struct http_exchange *take_spare(struct http_hub *hub) {
        struct http_exchange *x = TAILQ_FIRST(&hub->spare);

        if (x) {
                TAILQ_REMOVE(&hub->spare, x, link);
                hub->n_spare--;
        }
        return x;
}

static void free_spare(struct http_hub *hub) {
        struct http_exchange *x;

        while ((x = take_spare(hub))) {
                exchange_forget(x);
                free(x);
        }
        h2_memory_clear(&hub->memory);
}

static struct http_exchange *make_exchange(void) {
        struct http_exchange *x = calloc(1, sizeof(*x));

        if (!x)
                return NULL;
        x->head = calloc(1, sizeof(*x->head));
        x->arena = arena_new_small(HTTP_ARENA_FIRST);
        if (x->head && x->arena) {
                x->head->x = x;
                return x;
        }
        exchange_forget(x);
        free(x);
        return NULL;
}

static void tell_finished(struct http_hub *hub) {
        struct http_exchange *x;

        while ((x = TAILQ_FIRST(&hub->finished))) {
                TAILQ_REMOVE(&hub->finished, x, link);
                if (x->events && x->events->closed)
                        x->events->closed(x, x->error, x->head ? x->head->why : NULL);
                exchange_free(x);
        }
}

/* Those of this turn; who is added meanwhile is the next one's. */
static void tell_dry(struct http_hub *hub) {
        struct http_exchange *x;
        unsigned n = 0;

        STAILQ_FOREACH (x, &hub->dry, dry_link)
                n++;
        while (n-- > 0 && (x = STAILQ_FIRST(&hub->dry))) {
                STAILQ_REMOVE_HEAD(&hub->dry, dry_link);
                x->dry = false;
                exchange_drained(x);
        }
}

void hub_settle(struct http_hub *hub) {
        if (!uv_is_active((uv_handle_t *)&hub->later))
                return;
        uv_idle_stop(&hub->later);
        tell_dry(hub);
        tell_finished(hub);
        if (hub->turn)
                hub->turn(hub);
}

static void on_later(uv_idle_t *idle) {
        hub_settle(idle->data);
}

void hub_wake(struct http_hub *hub) {
        if (!uv_is_closing((uv_handle_t *)&hub->later))
                uv_idle_start(&hub->later, on_later);
}

void hub_init(struct http_hub *hub, uv_loop_t *loop) {
        hub->loop = loop;
        TAILQ_INIT(&hub->finished);
        TAILQ_INIT(&hub->collecting);
        STAILQ_INIT(&hub->dry);
        STAILQ_INIT(&hub->held);
        TAILQ_INIT(&hub->due);
        TAILQ_INIT(&hub->spare);
        uv_idle_init(loop, &hub->later);
        hub->later.data = hub;
}

static void on_idle_closed(uv_handle_t *handle) {
        struct http_hub *hub = handle->data;

        hub->on_closed(hub);
}

static void on_collecting_late(uv_timer_t *timer);

/* All wait equally long: the first one is the first to have waited too long. */
static void arm_collecting(struct http_hub *hub) {
        const struct http_exchange_head *first = TAILQ_FIRST(&hub->collecting);
        uint64_t now = uv_now(hub->loop), due;

        if (!first || uv_is_active((uv_handle_t *)hub->collecting_timer))
                return;
        due = first->collect_since + first->x->connection->body_ms;
        uv_timer_start(hub->collecting_timer, on_collecting_late, due > now ? due - now : 0, 0);
}

static void on_collecting_late(uv_timer_t *timer) {
        struct http_hub *hub = timer->data;
        struct http_exchange_head *first;

        while ((first = TAILQ_FIRST(&hub->collecting)) &&
               first->collect_since + first->x->connection->body_ms <= uv_now(hub->loop)) {
                void (*late)(struct http_exchange *) = first->collect_late;
                struct http_exchange *x = first->x;

                exchange_uncollect(x);
                late(x);
        }
        arm_collecting(hub);
        hub_settle(hub);
}

int exchange_collect(struct http_exchange *x, void (*late)(struct http_exchange *x)) {
        struct http_hub *hub = x->hub;

        if (!hub->collecting_timer)
                hub->collecting_timer = handle_timer(hub->loop, hub);
        if (!hub->collecting_timer)
                return -ENOMEM;
        x->head->collect_late = late;
        x->head->collect_since = uv_now(hub->loop);
        TAILQ_INSERT_TAIL(&hub->collecting, x->head, collect_link);
        arm_collecting(hub);
        return 0;
}

void exchange_uncollect(struct http_exchange *x) {
        if (x->head->collect_late)
                TAILQ_REMOVE(&x->hub->collecting, x->head, collect_link);
        x->head->collect_late = NULL;
        if (TAILQ_EMPTY(&x->hub->collecting) && x->hub->collecting_timer)
                uv_timer_stop(x->hub->collecting_timer); /* a server at rest has no timer */
}

void hub_close(struct http_hub *hub, void (*on_closed)(struct http_hub *hub)) {
        hub->on_closed = on_closed;
        tell_finished(hub);
        free_spare(hub);
        handle_free(hub->collecting_timer);
        uv_close((uv_handle_t *)&hub->later, on_idle_closed);
}

const char *hub_date(struct http_hub *hub) {
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec != hub->date_second || !hub->date[0]) {
                hub->date_second = now.tv_sec;
                gmtime_r(&now.tv_sec, &tm);
                strftime(hub->date, sizeof(hub->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        }
        return hub->date;
}

struct http_exchange *exchange_new(struct http_connection *connection) {
        struct http_exchange *x = take_spare(connection->hub) ?: make_exchange();

        if (!x)
                return NULL;
        x->connection = connection;
        x->hub = connection->hub;
        queue_init(&x->out);
        TAILQ_INSERT_TAIL(&connection->exchanges, x, link);
        connection->n_exchanges++;
        x->hub->n_exchanges++;
        return x;
}

static void leave_connection(struct http_exchange *x) {
        struct http_connection *connection = x->connection;

        if (!connection)
                return;
        TAILQ_REMOVE(&connection->exchanges, x, link);
        x->connection = NULL;
        connection->active = uv_now(connection->hub->loop);
        if (--connection->n_exchanges == 0 && !connection->closing)
                connection->owner->progress(connection);
}

/* Over HTTP/1 an exchange ends when its last bytes are queued: whoever waits for them waits on. */
static void hand_over(struct http_exchange *x) {
        struct http_connection *connection = x->connection;

        if (!x->over || !connection || connection->multiplexed || connection->over || connection->closing ||
            transport_pending(connection->stream) == 0)
                return;
        connection->over = x->over;
        connection->over_data = x->over_data;
        x->over = NULL;
}

void exchange_finish(struct http_exchange *x, int error, const char *why) {
        if (x->finished)
                return;
        x->finished = true;
        x->error = error;
        if (x->head)
                x->head->why = why ? arena_strdup(x->arena, why) : NULL;
        if (x->head && x->head->collect_late)
                exchange_uncollect(x);
        hand_over(x);
        leave_connection(x);
        queue_clear(&x->out);
        if (x->dry)
                STAILQ_REMOVE(&x->hub->dry, x, http_exchange, dry_link);
        if (x->held)
                STAILQ_REMOVE(&x->hub->held, x, http_exchange, dry_link);
        x->dry = x->held = false;
        TAILQ_INSERT_TAIL(&x->hub->finished, x, link);
        hub_wake(x->hub);
}

void exchange_dry(struct http_exchange *x) {
        if (!x->waited || x->dry || x->finished || x->held)
                return;
        x->dry = true;
        STAILQ_INSERT_TAIL(&x->hub->dry, x, dry_link);
        hub_wake(x->hub);
}
