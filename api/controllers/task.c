/* A key that is worked on: what it sends, and what becomes of it when all that was answered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/internal.h"
#include "api/controllers/task_answers.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define WAIT_MAX_S INT64_C(86400)

struct sending {
        struct task *task;
        struct client_call *call;
        unsigned fine;
        task_answered answered;
        void *data;
        const struct kube_kind *kind; /* of a list */
        task_listed listed;
        struct list_node in_task;
};

LIST_DEFINE(sendings, struct sending, in_task)

struct task {
        struct controller *controller;
        struct work_item *item;
        struct arena *arena;
        const char *namespace, *name;
        struct sendings sendings;
        unsigned n_sendings;
        int (*next)(struct task *task);
        void *data;
        int error;
        bool working, again;
        uint64_t again_ns, began_ns;
        struct list_node in_controller;
};

LIST_FUNCTIONS(controller_tasks, struct task, in_controller)

static void free_task(struct task *task) {
        controller_tasks_remove(task);
        task->controller->n_tasks--;
        arena_free(task->arena);
        free(task);
}

static void fail(struct task *task, int error, const char *why) {
        const char *key = work_key(task->item);

        task->error = error;
        if (error == -ESTALE || error == -ENOENT) /* somebody else was first, or has something wrong in an object */
                log_debug("%s: %s: %s", task->controller->kind->name, key, why);
        else
                log_warning("%s: %s: %s", task->controller->kind->name, key, why);
}

static int split_key(struct task *task, const char *key) {
        const char *slash = strchr(key, '/');

        task->namespace = slash ? arena_strndup(task->arena, key, (size_t)(slash - key)) : "";
        task->name = arena_strdup(task->arena, slash ? slash + 1 : key);
        return task->namespace && task->name ? 0 : -ENOMEM;
}

static void end(struct task *task) {
        struct controller *c = task->controller;

        metrics_observe(&c->durations, &controller_duration_buckets,
                        (double)(controller_now(c) - task->began_ns) / (double)WORK_SECOND);
        if (task->error < 0)
                work_retry(c->queue, task->item, controller_now(c));
        else {
                work_forget(c->queue, work_key(task->item));
                if (task->again)
                        controller_add_after(c, work_key(task->item), task->again_ns);
        }
        work_done(c->queue, task->item);
        free_task(task);
        controllers_wake(c->all);
}

/* One step, with what comes of it within. */
static void work(struct task *task, int (*step)(struct task *task)) {
        int r;

        task->working = true;
        r = step(task);
        task->working = false;
        if (r < 0 && task->error == 0)
                fail(task, r, strerror(-r));
}

/* Goes on, or is done, when nothing of it is under way. */
static void settle(struct task *task) {
        while (!task->working && sendings_is_empty(&task->sendings)) {
                int (*next)(struct task * task) = task->next;

                task->next = NULL;
                if (!next || task->error < 0)
                        return end(task);
                work(task, next);
        }
}

static int begin(struct task *task) {
        return split_key(task, work_key(task->item)) ?: task->controller->kind->reconcile(task);
}

void controller_work(struct controller *controller, struct work_item *item) {
        struct task *task = calloc(1, sizeof(*task));
        struct arena *arena = task ? arena_new() : NULL;

        if (!arena) {
                free(task);
                work_retry(controller->queue, item, controller_now(controller));
                return work_done(controller->queue, item);
        }
        task->controller = controller;
        task->item = item;
        task->began_ns = controller_now(controller);
        task->arena = arena;
        controller_tasks_append(&controller->tasks, task);
        controller->n_tasks++;
        work(task, begin);
        settle(task);
}

void controller_end_tasks(struct controller *controller) {
        struct task *task;
        struct sending *s;

        while ((task = controller_tasks_first(&controller->tasks))) {
                while ((s = sendings_pop(&task->sendings)))
                        client_cancel(s->call);
                work_done(controller->queue, task->item);
                free_task(task);
        }
}

struct controller *task_controller(const struct task *task) {
        return task->controller;
}

const char *task_key(const struct task *task) {
        return work_key(task->item);
}

struct arena *task_arena(struct task *task) {
        return task->arena;
}

const char *task_namespace(const struct task *task) {
        return task->namespace;
}

const char *task_name(const struct task *task) {
        return task->name;
}

void task_add_listed(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        controller_add_object(task->controller, object, NULL);
}

void task_again(struct task *task, uint64_t ns) {
        task->again_ns = task->again && task->again_ns < ns ? task->again_ns : ns;
        task->again = true;
}

void task_again_at(struct task *task, int64_t at) {
        int64_t left = at - controller_wall(task->controller);

        task_again(task, (uint64_t)(left < WAIT_MAX_S ? left : WAIT_MAX_S) * WORK_SECOND);
}

void task_fail(struct task *task, int code, const char *why) {
        fail(task, -code, why);
}

void task_then(struct task *task, int (*next)(struct task *task)) {
        task->next = next;
}

void task_set_data(struct task *task, void *data) {
        task->data = data;
}

void *task_data(const struct task *task) {
        return task->data;
}

/* --- what it sends --- */

