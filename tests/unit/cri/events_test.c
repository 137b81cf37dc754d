#include "cri/state/events.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cri/state/emit.h"
#include "tests/unit/cri/made_up.h"

struct seen {
        struct cri_subscription *subscription;
        bool ends; /* itself, at the first event */
        unsigned n;
        enum cri_event_type last;
};

static void on_event(void *data, const struct cri_event *event) {
        struct seen *seen = data;

        seen->n++;
        seen->last = event->type;
        if (seen->ends)
                cri_unsubscribe(seen->subscription);
}

static void test_subscribers(void **state) {
        struct seen first = { .ends = true }, second = { 0 };
        struct cri cri = { 0 };
        struct cri_sandbox *sandbox = made_up_sandbox(&cri, "s", "web", "web");

        (void)state;
        assert_int_equal(cri_subscribe(&cri, on_event, &first, &first.subscription), 0);
        assert_int_equal(cri_subscribe(&cri, on_event, &second, &second.subscription), 0);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_READY);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_NOTREADY);
        assert_int_equal(first.n, 1);
        assert_int_equal(second.n, 2);
        assert_int_equal(second.last, CRI_EVENT_SANDBOX_NOTREADY);
        cri_unsubscribe(second.subscription);
        assert_int_equal(cri.n_subscriptions, 0);
        made_up_clear(&cri);
}

static void test_subscribers_limit(void **state) {
        struct cri_subscription *all[CRI_SUBSCRIBERS_MAX], *more;
        struct cri cri = { 0 };
        struct seen seen = { 0 };

        (void)state;
        for (int i = 0; i < CRI_SUBSCRIBERS_MAX; i++)
                assert_int_equal(cri_subscribe(&cri, on_event, &seen, &all[i]), 0);
        assert_int_equal(cri_subscribe(&cri, on_event, &seen, &more), -ENOSPC);
        for (int i = 0; i < CRI_SUBSCRIBERS_MAX; i++)
                cri_unsubscribe(all[i]);
}

static void on_ready(void *data) {
        ++*(unsigned *)data;
}

/* The message is that of the moment of the event, even when its objects are gone. */
static void test_queue(void **state) {
        const Cri__ContainerEventResponse *message;
        struct cri cri = { 0 };
        struct cri_sandbox *sandbox = made_up_sandbox(&cri, "s", "web", "web");
        struct cri_container *container = made_up_container(sandbox, "c", "one");
        struct cri_event_queue *queue;
        unsigned ready = 0;

        (void)state;
        assert_int_equal(cri_event_queue_new(&cri, on_ready, &ready, &queue), 0);
        assert_null(cri_event_queue_next(queue));
        emit_container(container, CRI_EVENT_CONTAINER_CREATED);
        emit_container(container, CRI_EVENT_CONTAINER_STARTED);
        assert_int_equal(ready, 1);
        made_up_clear(&cri);
        message = cri_event_queue_peek(queue);
        assert_ptr_equal(message, cri_event_queue_peek(queue));
        assert_int_equal(message->container_event_type, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT);
        message = cri_event_queue_next(queue);
        assert_string_equal(message->container_id, "c");
        assert_string_equal(message->pod_sandbox_status->id, "s");
        assert_int_equal(message->n_containers_statuses, 1);
        message = cri_event_queue_next(queue);
        assert_int_equal(message->container_event_type, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT);
        assert_null(cri_event_queue_next(queue));
        cri_event_queue_free(queue);
}

static void test_queue_limit(void **state) {
        struct cri cri = { 0 };
        struct cri_sandbox *sandbox = made_up_sandbox(&cri, "s", "web", "web");
        struct cri_event_queue *queue;
        unsigned ready = 0, n = 0;

        (void)state;
        assert_int_equal(cri_event_queue_new(&cri, on_ready, &ready, &queue), 0);
        for (int i = 0; i < CRI_EVENT_QUEUE_MAX + 1; i++)
                emit_sandbox(sandbox, CRI_EVENT_SANDBOX_NOTREADY);
        while (cri_event_queue_next(queue))
                n++;
        assert_int_equal(n, CRI_EVENT_QUEUE_MAX);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_NOTREADY); /* one that has caught up goes on */
        assert_non_null(cri_event_queue_next(queue));
        assert_int_equal(ready, 2);
        cri_event_queue_free(queue);
        made_up_clear(&cri);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_subscribers),
                cmocka_unit_test(test_subscribers_limit),
                cmocka_unit_test(test_queue),
                cmocka_unit_test(test_queue_limit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
