#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/handle.h"
#include "tests/unit/cri/made_up.h"

/* Nested in each other, so many would need more than any stack. */
#define CALLS 100000
#define READY_AT_ONCE 64 /* as cri/call/turn.c has it */

static struct cri cri;
static struct cri_sandbox *sandbox;
static struct cri_call holder;
static unsigned answers, in_order;

static int setup(void **state) {
        struct cri_container *container;

        (void)state;
        cri.loop = uv_default_loop();
        sandbox = made_up_sandbox(&cri, "aaaa1", "web", "web");
        assert_non_null(sandbox);
        container = made_up_container(sandbox, "c111", "one");
        assert_non_null(container);
        container->phase = CRI_PHASE_EXITED;
        answers = in_order = 0;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        handle_free(cri.ready_timer);
        cri.ready_timer = NULL;
        uv_run(cri.loop, UV_RUN_DEFAULT);
        made_up_clear(&cri);
        return 0;
}

static void on_refused(void *data, const ProtobufCMessage *response, const struct err *err) {
        assert_null(response);
        assert_int_equal(err_code(err), EINVAL);
        in_order += (uintptr_t)data == answers;
        answers++;
}

static void nothing(struct cri_call *call) {
        (void)call;
}

/* Has one call work on the sandbox, and all others wait for it. */
static void begin(unsigned n) {
        static Cri__StartContainerRequest request = CRI__START_CONTAINER_REQUEST__INIT;

        request.container_id = (char *)(uintptr_t) "c111";
        holder = (struct cri_call){ .cri = &cri, .sandbox = sandbox };
        call_take_turn(&holder, nothing);
        for (uintptr_t i = 0; i < n; i++)
                cri_call(&cri, CRI_START_CONTAINER, &request.base, on_refused, (void *)i);
        assert_int_equal(answers, 0);
        assert_int_equal(cri_calls_under_way(&cri), n);
}

static void test_all_go_on(void **state) {
        (void)state;
        begin(CALLS);
        call_give_turn(&holder);
        for (unsigned before = 0; answers < CALLS; before = answers) {
                assert_true(answers - before <= READY_AT_ONCE);
                assert_true(uv_run(cri.loop, UV_RUN_NOWAIT) || answers == CALLS);
        }
        assert_int_equal(in_order, CALLS);
        assert_int_equal(cri_calls_under_way(&cri), 0);
        assert_null(sandbox->turn);
}

/* As many as go on at once leave nothing to the loop; one more does. */
static void test_bound(void **state) {
        (void)state;
        begin(READY_AT_ONCE);
        call_give_turn(&holder);
        assert_int_equal(answers, READY_AT_ONCE);
        assert_false(uv_loop_alive(cri.loop));
        answers = in_order = 0;
        begin(READY_AT_ONCE + 1);
        call_give_turn(&holder);
        assert_int_equal(answers, READY_AT_ONCE);
        uv_run(cri.loop, UV_RUN_DEFAULT);
        assert_int_equal(answers, READY_AT_ONCE + 1);
}

static struct cri_call waiters[CALLS];

static void count(struct cri_call *call) {
        in_order += call == &waiters[answers];
        answers++;
        if (answers == 1) /* what one of them lets go on comes behind those that were first */
                call_all_go_on(&cri, &sandbox->waiting);
}

static void test_queue(void **state) {
        (void)state;
        for (unsigned i = 0; i < CALLS; i++) {
                waiters[i] = (struct cri_call){ .cri = &cri, .sandbox = sandbox };
                call_await(&waiters[i], i < CALLS - 1 ? &sandbox->awaiting : &sandbox->waiting, count);
        }
        call_all_go_on(&cri, &sandbox->awaiting);
        assert_int_equal(answers, READY_AT_ONCE);
        uv_run(cri.loop, UV_RUN_DEFAULT);
        assert_int_equal(answers, CALLS);
        assert_int_equal(in_order, CALLS);
        assert_true(cri_queue_is_empty(&sandbox->awaiting));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_all_go_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
                cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
