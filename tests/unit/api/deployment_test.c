/* What a Deployment's controller decides: sizes, revisions, conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/controllers/deployment.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define NOW INT64_C(1796000000)
#define SETS_MAX 6

/* --- numbers --- */

static void amounts(void **state) {
        static const struct {
                struct int_or_string amount;
                int32_t total;
                bool up;
                int32_t scaled;
        } cases[] = {
                { { .number = 3, .set = true }, 10, true, 3 },
                { { "25%", 0, true }, 10, true, 3 },
                { { "25%", 0, true }, 10, false, 2 },
                { { "25%", 0, true }, 4, true, 1 },
                { { "25%", 0, true }, 4, false, 1 },
                { { "1%", 0, true }, 1, true, 1 },
                { { "1%", 0, true }, 1, false, 0 },
                { { "100%", 0, true }, 7, false, 7 },
                { { "0%", 0, true }, 7, true, 0 },
                { { "many", 0, true }, 7, true, 0 },
                { { 0 }, 7, true, 0 },
                { { "2147483648%", 0, true }, 3, true, 64424510 },
                { { "2147483648%", 0, true }, 1000, true, INT32_MAX },
                { { "9223372036854775807%", 0, true }, 3, true, INT32_MAX },
                { { "9223372036854775807%", 0, true }, 1, true, INT32_MAX },
                { { "9223372036854775808%", 0, true }, 3, true, 0 }, /* Go's int has no room for it */
                { { "100%", 0, true }, INT32_MAX, true, INT32_MAX },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(deployment_scaled(&cases[i].amount, cases[i].total, cases[i].up), cases[i].scaled);
}

static void fences(void **state) {
        static const struct {
                const char *surge, *unavailable; /* percent */
                int32_t wanted, most, missing;
        } cases[] = {
                { "25%", "25%", 10, 3, 2 }, { "0%", "0%", 10, 0, 1 },   { "0%", "25%", 1, 0, 1 },
                { "25%", "0%", 1, 1, 0 },   { "0%", "100%", 4, 0, 4 },  { "0%", "200%", 4, 0, 4 },
                { "50%", "50%", 0, 0, 0 },  { "100%", "25%", 3, 3, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct kube_apps_v1_rolling_update_deployment rolling = {
                        .max_surge = { cases[i].surge, 0, true }, .max_unavailable = { cases[i].unavailable, 0, true }
                };
                deployment d = { .spec = { .replicas = { cases[i].wanted, true },
                                           .strategy = { "RollingUpdate", &rolling } } };

                assert_int_equal(deployment_surge(&d), cases[i].most);
                assert_int_equal(deployment_unavailable(&d), cases[i].missing);
                d.spec.strategy.type = "Recreate";
                assert_int_equal(deployment_surge(&d), 0);
                assert_int_equal(deployment_unavailable(&d), 0);
        }
}

/* FNV-1a's offset basis, digit by digit; with collisions it is another. */
static void hashes(void **state) {
        char none[DEPLOYMENT_HASH_MAX], zero[DEPLOYMENT_HASH_MAX], one[DEPLOYMENT_HASH_MAX];

        deployment_hash("", (struct opt_int){ 0 }, none);
        assert_string_equal(none, "65bb57b6b5");
        deployment_hash("", (struct opt_int){ 0, true }, zero);
        deployment_hash("", (struct opt_int){ 1, true }, one);
        assert_string_not_equal(none, zero);
        assert_string_not_equal(zero, one);
}

/* --- plans --- */

struct set_case {
        const char *image; /* NULL: no more */
        int32_t size, actual, available;
        int64_t revision;
        int32_t desired, most; /* annotations; 0: none */
        bool runs;
};

struct plan_case {
        const char *name, *spec, *status;
        struct set_case sets[SETS_MAX];
        const char *sizes;    /* as they come out; "-" behind one that goes, "+" behind one that is new */
        const char *progress; /* reason of the condition; NULL: whatever */
};

#define ROLLING(wanted, surge, unavailable)                                                                            \
        "\"replicas\":" #wanted ",\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":" #surge    \
        ",\"maxUnavailable\":" #unavailable "}}"
#define RECREATE(wanted) "\"replicas\":" #wanted ",\"strategy\":{\"type\":\"Recreate\"}"
#define DEADLINE ",\"progressDeadlineSeconds\":600"
#define CONDITION(status, reason, at)                                                                                  \
        "\"conditions\":[{\"type\":\"Progressing\",\"status\":\"" status "\",\"reason\":\"" reason                     \
        "\",\"lastUpdateTime\":\"" at "\",\"lastTransitionTime\":\"" at "\"}]"
#define LONG_AGO "2026-11-29T00:00:00Z"
#define DONE(n) "\"observedGeneration\":1,\"replicas\":" #n ",\"updatedReplicas\":" #n ",\"availableReplicas\":" #n

static const struct plan_case plans[] = {
        { "a first set", ROLLING(3, 1, 1) DEADLINE, "", { { 0 } }, "new:3+", "NewReplicaSetCreated" },
        { "a first set of none", ROLLING(0, 1, 1), "", { { 0 } }, "new:0+", NULL },
        { "the first recreated", RECREATE(2), "", { { 0 } }, "new:2+", NULL },
        { "begins to roll", ROLLING(4, 1, 1), "", { { "old", 4, 4, 4, 1, 4, 5, true } }, "old:3 new:1+", NULL },
        { "has no room above", ROLLING(4, 0, 1), "", { { "old", 4, 4, 4, 1, 4, 4, true } }, "old:3 new:0+", NULL },
        { "may miss none", ROLLING(4, 1, 0), "", { { "old", 4, 4, 4, 1, 4, 5, true } }, "old:4 new:1+", NULL },
        { "grows where one has gone",
          ROLLING(4, 1, 1),
          "",
          { { "old", 3, 3, 3, 1, 4, 5, true }, { "new", 1, 1, 0, 2, 4, 5, true } },
          "old:3 new:2",
          NULL },
        { "waits for the new ones",
          ROLLING(4, 1, 1),
          "",
          { { "old", 3, 3, 3, 1, 4, 5, true }, { "new", 2, 2, 0, 2, 4, 5, true } },
          "old:3 new:2",
          NULL },
        { "takes one away for each that is available",
          ROLLING(4, 1, 1),
          "",
          { { "old", 3, 3, 3, 1, 4, 5, true }, { "new", 2, 2, 1, 2, 4, 5, true } },
          "old:2 new:2",
          NULL },
        { "what does not work goes first, of the oldest",
          ROLLING(10, 2, 2),
          "",
          { { "older", 4, 4, 1, 1, 10, 12, true },
            { "old", 6, 6, 6, 2, 10, 12, true },
            { "new", 2, 2, 2, 3, 10, 12, true } },
          "older:0 old:6 new:2",
          NULL },
        { "shrinks to what it wants", ROLLING(2, 1, 1), "", { { "new", 5, 5, 5, 1, 2, 3, true } }, "new:2", NULL },
        { "grows alone",
          ROLLING(6, 1, 1),
          "",
          { { "old", 0, 0, 0, 1, 4, 5, false }, { "new", 4, 4, 4, 2, 4, 5, true } },
          "old:0 new:6",
          NULL },
        { "grows in proportion",
          ROLLING(30, 3, 2),
          "",
          { { "old", 8, 8, 8, 1, 10, 13, true }, { "new", 5, 5, 0, 2, 10, 13, true } },
          "old:20 new:13",
          NULL },
        { "shrinks in proportion",
          ROLLING(5, 3, 2),
          "",
          { { "old", 8, 8, 8, 1, 10, 13, true }, { "new", 5, 5, 0, 2, 10, 13, true } },
          "old:5 new:3",
          NULL },
        { "sizes as large as there can be",
          ROLLING(2147483647, "100%", 0),
          "",
          { { "old", INT32_MAX, INT32_MAX, INT32_MAX, 1, INT32_MAX, INT32_MAX, true } },
          "old:2147483647 new:0+",
          NULL },
        { "sums that are larger than a size shrink in proportion",
          ROLLING(10, 3, 2),
          "",
          { { "old", INT32_MAX, INT32_MAX, INT32_MAX, 1, INT32_MAX, INT32_MAX, true },
            { "new", INT32_MAX, INT32_MAX, INT32_MAX, 2, INT32_MAX, INT32_MAX, true } },
          "old:0 new:13",
          NULL },
        { "goes to none",
          ROLLING(0, 3, 2),
          "",
          { { "old", 8, 8, 8, 1, 10, 13, true }, { "new", 5, 5, 0, 2, 10, 13, true } },
          "old:0 new:0",
          NULL },
        { "one that is saturated lets the others go",
          ROLLING(4, 1, 1),
          "",
          { { "old", 2, 2, 2, 1, 9, 10, true }, { "new", 4, 4, 4, 2, 4, 5, true } },
          "old:0 new:4",
          NULL },
        { "paused it does not roll",
          ROLLING(4, 1, 1) ",\"paused\":true",
          "",
          { { "old", 4, 4, 4, 1, 4, 5, true } },
          "old:4",
          NULL },
        { "paused it says so",
          ROLLING(4, 1, 1) DEADLINE ",\"paused\":true",
          "",
          { { "new", 4, 4, 4, 1, 4, 5, true } },
          "new:4",
          "DeploymentPaused" },
        { "recreated the old ones go first", RECREATE(3), "", { { "old", 3, 3, 3, 1, 3, 3, true } }, "old:0", NULL },
        { "recreated it waits for pods that go",
          RECREATE(3),
          "",
          { { "old", 0, 0, 0, 1, 3, 3, true } },
          "old:0",
          NULL },
        { "recreated when all are gone",
          RECREATE(3),
          "",
          { { "old", 0, 0, 0, 1, 3, 3, false } },
          "old:0 new:3+",
          NULL },
        { "history goes, the oldest revision first",
          ROLLING(1, 1, 1) ",\"revisionHistoryLimit\":1",
          DONE(1),
          { { "a", 0, 0, 0, 3, 1, 2, false },
            { "b", 0, 0, 0, 1, 1, 2, false },
            { "c", 0, 0, 0, 2, 1, 2, false },
            { "new", 1, 1, 1, 4, 1, 2, true } },
          "a:0 b:0- c:0- new:1",
          NULL },
        { "history that still has pods stays",
          ROLLING(1, 1, 1) ",\"revisionHistoryLimit\":0",
          DONE(1),
          { { "a", 0, 1, 0, 1, 1, 2, true }, { "new", 1, 1, 1, 2, 1, 2, true } },
          "a:0 new:1",
          NULL },
        { "is late",
          ROLLING(1, 1, 1) DEADLINE,
          "\"replicas\":1,\"updatedReplicas\":1," CONDITION("True", "ReplicaSetUpdated", LONG_AGO),
          { { "new", 1, 1, 0, 1, 1, 2, true } },
          "new:1",
          "ProgressDeadlineExceeded" },
        { "is late, and gets on all the same",
          ROLLING(1, 1, 1) DEADLINE,
          CONDITION("False", "ProgressDeadlineExceeded", LONG_AGO),
          { { "new", 1, 1, 0, 1, 1, 2, true } },
          "new:1",
          "ReplicaSetUpdated" },
        { "is complete",
          ROLLING(1, 1, 1) DEADLINE,
          CONDITION("True", "ReplicaSetUpdated", LONG_AGO),
          { { "new", 1, 1, 1, 1, 1, 2, true } },
          "new:1",
          "NewReplicaSetAvailable" },
        { "was found",
          ROLLING(1, 1, 1) DEADLINE,
          "\"replicas\":1,\"updatedReplicas\":1",
          { { "new", 1, 1, 0, 1, 1, 2, true } },
          "new:1",
          "FoundNewReplicaSet" },
};

#define TEMPLATE                                                                                                       \
        "{\"metadata\":{\"labels\":{%s\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}}"

static void read_object(struct arena *arena, const struct kube_type *type, const char *text, void *object) {
        if (kube_json_read(arena, type, text, strlen(text), NULL, object) < 0)
                fail_msg("%s", text);
}

static void read_set(struct arena *arena, const struct set_case *c, unsigned at, struct deployment_set *set) {
        char template[256], text[1024], most[64] = "";

        snprintf(template, sizeof(template), TEMPLATE, "\"pod-template-hash\":\"x\",", c->image);
        if (c->most > 0)
                snprintf(most, sizeof(most), ",\"" DEPLOYMENT_MAX "\":\"%d\"", c->most);
        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"name\":\"%s\",\"generation\":1,\"creationTimestamp\":\"2026-01-0%uT00:00:00Z\","
                 "\"annotations\":{\"" DEPLOYMENT_DESIRED "\":\"%d\"%s,\"" DEPLOYMENT_REVISION "\":\"%d\"}},\"spec\":{"
                 "\"replicas\":%d,\"template\":%s},\"status\":{\"replicas\":%d,\"availableReplicas\":%d,"
                 "\"observedGeneration\":1}}",
                 c->image, at + 1, c->desired, most, (int)c->revision, c->size, template, c->actual, c->available);
        read_object(arena, &kube_apps_v1_replica_set_type, text, &set->set);
        set->before = c->size;
        set->runs = c->runs;
}

static void read_plan(struct arena *arena, const struct plan_case *c, struct deployment_plan *plan) {
        char template[256], text[1024];

        snprintf(template, sizeof(template), TEMPLATE, "", "new");
        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"name\":\"d\",\"generation\":1},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}"
                 "},"
                 "\"template\":%s,%s},\"status\":{%s}}",
                 template, c->spec, c->status);
        read_object(arena, &kube_apps_v1_deployment_type, text, &plan->d);
        plan->sets = arena_alloc_array(arena, SETS_MAX + 1, sizeof(*plan->sets));
        assert_non_null(plan->sets);
        while (plan->n_sets < SETS_MAX && c->sets[plan->n_sets].image) {
                read_set(arena, &c->sets[plan->n_sets], plan->n_sets, &plan->sets[plan->n_sets]);
                plan->n_sets++;
        }
}

