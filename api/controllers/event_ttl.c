/* Events go --event-ttl after they were last told, as kube-apiserver has etcd do it. One key stands for all: they are
 * looked through when the first of them is over, and not more often than the slack says. */
#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "kube/project.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define SWEEP "all"
#define SLACK_PARTS 20 /* of the time that they live */
#define TIMES                                                                                                          \
        "metadata.creationTimestamp lastTimestamp deprecatedLastTimestamp eventTime series.lastObservedTime "          \
        "metadata.uid metadata.resourceVersion"

static int64_t slack_of(const struct controllers_config *config) {
        return config->event_ttl_s / SLACK_PARTS + 1;
}

static void on_event(struct controller *controller, const struct client_object *object,
                     const struct client_object *old) {
        const struct controllers_config *config = controller_config(controller);

        if (config->event_ttl_s > 0)
                controller_add_after(controller, SWEEP,
                                     (uint64_t)(config->event_ttl_s + slack_of(config)) * WORK_SECOND);
}

struct sweep {
        struct kube_wanted *wanted;
        int64_t next; /* when the first that stays is over; INT64_MAX: none stays */
        bool more;
};

static int64_t latest(const struct value *event) {
        static const char *const paths[] = { "metadata.creationTimestamp", "lastTimestamp", "deprecatedLastTimestamp",
                                             "eventTime", "series.lastObservedTime" };
        int64_t at = 0;

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                const char *text = value_string_or(value_find(event, paths[i]), "");
                struct kube_time time;

                if (kube_time_parse(text, strlen(text), false, &time) && time.seconds > at)
                        at = time.seconds;
        }
        return at;
}

static void on_listed(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        struct controller *c = task_controller(task);
        int64_t now = controller_wall(c), over;
        struct sweep *sweep = task_data(task);
        struct task_removal removal = { .kind = kind, .namespace = object->namespace, .name = object->name };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct value event;

        if (!arena ||
            kube_project(arena, sweep->wanted, (const char *)object->json->data, object->json->size, &event) < 0)
                return;
        over = latest(&event) + controller_config(c)->event_ttl_s;
        removal.uid = value_string(value_find(&event, "metadata.uid"));
        removal.revision = value_string(value_find(&event, "metadata.resourceVersion"));
        if (over > now)
                sweep->next = over < sweep->next ? over : sweep->next;
        else if (task_has_room(task))
                task_remove(task, &removal);
        else
                sweep->more = true;
}

static int end_sweep(struct task *task) {
        struct controller *c = task_controller(task);
        struct sweep *sweep = task_data(task);
        int64_t now = controller_wall(c), longest = controller_config(c)->event_ttl_s, left = sweep->next - now;

        if (sweep->more)
                task_again(task, 0);
        else if (sweep->next != INT64_MAX)
                task_again(task, (uint64_t)((left < longest ? left : longest) + slack_of(controller_config(c))) *
                                         WORK_SECOND);
        return 0;
}

static int reconcile(struct task *task) {
        struct sweep *sweep = arena_new_of(task_arena(task), struct sweep);
        int r = sweep ? 0 : -ENOMEM;

        if (r < 0 || controller_config(task_controller(task))->event_ttl_s <= 0)
                return r;
        sweep->next = INT64_MAX;
        sweep->wanted = kube_wanted_new(task_arena(task));
        r = sweep->wanted ? kube_wanted_add(task_arena(task), sweep->wanted, TIMES) : -ENOMEM;
        if (r < 0)
                return r;
        task_set_data(task, sweep);
        for (unsigned i = 0; i < 2; i++) {
                const struct client_scope all = { .kind = informer_kind(
                                                          controller_informer(task_controller(task), i)) };

                task_list(task, &all, on_listed);
        }
        task_then(task, end_sweep);
        return 0;
}

/* What is over by now. */
static int start(struct controller *controller) {
        controller_add(controller, SWEEP);
        return 0;
}

const struct controller_kind controller_event_ttl = {
        .name = "event-ttl-controller",
        .alias = "event-ttl",
        .watches = { { "", "events", NULL, on_event, .passes = true },
                     { "events.k8s.io", "events", NULL, on_event, .passes = true } },
        .reconcile = reconcile,
        .start = start,
};
