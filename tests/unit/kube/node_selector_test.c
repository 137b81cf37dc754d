#include "kube/pod/node_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/yaml.h"

static struct string_pair pairs[] = { { "cores", "16" }, { "disk", "ssd" }, { "kubernetes.io/os", "linux" } };
static const string_map labels = { pairs, ELEMENTS(pairs) };

#define TERM(term)                                                                                                     \
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" term "]}}}"
#define RULE(rule) TERM("{matchExpressions: [" rule "]}")

static const struct {
        const char *spec;
        bool fits;
} cases[] = {
        { "", true },
        { "nodeSelector: {disk: ssd}", true },
        { "nodeSelector: {disk: ssd, kubernetes.io/os: linux}", true },
        { "nodeSelector: {disk: ssd, kubernetes.io/os: windows}", false },
        { "nodeSelector: {zone: a}", false },
        { "nodeSelector: {disk: ''}", false },
        { "affinity: {}", true },
        { "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}", true },
        { TERM(""), false },
        { TERM("{}"), false },
        { RULE("{key: disk, operator: In, values: [hdd, ssd]}"), true },
        { RULE("{key: disk, operator: In, values: [hdd]}"), false },
        { RULE("{key: disk, operator: In}"), false },
        { RULE("{key: zone, operator: In, values: [a]}"), false },
        { RULE("{key: disk, operator: NotIn, values: [hdd]}"), true },
        { RULE("{key: disk, operator: NotIn, values: [ssd]}"), false },
        { RULE("{key: zone, operator: NotIn, values: [a]}"), true },
        { RULE("{key: disk, operator: Exists}"), true },
        { RULE("{key: zone, operator: Exists}"), false },
        { RULE("{key: disk, operator: DoesNotExist}"), false },
        { RULE("{key: zone, operator: DoesNotExist}"), true },
        { RULE("{key: cores, operator: Gt, values: ['15']}"), true },
        { RULE("{key: cores, operator: Gt, values: ['16']}"), false },
        { RULE("{key: cores, operator: Lt, values: ['17']}"), true },
        { RULE("{key: cores, operator: Lt, values: ['16']}"), false },
        { RULE("{key: disk, operator: Lt, values: ['16']}"), false },
        { RULE("{key: cores, operator: Gt, values: [few]}"), false },
        { RULE("{key: disk, operator: Exists}, {key: zone, operator: Exists}"), false },
        { TERM("{matchExpressions: [{key: zone, operator: Exists}]}, {matchExpressions: [{key: disk, operator: "
               "Exists}]}"),
          true },
        { TERM("{matchFields: [{key: metadata.name, operator: In, values: [node]}]}"), true },
        { TERM("{matchFields: [{key: metadata.name, operator: In, values: [other]}]}"), false },
        { TERM("{matchFields: [{key: metadata.uid, operator: Exists}]}"), false },
        { "nodeSelector: {disk: hdd}\n  " RULE("{key: disk, operator: Exists}"), false },
};

static void test_cases(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const struct value *value;
                struct problems problems;
                struct pod *pod = NULL;
                char text[1024];

                snprintf(text, sizeof(text),
                         "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: i}]\n "
                         " %s\n",
                         cases[i].spec);
                problems_init(&problems, arena, "f", NULL);
                /* Some of these no API server would take. */
                assert_int_equal(yaml_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
                assert_int_equal(pod_decode(value, &problems, &pod), 0);
                assert_int_equal(pod_default(pod), 0);
                if (pod_fits_node(&pod->spec, &labels, "node") != cases[i].fits)
                        fail_msg("row %zu: %s", i, cases[i].spec);
                pod_unref(pod);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
