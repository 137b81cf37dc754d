#include "agent/directory/desired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct pod *make(const char *file, const char *name, const char *uid) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = file, .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"%s%s%s},"
                 "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
                 name, uid ? ",\"uid\":\"" : "", uid ?: "", uid ? "\"" : "");
        problems_init(&problems, arena, file, NULL);
        assert_int_equal(pod_read_static(text, strlen(text), &how, &problems, &pod, NULL), 0);
        return pod;
}

/* One step: what @file wants now (NULL: it is gone; "": time has passed), and then each file with its pod, duplicates
 * with a "!", those that are gone for the moment with a "?". */
struct step {
        const char *file, *name, *then, *uid;
};

static void print(struct desired_pods *pods, char text[256]) {
        text[0] = '\0';
        for (size_t k = 0; k < pods->n; k++) {
                const struct desired *d = &pods->items[k];
                size_t n = strlen(text);

                snprintf(text + n, 256 - n, "%s%s=%.1s%s%s", n ? " " : "", d->file, d->pod->metadata.name,
                         d->gone ? "?" : "", d->duplicate ? "!" : "");
                assert_ptr_equal(desired_find(pods, d->file), d->gone ? NULL : d);
                if (d->duplicate)
                        assert_false(d->holder->duplicate);
        }
}

static void walk(const struct step *steps, size_t n) {
        struct desired_pods pods = { 0 };
        char text[256];

        for (size_t i = 0; i < n; i++) {
                const struct step *step = &steps[i];

                if (!step->name)
                        desired_drop(&pods, step->file);
                else if (step->name[0])
                        desired_set(&pods, step->file, make(step->file, step->name, step->uid), CLAIM_NONE);
                else
                        desired_bury(&pods);
                desired_resolve(&pods);
                print(&pods, text);
                assert_string_equal(text, step->then);
        }
        desired_clear(&pods);
}

/* The file that came first has the pod, whatever the others are called. */
static void test_steps(void **state) {
        static const struct step steps[] = {
                { "one", "a", "one=a", NULL },
                { "zero", "a", "one=a zero=a!", NULL },
                { "two", "b", "one=a zero=a! two=b", NULL },
                { "two", "a", "one=a zero=a! two=a!", NULL },
                { "one", "c", "one=c zero=a two=a!", NULL },
                { "zero", NULL, "one=c zero=a? two=a!", NULL },
                { "", "", "one=c two=a", NULL },
                { "none", NULL, "one=c two=a", NULL },
                { "two", "c", "one=c two=c!", NULL },
                { "one", NULL, "one=c? two=c!", NULL },
                { "", "", "two=c", NULL },
                { "two", NULL, "", NULL },
        };

        walk(steps, ELEMENTS(steps));
}

/* An editor that renames the old file away before it writes the new one does not lose the pod to a copy. */
static void test_away_for_a_moment(void **state) {
        static const struct step steps[] = {
                { "pod", "a", "pod=a", NULL },           { "copy", "a", "pod=a copy=a!", NULL },
                { "pod", NULL, "pod=a? copy=a!", NULL }, { "pod", "a", "pod=a copy=a!", NULL },
                { "", "", "pod=a copy=a!", NULL },       { "copy", NULL, "pod=a copy=a?!", NULL },
                { "pod", "b", "pod=b copy=a?", NULL },   { "", "", "pod=b", NULL },
        };

        walk(steps, ELEMENTS(steps));
}

/* After a restart the files come in another order: what runs decides. */
static void test_what_ran_before(void **state) {
        struct desired_pods pods = { 0 };
        char text[256];

        desired_set(&pods, "a copy", make("a copy", "a", NULL), CLAIM_NONE);
        desired_set(&pods, "b", make("b", "a", NULL), CLAIM_FILE);
        desired_set(&pods, "c", make("c", "a", NULL), CLAIM_POD);
        desired_set(&pods, "d", make("d", "a", NULL), CLAIM_FILE);
        desired_resolve(&pods);
        print(&pods, text);
        assert_string_equal(text, "a copy=a! b=a! c=a d=a!");
        desired_set(&pods, "b", make("b", "a", NULL), CLAIM_POD); /* an edit brings no claim */
        desired_resolve(&pods);
        print(&pods, text);
        assert_string_equal(text, "a copy=a! b=a! c=a d=a!");
        desired_clear(&pods);
}

/* One uid in two manifests is one pod as well. What has no effect stands in nobody's way. */
static void test_same_uid(void **state) {
        static const struct step steps[] = {
                { "one", "a", "one=a", "u" },
                { "two", "b", "one=a two=b!", "u" },
                { "three", "b", "one=a two=b! three=b", NULL },
                { "one", NULL, "one=a? two=b! three=b", NULL },
                { "", "", "two=b! three=b", NULL },
        };

        walk(steps, ELEMENTS(steps));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps),
                cmocka_unit_test(test_away_for_a_moment),
                cmocka_unit_test(test_what_ran_before),
                cmocka_unit_test(test_same_uid),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
