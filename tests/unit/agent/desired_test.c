#include "agent/desired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct pod *make(const char *file, const char *name) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = file, .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"},"
                 "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
                 name);
        problems_init(&problems, arena, file, NULL);
        assert_int_equal(pod_read_static(text, strlen(text), &how, &problems, &pod, NULL), 0);
        return pod;
}

/* One step: what @file wants now (NULL: it is gone), and then each file with its pod, duplicates with a "!". */
static const struct {
        const char *file, *name, *then;
} steps[] = {
        { "one", "a", "one=a" },
        { "zero", "a", "one=a zero=a!" },
        { "two", "b", "one=a zero=a! two=b" },
        { "two", "a", "one=a zero=a! two=a!" },
        { "one", "c", "one=c zero=a two=a!" },
        { "zero", NULL, "one=c two=a" },
        { "none", NULL, "one=c two=a" },
        { "two", "c", "one=c two=c!" },
        { "one", NULL, "two=c" },
        { "two", NULL, "" },
};

static void test_steps(void **state) {
        struct desired_pods pods = { 0 };

        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                char text[256] = "";

                if (steps[i].name)
                        desired_set(&pods, steps[i].file, make(steps[i].file, steps[i].name));
                else
                        desired_drop(&pods, steps[i].file);
                for (size_t k = 0; k < pods.n; k++) {
                        const struct desired *d = &pods.items[k];
                        size_t n = strlen(text);

                        snprintf(text + n, sizeof(text) - n, "%s%s=%.1s%s", n ? " " : "", d->file,
                                 d->pod->metadata.name, d->duplicate ? "!" : "");
                        assert_int_equal(desired_has(&pods, d->pod->metadata.uid), !d->duplicate);
                        assert_ptr_equal(desired_find(&pods, d->file), d);
                        assert_false(desired_first(&pods, d->pod)->duplicate);
                }
                assert_string_equal(text, steps[i].then);
        }
        desired_clear(&pods);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
