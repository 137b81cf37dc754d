/* What is kept of pods' volumes for /stats/summary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "agent/config/options.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/survey.h"

static uv_loop_t loop;
static struct options options;
static struct kubelet kubelet;
static struct kubelet_survey_volume volume;

static int begin(void **state) {
        uv_loop_init(&loop);
        options = (struct options){ .volume_stats_ms = 60000 };
        kubelet = (struct kubelet){ .world = { .loop = &loop, .options = &options } };
        return 0;
}

static int end(void **state) {
        kubelet_volumes_clear(&kubelet);
        return uv_loop_close(&loop);
}

/* As a request finds the pod. */
static struct kubelet_survey_pod take(const char *uid) {
        struct kubelet_survey_pod pod = { .uid = uid, .volumes = &volume, .n_volumes = 1 };

        volume = (struct kubelet_survey_volume){ .name = "d" };
        kubelet_volumes_begin(&kubelet);
        kubelet_volumes_take(&kubelet, &pod);
        kubelet_volumes_end(&kubelet);
        return pod;
}

static void measure(struct kubelet_survey_pod *pod, uint64_t used, int64_t time_ns) {
        volume = (struct kubelet_survey_volume){ .known = true, .fs = { .used = used } };
        pod->volumes_ns = time_ns;
        kubelet_volumes_keep(&kubelet, pod);
}

static void volumes_are_measured_once_in_a_while(void **state) {
        struct kubelet_survey_pod first = take("u1"), second;

        assert_true(first.measures);
        assert_false(take("u1").measures); /* somebody does */
        assert_false(volume.known);
        measure(&first, 7, 1000);
        second = take("u1");
        assert_false(second.measures);
        assert_true(volume.known && volume.fs.used == 7 && second.volumes_ns == 1000);

        options.volume_stats_ms = 1;
        kubelet_volumes_clear(&kubelet);
        first = take("u1");
        measure(&first, 7, 1000);
        uv_sleep(3);
        uv_update_time(&loop);
        second = take("u1");
        assert_true(second.measures); /* by this request; others are told what was, meanwhile */
        assert_false(take("u1").measures);
        assert_true(volume.known && volume.fs.used == 7);
        measure(&second, 8, 2000);
        assert_int_equal(take("u1").volumes_ns, 2000);
        assert_int_equal(volume.fs.used, 8);
}

static void nothing_is_kept_of_pods_that_have_gone(void **state) {
        struct kubelet_survey_pod pod = take("u1");

        take("u2"); /* u1 is not there any more, but it is being measured */
        assert_int_equal(kubelet.volumes.by_uid.n, 2);
        measure(&pod, 7, 1000);
        take("u2");
        assert_int_equal(kubelet.volumes.by_uid.n, 1);
        measure(&pod, 9, 2000);
        assert_true(take("u1").measures);
        assert_false(volume.known);
}

static void a_negative_period_is_never(void **state) {
        options.volume_stats_ms = -1000;
        assert_false(take("u1").measures);
        assert_int_equal(kubelet.volumes.by_uid.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(volumes_are_measured_once_in_a_while, begin, end),
                cmocka_unit_test_setup_teardown(nothing_is_kept_of_pods_that_have_gone, begin, end),
                cmocka_unit_test_setup_teardown(a_negative_period_is_never, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
