/* Server-side apply. apply_histories.jsonl has what kube-apiserver's field manager answered (`make histories` asks it
 * again, and for more): all that is there must be answered so. Then what is not in histories: doors, versions, names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kube/apply/fields.h"
#include "kube/apply/filter.h"
#include "lib/cleanup.h"
#include "tests/unit/kube/apply_history.h"
#include "tests/unit/support/trees.h"

static const char *write_text(const struct value *value) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_value(&w, value);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        return arena_strdup(arena, text);
}

/* ---- histories ---- */

static bool same_causes(const struct value *theirs, const struct value *ours) {
        if (value_count(theirs) != value_count(ours))
                return false;
        for (uint32_t i = 0; i < value_count(theirs); i++) {
                const struct value *a = value_at(theirs, i), *b = value_at(ours, i);

                if (!value_equal(value_get(a, "field"), value_get(b, "field")) ||
                    !value_equal(value_get(a, "message"), value_get(b, "message")))
                        return false;
        }
        return true;
}

/* Objects in any order of members, but fieldsV1 in that of the text. */
static bool same_objects(const struct value *theirs, const struct value *ours) {
        const struct value *a = value_find(theirs, "metadata.managedFields");
        const struct value *b = value_find(ours, "metadata.managedFields");

        if (!value_equal(theirs, ours))
                return false;
        for (uint32_t i = 0; i < value_count(a); i++)
                if (strcmp(write_text(value_get(value_at(a, i), "fieldsV1")),
                           write_text(value_get(value_at(b, i), "fieldsV1"))) != 0)
                        return false;
        return true;
}

static void check_step(const struct value *step, const struct value *ours) {
        const char *error = value_string(value_get(step, "error"));
        const char *said = value_string(value_get(ours, "error"));

        if (error && said && strcmp(error, said) == 0 &&
            same_causes(value_get(step, "causes"), value_get(ours, "causes")))
                return;
        if (!error && !said && same_objects(value_get(step, "object"), value_get(ours, "object")))
                return;
        fail_msg("%s\nours: %s", write_text(step), write_text(ours));
}

static void check_scale(const struct value *scale, const struct value *ours) {
        if (!value_equal(value_get(scale, "seen"), value_get(ours, "seen")) ||
            !value_equal(value_get(scale, "merged"), value_get(ours, "merged")))
                fail_msg("%s\nours: %s", write_text(scale), write_text(ours));
}

static void check_history(const char *line) {
        const struct value *history = read_text(line);
        _cleanup_free_ char *answers = apply_history_run(arena, history);
        const struct value *steps = value_get(history, "steps"), *ours = read_text(answers);

        if (value_get(history, "scale"))
                check_scale(value_get(history, "scale"), ours);
        for (uint32_t i = 0; i < value_count(steps); i++)
                check_step(value_at(steps, i), value_at(ours, i));
}

static void test_histories(void **state) {
        check_lines("tests/unit/kube/apply_histories.jsonl", 50, check_history);
}

/* ---- FieldsV1 ---- */

static void check_fields(const char *text, const char *expected) {
        _cleanup_err_ struct err *err = NULL;
        const struct apply_set *set;
        struct value fields;
        int r = apply_fields_read(arena, read_text(text), &set, &err);

        if (!expected) {
                assert_int_equal(r, -EINVAL);
                assert_non_null(err);
                return;
        }
        assert_int_equal(r, 0);
        assert_int_equal(apply_fields_write(arena, set, &fields), 0);
        assert_string_equal(write_text(&fields), expected);
}

static void test_fields(void **state) {
        check_fields("{}", "{}");
        check_fields("null", "{}");
        check_fields("{\"f:b\":{},\"f:a\":{\".\":{}}}", "{\"f:a\":{},\"f:b\":{}}");
        check_fields("{\"i:1\":{},\"v:1\":{},\"k:{\\\"b\\\":1,\\\"a\\\":\\\"x\\\"}\":{},\"f:z\":{}}",
                     "{\"f:z\":{},\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\":{},\"v:1\":{},\"i:1\":{}}");
        check_fields("{\"f:a\":{\"f:c\":{},\".\":{},\"f:b\":{}}}", "{\"f:a\":{\".\":{},\"f:b\":{},\"f:c\":{}}}");
        check_fields("{\"v:1\":{},\"v:1.0\":{},\"v:true\":{},\"v:\\\"a\\\"\":{}}",
                     "{\"v:1\":{},\"v:\\\"a\\\"\":{},\"v:true\":{}}");
        check_fields("{\"x:later\":{\"f:a\":{}}}", "{}");
        check_fields("{\"f\":{}}", NULL);
        check_fields("{\"fa\":{}}", NULL);
        check_fields("{\"k:[]\":{}}", NULL);
        check_fields("{\"v:\":{}}", NULL);
        check_fields("{\"i:a\":{}}", NULL);
        check_fields("{\"f:a\":1}", NULL);
        check_fields("[]", NULL);
}