static const char *sizes(struct arena *arena, const struct deployment_plan *plan) {
        const char *all = "";

        for (unsigned i = 0; i < plan->n_sets; i++) {
                const struct deployment_set *s = &plan->sets[i];

                all = arena_printf(arena, "%s%s%s:%d%s", all, *all ? " " : "",
                                   s->set.spec.template.spec.containers.items[0].image, deployment_replicas(s),
                                   s->is_new  ? "+" :
                                   s->removed ? "-" :
                                                "");
        }
        return all;
}

static void plans_are_made(void **state) {
        for (size_t i = 0; i < ELEMENTS(plans); i++) {
                const struct plan_case *c = &plans[i];
                _cleanup_arena_ struct arena *arena = arena_new();
                struct deployment_plan plan = { .arena = arena, .now = NOW };
                const deployment_condition *progress;
                const char *said;

                read_plan(arena, c, &plan);
                assert_int_equal(deployment_decide(&plan), 0);
                said = sizes(arena, &plan);
                if (strcmp(said, c->sizes) != 0)
                        fail_msg("%s: %s", c->name, said);
                progress = deployment_condition_of(&plan.d, "Progressing");
                if (c->progress && !kube_is(progress ? progress->reason : NULL, c->progress))
                        fail_msg("%s: %s", c->name, progress ? progress->reason : "no condition");
        }
}

