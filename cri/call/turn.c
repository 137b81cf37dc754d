/* Who works on a sandbox, who is next, and how calls go on that waited.
 *
 * A call that goes on may end at once, and so let the next one go on. That one is not called from within it, since
 * thousands may wait for one sandbox: it is put behind the others that are ready, and whoever began to let calls go on
 * does so with each of them.
 */
#include "cri/call/call.h"
#include "lib/handle.h"

/* Calls that go on before the loop looks at something else. */
#define READY_AT_ONCE 64

static void go_on(struct cri *cri);

static void on_later(uv_timer_t *timer) {
        go_on(timer->data);
}

/* Whether the rest goes on in the loop's next turn; without memory for that it has to go on in this one. */
static bool put_off(struct cri *cri) {
        if (!cri->ready_timer)
                cri->ready_timer = handle_timer(cri->loop, cri);
        return cri->ready_timer && uv_timer_start(cri->ready_timer, on_later, 0, 0) == 0;
}

static void go_on(struct cri *cri) {
        struct cri_call *call;

        if (cri->going_on || (cri->ready_timer && uv_is_active((uv_handle_t *)cri->ready_timer)))
                return;
        cri->going_on = true;
        for (unsigned n = 0; !cri_queue_is_empty(&cri->ready) && (n < READY_AT_ONCE || !put_off(cri)); n++) {
                call = cri_queue_pop(&cri->ready);
                call->then(call);
        }
        cri->going_on = false;
}

void call_take_turn(struct cri_call *call, void (*then)(struct cri_call *call)) {
        struct cri_sandbox *sandbox = call->sandbox;

        call->then = then;
        if (sandbox->turn) {
                call->turn_span = span_child(call->span, "wait_for_turn");
                cri_queue_append(&sandbox->waiting, call);
                return;
        }
        sandbox->turn = call;
        call->has_turn = true;
        then(call);
}

void call_give_turn(struct cri_call *call) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri_call *next;

        if (!call->has_turn)
                return;
        call->has_turn = false;
        sandbox->turn = next = cri_queue_pop(&sandbox->waiting);
        if (!next)
                return;
        next->has_turn = true;
        span_done(TAKE_PTR(next->turn_span), 0, NULL);
        cri_queue_append(&call->cri->ready, next);
        go_on(call->cri);
}

void call_await(struct cri_call *call, struct cri_queue *queue, void (*then)(struct cri_call *call)) {
        call->then = then;
        cri_queue_append(queue, call);
}

void call_all_go_on(struct cri *cri, struct cri_queue *queue) {
        cri_queue_take(&cri->ready, queue);
        go_on(cri);
}