/* ---- doors ---- */

static void check_filter(const struct apply_filter *filter, const char *text, const char *expected) {
        const struct apply_set *set;
        struct value fields;

        assert_int_equal(apply_fields_read(arena, read_text(text), &set, NULL), 0);
        set = apply_filter_set(arena, filter, set);
        assert_non_null(set);
        assert_int_equal(apply_fields_write(arena, set, &fields), 0);
        assert_string_equal(write_text(&fields), expected);
}

static void test_filters(void **state) {
        const char *pod =
                "{\"f:metadata\":{\"f:labels\":{},\"f:ownerReferences\":{\".\":{}}},\"f:spec\":{\"f:containers\":{"
                "\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:image\":{},\"f:resources\":{\"f:limits\":{}}}}},"
                "\"f:status\":{\".\":{},\"f:phase\":{}}}";

        assert_null(apply_filter_of("", "ConfigMap", ""));
        assert_ptr_equal(apply_filter_of("", "Pod", NULL), apply_filter_of("", "Pod", ""));
        check_filter(apply_filter_of("", "Pod", ""), pod,
                     "{\"f:metadata\":{\"f:labels\":{},\"f:ownerReferences\":{}},\"f:spec\":{\"f:containers\":{"
                     "\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:image\":{},\"f:resources\":{\"f:limits\":{}}}}}}");
        check_filter(apply_filter_of("", "Pod", "status"), pod,
                     "{\"f:metadata\":{\"f:labels\":{}},\"f:status\":{\".\":{},\"f:phase\":{}}}");
        assert_null(apply_filter_of("", "Pod", "resize"));
        assert_null(apply_filter_of("", "Pod", "ephemeralcontainers"));
}

static void test_custom_filters(void **state) {
        const char *fields = "{\"f:metadata\":{\"f:labels\":{}},\"f:spec\":{\"f:a\":{}},\"f:status\":{\"f:b\":{}}}";

        check_filter(NULL, fields, fields);
        check_filter(&apply_filter_custom, fields, "{\"f:metadata\":{\"f:labels\":{}},\"f:spec\":{\"f:a\":{}}}");
        check_filter(&apply_filter_custom_status, fields, "{\"f:status\":{\"f:b\":{}}}");
}

/* ---- versions ---- */

/* A version in which spec.replicas is called spec.count; any third is not served. */
static int rename_replicas(void *data, struct arena *where, const struct value *object, const char *api_version,
                           struct apply_object *ret_object, struct err **err) {
        const bool old = strcmp(api_version, "g/v1") == 0;
        const char *from = old ? "/spec/replicas" : "/spec/count", *to = old ? "/spec/count" : "/spec/replicas";
        const struct value *replicas = value_find(object, old ? "spec.replicas" : "spec.count");
        struct value_edit edit;

        if (!old && strcmp(api_version, "g/v2") != 0)
                return -ENOENT;
        value_edit_begin(&edit, where, object);
        if (replicas && (value_edit_remove(&edit, from, NULL) < 0 || value_edit_set(&edit, to, replicas, NULL) < 0))
                return -ENOMEM;
        *ret_object = (struct apply_object){ .value = value_edit_end(&edit) };
        return ret_object->value ? 0 : -ENOMEM;
}

static const struct apply_target deduced = {
        .group = "g",
        .version = "v2",
        .kind = "Thing",
        .convert = rename_replicas,
};

