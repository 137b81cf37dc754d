#include "agent/shutdown/shutdown.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "agent/config/options.h"
#include "agent/node/events.h"
#include "agent/pod/worker.h"
#include "agent/shutdown/logind.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/log.h"

enum shutdown_state {
        SHUTDOWN_NONE,
        SHUTDOWN_ENDING,  /* the pods of a group */
        SHUTDOWN_TELLING, /* the API service hears of the last of it */
        SHUTDOWN_DONE,    /* the host may go */
};

struct shutdown {
        struct shutdown_world world;
        const struct shutdown_settings *settings;
        struct logind *logind;
        uv_timer_t *timer; /* until the group's time is over */
        uv_timer_t *look;  /* workers say that they have changed from within */
        enum shutdown_state state;
        size_t group; /* that ends */
        struct shutdown_times times;
};

static void say(struct shutdown *s, const char *what) {
        const char *name = s->world.options->node_name;
        const struct event_object object = { .kind = "Node", .namespace_ = "", .name = name, .uid = name };

        events_add(s->world.events, &object, false, "NodeShutdown", "Shutdown manager detected shutdown %s", what);
}

/* -- groups ------------------------------------------------------------------------------------------------ */

struct group_look {
        struct shutdown *shutdown;
        size_t n; /* its pods that hold something of the node */
};

static bool is_of_group(const struct shutdown *s, const struct worker *w) {
        return worker_holds(w) && shutdown_group_of(s->settings, worker_pod(w)) == s->group;
}

static bool on_end(void *data, struct worker *w) {
        struct group_look *look = data;
        struct shutdown *s = look->shutdown;

        if (!is_of_group(s, w))
                return true;
        look->n++;
        worker_shut_down(w, shutdown_grace(&s->settings->groups[s->group], worker_pod(w)));
        return true;
}

static bool on_count(void *data, struct worker *w) {
        struct group_look *look = data;

        look->n += is_of_group(look->shutdown, w);
        return true;
}

static size_t each_of_group(struct shutdown *s, bool (*each)(void *data, struct worker *w)) {
        struct group_look look = { .shutdown = s };

        s->world.each_worker(s->world.data, each, &look);
        return look.n;
}

static void finish(struct shutdown *s) {
        uv_timer_stop(s->timer);
        s->state = SHUTDOWN_DONE;
        s->times.ended = time(NULL);
        log_info("shutdown: the host may go down");
        logind_release(s->logind);
}

static void on_told_too_late(uv_timer_t *timer) {
        struct shutdown *s = timer->data;

        log_warning("shutdown: the API service has not heard of all that has ended");
        finish(s);
}

static void tell(struct shutdown *s) {
        s->state = SHUTDOWN_TELLING;
        uv_timer_start(s->timer, on_told_too_late, SHUTDOWN_TELL_MS, 0);
        shutdown_look(s);
}

static void on_late(uv_timer_t *timer);

/* Begins with the next group that has pods, from @group on. */
static void end_groups(struct shutdown *s, size_t group) {
        for (s->group = group; s->group < s->settings->n_groups; s->group++) {
                const struct shutdown_group *g = &s->settings->groups[s->group];
                size_t n = each_of_group(s, on_end);

                if (n == 0)
                        continue;
                log_info("shutdown: %zu pods of priority %d and more end within %lld s", n, g->priority,
                         (long long)g->seconds);
                uv_timer_start(s->timer, on_late, (uint64_t)g->seconds * 1000, 0);
                return;
        }
        tell(s);
}

static void on_late(uv_timer_t *timer) {
        struct shutdown *s = timer->data;

        log_warning("shutdown: %zu pods of priority %d and more have not ended in time", each_of_group(s, on_count),
                    s->settings->groups[s->group].priority);
        end_groups(s, s->group + 1);
}

static void on_look(uv_timer_t *timer) {
        struct shutdown *s = timer->data;

        if (s->state == SHUTDOWN_ENDING && each_of_group(s, on_count) == 0)
                end_groups(s, s->group + 1);
        else if (s->state == SHUTDOWN_TELLING && s->world.is_told(s->world.data))
                finish(s);
}

void shutdown_look(struct shutdown *s) {
        if (shutdown_is_under_way(s) && s->state != SHUTDOWN_DONE)
                uv_timer_start(s->look, on_look, 0, 0);
}

/* -- it begins, and is called off -------------------------------------------------------------------------- */

static void begin(struct shutdown *s) {
        s->state = SHUTDOWN_ENDING;
        s->times = (struct shutdown_times){ .began = time(NULL) };
        say(s, "event");
        s->world.changed(s->world.data, true);
        end_groups(s, 0);
}

/* What has ended stays so; the rest goes on. */
static void call_off(struct shutdown *s) {
        uv_timer_stop(s->timer);
        uv_timer_stop(s->look);
        s->state = SHUTDOWN_NONE;
        say(s, "cancellation");
        logind_hold(s->logind);
        s->world.changed(s->world.data, false);
}

static void on_prepares(void *data, bool begins) {
        struct shutdown *s = data;

        if (begins == shutdown_is_under_way(s))
                return;
        if (begins)
                begin(s);
        else
                call_off(s);
}

bool shutdown_is_under_way(const struct shutdown *s) {
        return s && s->state != SHUTDOWN_NONE;
}

void shutdown_get_times(const struct shutdown *s, struct shutdown_times *ret_times) {
        *ret_times = s ? s->times : (struct shutdown_times){ 0 };
}

/* -- life -------------------------------------------------------------------------------------------------- */

int shutdown_new(const struct shutdown_world *world, struct shutdown **ret_shutdown, struct err **err) {
        const struct shutdown_settings *settings = &world->options->shutdown;
        struct shutdown *s;

        *ret_shutdown = NULL;
        if (settings->n_groups == 0)
                return 0;
        if (!(s = calloc(1, sizeof(*s))))
                return err_set(err, ENOMEM, "out of memory");
        *s = (struct shutdown){ .world = *world, .settings = settings };

        const struct logind_config config = { .loop = world->loop,
                                              .pool = world->pool,
                                              .seconds = shutdown_settings_total(settings),
                                              .prepares = on_prepares,
                                              .data = s };

        if (!(s->timer = handle_timer(world->loop, s)) || !(s->look = handle_timer(world->loop, s)) ||
            !(s->logind = logind_new(&config))) {
                shutdown_free(s);
                return err_set(err, ENOMEM, "out of memory");
        }
        *ret_shutdown = s;
        return 0;
}

void shutdown_free(struct shutdown *s) {
        if (!s)
                return;
        logind_free(s->logind);
        handle_free(s->timer);
        handle_free(s->look);
        free(s);
}
