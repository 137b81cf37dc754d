/* What the API's objects hold for pods, without memory: whichever allocation fails, all is known a little later. */
#include "tests/unit/support/fake_client.h"

#include <unistd.h>

#include "agent/objects/internal.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tests/unit/support/memory.h"

static uv_loop_t loop;
static struct fake fake;

static void on_changed(void *data, const char *uid) {
}

static struct pod *make_pod(void) {
        static const char text[] =
                "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"uid\":"
                "\"a\"},"
                "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"volumes\":["
                "{\"name\":\"v\",\"configMap\":{\"name\":\"m\"}},{\"name\":\"w\",\"secret\":{\"secretName\":\"s\"}},"
                "{\"name\":\"t\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"path\":\"token\"}}]}}]}}";
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        struct problems problems;
        struct pod *pod = NULL;

        assert_int_equal(json_parse(arena, text, sizeof(text) - 1, NULL, &tree, NULL), 0);
        problems_init(&problems, arena, "test", tree);
        assert_true(pod_decode(tree, &problems, &pod) >= 0);
        return pod;
}

static void answer(void) {
        fake_answer_lists(&fake);
        for (unsigned i = 0; i < fake.n_sent; i++)
                if (fake.sent[i].open)
                        fake_answer(&fake.sent[i], 201, "", "{\"status\":{\"token\":\"abc\"}}");
}

/* Whether all of it is known, and as it is. */
static bool is_known(const struct objects *objects) {
        struct pod_sources *sources = NULL;
        const struct pod_object *object = NULL;
        const char *text = NULL;
        bool known;

        if (!objects_known(objects, "a") || objects_sources(objects, "a", &sources) < 0 || !sources)
                return false;
        known = pod_sources_object(sources, POD_CONFIG_MAP, "m", &object, NULL) == 0 && pod_object_find(object, "k") &&
                pod_sources_object(sources, POD_SECRET, "s", &object, NULL) == 0 &&
                pod_sources_token(sources, "", 0, &text, NULL) == 0;
        pod_sources_unref(sources);
        return known;
}

static const struct kube_kind *maps, *secrets; /* as the room asks for them */

static void learn_kinds(struct objects *objects, struct pod *pod) {
        assert_int_equal(objects_hold(objects, pod, NULL), 0);
        maps = fake.lists[1].kind;
        secrets = fake.lists[2].kind;
        objects_release(objects, "a");
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* The allocations that it took, with the @n-th failing. */
static unsigned play(unsigned n) {
        const struct objects_events events = { .changed = on_changed };
        struct pod *pod = make_pod();
        struct objects *objects;
        unsigned asked;

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        objects = objects_new(&loop, &fake.base, &events);
        assert_non_null(objects);
        assert_int_equal(objects_ask(objects), 0);
        learn_kinds(objects, pod);
        fake_put(&fake, maps, "d", "m", "{\"data\":{\"k\":\"v\"}}");
        fake_put(&fake, secrets, "d", "s", "{\"data\":{\"k\":\"dg==\"}}");
        memory_fail(n, 1);
        while (objects_hold(objects, pod, NULL) < 0)
                ;
        answer();
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
        asked = memory_asked();
        memory_fail(0, 0);
        for (int i = 0; i < 3000 && !is_known(objects); i++) {
                answer();
                uv_run(&loop, UV_RUN_NOWAIT);
                if (!is_known(objects))
                        usleep(1000);
        }
        if (!is_known(objects))
                fail_msg("allocation %u of %u: not all of it is known", n, asked);
        objects_free(objects);
        fake_done(&fake);
        pod_unref(pod);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return asked;
}

static void test_sweep(void **state) {
        unsigned n, asked;
        long balance;

        if (!memory_can_fail())
                skip();
        asked = play(0);
        log_error("what the C library allocates once for the first line");
        balance = memory_balance();
        for (n = 1; n <= asked; n += memory_sweep_step(asked, 200)) {
                play(n);
                assert_int_equal(memory_balance(), balance);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