bool task_is_leaving(const struct client_answer *answer) {
        return answer->code == 404 ||
               (answer->code == 403 && strstr(answer->message, "because it is being terminated"));
}

static bool is_fine(const struct client_answer *answer, unsigned fine) {
        if (client_succeeded(answer) || fine & TASK_ALL_IS_FINE)
                return true;
        return (fine & TASK_GONE_IS_FINE && answer->code == 404) ||
               (fine & TASK_THERE_IS_FINE && strcmp(answer->reason, "AlreadyExists") == 0) ||
               (fine & TASK_LEAVING_IS_FINE && task_is_leaving(answer));
}

static void on_answered(void *data, const struct client_answer *answer) {
        struct sending *s = data;
        struct task *task = s->task;
        int r;

        sendings_remove(s);
        task->n_sendings--;
        task->working = true;
        if (!is_fine(answer, s->fine))
                fail(task, answer->code == 409 ? -ESTALE : answer->code < 0 ? answer->code : -EIO, answer->message);
        else if (s->answered) {
                r = s->answered(task, answer, s->data);
                if (r < 0)
                        fail(task, r, strerror(-r));
        }
        task->working = false;
        settle(task);
}

bool task_has_room(const struct task *task) {
        return task->n_sendings < TASK_SENDS_MAX;
}

static void sent(struct task *task, struct sending *s, int error) {
        if (error < 0)
                return fail(task, error, strerror(-error));
        task->n_sendings++;
        sendings_append(&task->sendings, s);
}

void task_send(struct task *task, const struct client_request *request, unsigned fine, task_answered answered,
               void *data) {
        struct sending *s = arena_new_of(task->arena, struct sending);

        if (!s)
                return fail(task, -ENOMEM, strerror(ENOMEM));
        *s = (struct sending){ .task = task, .fine = fine, .answered = answered, .data = data };
        sent(task, s, client_ask(task->controller->client, request, on_answered, s, &s->call));
}

static void on_object(void *data, struct client_object *object) {
        struct sending *s = data;

        s->task->working = true;
        s->listed(s->task, s->kind, object);
        s->task->working = false;
}

static void on_listed(void *data, int error, int64_t revision, const char *why) {
        struct sending *s = data;
        struct task *task = s->task;

        sendings_remove(s);
        task->n_sendings--;
        if (error < 0 && error != -ENOENT)
                fail(task, error, why);
        settle(task);
}

void task_list(struct task *task, const struct client_scope *scope, task_listed listed) {
        static const struct client_list_events events = { .object = on_object, .done = on_listed };
        struct sending *s = arena_new_of(task->arena, struct sending);

        if (!s)
                return fail(task, -ENOMEM, strerror(ENOMEM));
        *s = (struct sending){ .task = task, .kind = scope->kind, .listed = listed };
        sent(task, s, client_list(task->controller->client, scope, &events, s, &s->call));
}

/* --- objects --- */

struct writing {
        uint16_t verb;
        const struct kube_kind *of;
        const char *sub;
        unsigned fine;
};

/* @json is that of @tree, which has its name. */
static void write_json(struct task *task, const struct writing *w, const struct value *tree, const char *json) {
        const struct value *meta = value_get(tree, "metadata");
        const char *name = value_string(value_get(meta, "name"));
        const struct client_request request = { .verb = w->verb,
                                                .kind = w->of,
                                                .namespace = value_string(value_get(meta, "namespace")),
                                                .name = w->verb == KUBE_VERB_CREATE ? NULL : name,
                                                .sub = w->sub,
                                                .body = json,
                                                .length = strlen(json) };

        task_send(task, &request, w->fine, NULL, NULL);
}

void task_write_tree(struct task *task, uint16_t verb, const struct kube_kind *of, const char *sub,
                     const struct value *tree, unsigned fine) {
        _cleanup_free_ char *json = NULL;

        if (json_format(tree, false, &json, NULL) < 0)
                return fail(task, -ENOMEM, strerror(ENOMEM));
        write_json(task, &(struct writing){ verb, of, sub, fine }, tree, json);
}

void task_write(struct task *task, uint16_t verb, const struct kube_kind *of, const char *sub, const void *object,
                unsigned fine) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        const struct value *tree;
        size_t length;

        kube_json_write(&w, of->type, object);
        if (json_writer_finish(&w, &json, &length) < 0 || json_parse(task->arena, json, length, NULL, &tree, NULL) < 0)
                return fail(task, -ENOMEM, strerror(ENOMEM));
        write_json(task, &(struct writing){ verb, of, sub, fine }, tree, json);
}

void task_remove(struct task *task, const struct task_removal *removal) {
        const char *options = client_delete_options(task->arena, removal->uid, removal->revision, removal->propagation);
        const struct client_request request = { .verb = KUBE_VERB_DELETE,
                                                .kind = removal->kind,
                                                .namespace = removal->namespace,
                                                .name = removal->name,
                                                .body = options,
                                                .length = options ? strlen(options) : 0 };

        if (!options)
                return fail(task, -ENOMEM, strerror(ENOMEM));
        task_send(task, &request, removal->fine | TASK_GONE_IS_FINE, removal->answered, NULL);
}