#define OLD_OWNERS                                                                                                     \
        "{\"apiVersion\":\"g/v2\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"managedFields\":["   \
        "{\"manager\":\"old\",\"operation\":\"Apply\",\"apiVersion\":\"g/"                                             \
        "v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":"                                                               \
        "{\"f:spec\":{\"f:count\":{}}}},"                                                                              \
        "{\"manager\":\"gone\",\"operation\":\"Update\",\"apiVersion\":\"g/v0\",\"fieldsType\":\"FieldsV1\","          \
        "\"fieldsV1\":{\"f:spec\":{\"f:x\":{}}}}]},\"spec\":{\"replicas\":1,\"x\":1}}"

static void test_versions(void **state) {
        const struct apply_writer writer = { .manager = "new", .now = 1600000000 };
        const struct apply_write write = {
                .target = &deduced,
                .writer = &writer,
                .live = read_text(OLD_OWNERS),
                .sent = read_text("{\"apiVersion\":\"g/v2\",\"kind\":\"Thing\",\"spec\":{\"replicas\":2}}"),
        };
        _cleanup_err_ struct err *err = NULL;
        struct apply_result result = { 0 };

        assert_int_equal(apply_configuration(arena, &write, &result, &err), -APPLY_CONFLICT);
        assert_string_equal(result.message, "Apply failed with 1 conflict: conflict with \"old\": .spec.count");
        assert_int_equal(result.n_causes, 1);
        assert_string_equal(result.causes[0].field, ".spec.count");
        assert_int_equal(apply_status(-APPLY_CONFLICT), 409);
}

/* Who applied in an old version and now applies in a new one gives up what is not in the new. */
static void test_pruned_across_versions(void **state) {
        const struct apply_writer writer = { .manager = "old", .now = 1600000000 };
        const struct apply_write write = {
                .target = &deduced,
                .writer = &writer,
                .live = read_text(OLD_OWNERS),
                .sent = read_text("{\"apiVersion\":\"g/v2\",\"kind\":\"Thing\",\"spec\":{\"y\":1}}"),
        };
        struct apply_result result = { 0 };

        assert_int_equal(apply_configuration(arena, &write, &result, NULL), 0);
        assert_null(value_find(result.object, "spec.replicas"));
        assert_non_null(value_find(result.object, "spec.x"));
        assert_int_equal(value_count(value_find(result.object, "metadata.managedFields")), 1);
        assert_string_equal(value_string(value_find(result.object, "metadata.managedFields[0].apiVersion")), "g/v2");
}

/* ---- times ---- */

#define TIMED(time_, value_)                                                                                           \
        "{\"metadata\":{\"managedFields\":[{\"manager\":\"a\",\"operation\":\"Update\",\"apiVersion\":\"v1\","         \
        "\"time\":\"" time_                                                                                            \
        "\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:a\":{}}}}]},\"data\":{\"a\":\"" value_ "\"}}"

static void test_settle(void **state) {
        const struct value *live = read_text(TIMED("2020-01-01T00:00:00Z", "1"));
        const struct value *settled, *later = read_text(TIMED("2021-01-01T00:00:00Z", "1"));
        const struct value *changed = read_text(TIMED("2021-01-01T00:00:00Z", "2"));

        assert_int_equal(apply_settle(arena, live, later, &settled), 0);
        assert_true(value_equal(settled, live));
        assert_int_equal(apply_settle(arena, live, changed, &settled), 0);
        assert_ptr_equal(settled, changed);
}

/* ---- names ---- */

static void check_manager(const char *user_agent, const char *expected) {
        char name[APPLY_MANAGER_BYTES_MAX + 1];

        apply_manager_of(user_agent, name);
        assert_string_equal(name, expected);
}

static void test_managers(void **state) {
        char longest[APPLY_MANAGER_BYTES_MAX + 1], longer[APPLY_MANAGER_BYTES_MAX + 2];

        memset(longest, 'a', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        memset(longer, 'a', sizeof(longer));
        longer[sizeof(longer) - 1] = '\0';
        check_manager("kubectl/v1.36.3 (linux/amd64) kubernetes/abc", "kubectl");
        check_manager("", "");
        check_manager("/x", "");
        check_manager("a b\tc\x7f\xc2\xa0\xc3\xa4\xff", "a bc\xc3\xa4");
        check_manager(longest, longest);
        check_manager(longer, longest);
}

static void test_too_many_entries(void **state) {
        const struct apply_target target = { .group = "", .version = "v1", .kind = "ConfigMap" };
        const struct apply_writer writer = { .manager = "a" };
        const char *entry =
                "{\"manager\":\"%u\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\"}";
        const struct value *config = read_text("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}");
        struct value *entries = arena_alloc_array(arena, APPLY_ENTRIES_MAX + 1, sizeof(*entries));
        struct value_member managed = { .key = "managedFields" }, metadata = { .key = "metadata" };
        struct value object = { .kind = VALUE_MAP, .count = 1, .members = &metadata };
        const struct apply_write write = { &target, &writer, &object, config };
        struct apply_result result = { 0 };

        for (uint32_t i = 0; i <= APPLY_ENTRIES_MAX; i++)
                entries[i] = *read_text(arena_printf(arena, entry, i));
        managed.value = (struct value){ .kind = VALUE_LIST, .count = APPLY_ENTRIES_MAX, .items = entries };
        metadata.value = (struct value){ .kind = VALUE_MAP, .count = 1, .members = &managed };
        assert_int_equal(apply_configuration(arena, &write, &result, NULL), 0);
        managed.value.count++;
        assert_int_equal(apply_configuration(arena, &write, &result, NULL), -APPLY_FAILED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_histories),        cmocka_unit_test(test_fields),
                cmocka_unit_test(test_filters),          cmocka_unit_test(test_custom_filters),
                cmocka_unit_test(test_versions),         cmocka_unit_test(test_pruned_across_versions),
                cmocka_unit_test(test_settle),           cmocka_unit_test(test_managers),
                cmocka_unit_test(test_too_many_entries),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
