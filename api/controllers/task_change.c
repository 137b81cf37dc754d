/* Changes of objects that are known. */
#include <errno.h>
#include <string.h>

#include "api/controllers/internal.h"
#include "api/controllers/known.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static int on_answered(struct task *task, const struct client_answer *answer, void *data) {
        const struct task_change *change = data;

        if (client_succeeded(answer) && answer->body)
                known_assume(change->known, answer->body);
        return change->answered ? change->answered(task, answer, change->data) : 0;
}

static int write_text(struct task *task, const struct task_change *change, const char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        int r;

        if (!change->object) {
                *ret_text = change->text;
                *ret_length = strlen(change->text);
                return 0;
        }
        kube_json_write(&w, known_kind(change->known)->type, change->object);
        r = json_writer_finish(&w, &json, ret_length);
        if (r < 0)
                return r;
        *ret_text = arena_strndup(task_arena(task), json, *ret_length);
        return *ret_text ? 0 : -ENOMEM;
}

void task_change(struct task *task, const struct task_change *change) {
        struct task_change *kept = arena_new_of(task_arena(task), struct task_change);
        struct client_request request = { .verb = change->verb,
                                          .kind = known_kind(change->known),
                                          .namespace = change->namespace,
                                          .name = change->name,
                                          .sub = change->sub,
                                          .patch = CLIENT_PATCH_STRATEGIC };
        int r = kept ? write_text(task, change, &request.body, &request.length) : -ENOMEM;

        if (r < 0)
                return task_fail(task, -r, strerror(-r));
        *kept = *change;
        task_send(task, &request, change->fine, on_answered, kept);
}