/* What was done is what is wanted: decided again, nothing is. */
static void plans_come_to_rest(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct plan_case c = { .spec = ROLLING(2, 1, 1) DEADLINE,
                                     .status = "",
                                     .sets = { { "new", 2, 2, 2, 1, 2, 3, true } } };
        struct deployment_plan plan = { .arena = arena, .now = NOW }, again;

        read_plan(arena, &c, &plan);
        assert_int_equal(deployment_decide(&plan), 0);
        again = plan;
        again.current = NULL;
        again.sets[0].changed = false;
        assert_int_equal(deployment_decide(&again), 0);
        assert_false(again.sets[0].changed);
        assert_int_equal(again.d.status.conditions.count, plan.d.status.conditions.count);
        assert_int_equal(again.due, 0);
}

/* --- revisions --- */

static void a_set_that_comes_back_is_the_newest(void **state) {
        static const struct plan_case c = { .spec = ROLLING(2, 1, 1),
                                            .status = "",
                                            .sets = { { "new", 0, 0, 0, 1, 2, 3, false },
                                                      { "old", 2, 2, 2, 4, 2, 3, true } } };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct deployment_plan plan = { .arena = arena, .now = NOW };

        read_plan(arena, &c, &plan);
        assert_int_equal(deployment_decide(&plan), 0);
        assert_string_equal(deployment_annotation(&plan.current->set.metadata, DEPLOYMENT_REVISION), "5");
        assert_string_equal(deployment_annotation(&plan.current->set.metadata, DEPLOYMENT_HISTORY), "1");
        assert_string_equal(deployment_annotation(&plan.d.metadata, DEPLOYMENT_REVISION), "5");
}

/* Two thousand bytes, then the oldest are forgotten. */
static void histories_are_bounded(void **state) {
        static const struct plan_case c = { .spec = ROLLING(2, 1, 1),
                                            .status = "",
                                            .sets = { { "new", 0, 0, 0, 1, 2, 3, false },
                                                      { "old", 2, 2, 2, 4, 2, 3, true } } };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct deployment_plan plan = { .arena = arena, .now = NOW };
        char history[DEPLOYMENT_HISTORY_MAX + 1];
        const char *after;

        read_plan(arena, &c, &plan);
        for (size_t i = 0; i < DEPLOYMENT_HISTORY_MAX; i++)
                history[i] = i % 5 == 4 ? ',' : '7';
        history[DEPLOYMENT_HISTORY_MAX - 1] = '\0';
        deployment_annotate(&plan, &plan.sets[0].set.metadata, DEPLOYMENT_HISTORY, history);
        assert_int_equal(deployment_decide(&plan), 0);
        after = deployment_annotation(&plan.current->set.metadata, DEPLOYMENT_HISTORY);
        assert_true(strlen(after) <= DEPLOYMENT_HISTORY_MAX);
        assert_string_equal(after + strlen(after) - 7, ",7777,1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(amounts),
                cmocka_unit_test(fences),
                cmocka_unit_test(hashes),
                cmocka_unit_test(plans_are_made),
                cmocka_unit_test(plans_come_to_rest),
                cmocka_unit_test(a_set_that_comes_back_is_the_newest),
                cmocka_unit_test(histories_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
