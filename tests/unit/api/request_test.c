/* What a request's texts say: paths, Accept, selectors, continue tokens. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/cache/collection.h"
#include "api/cache/object.h"
#include "api/rest/page.h"
#include "api/rest/selector.h"
#include "api/server/negotiate.h"
#include "api/server/path.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static void test_paths(void **state) {
        static const struct {
                const char *path;
                bool is_resource;
                const char *group, *version, *namespace, *resource, *name, *sub;
        } rows[] = {
                { "/api/v1/pods", true, "", "v1", NULL, "pods", NULL, NULL },
                { "/api/v1/namespaces", true, "", "v1", NULL, "namespaces", NULL, NULL },
                { "/api/v1/namespaces/x", true, "", "v1", "x", "namespaces", "x", NULL },
                { "/api/v1/namespaces/x/status", true, "", "v1", "x", "namespaces", "x", "status" },
                { "/api/v1/namespaces/x/finalize", true, "", "v1", "x", "namespaces", "x", "finalize" },
                { "/api/v1/namespaces/x/pods", true, "", "v1", "x", "pods", NULL, NULL },
                { "/api/v1/namespaces/x/pods/y/log", true, "", "v1", "x", "pods", "y", "log" },
                { "/api/v1//namespaces/x/pods/", true, "", "v1", "x", "pods", NULL, NULL },
                { "/apis/apps/v1/namespaces/x/deployments/a%2Fb", true, "apps", "v1", "x", "deployments", "a/b", NULL },
                { "/api/v1/namespaces/x/status/y", true, "", "v1", "x", "namespaces", "x", "status" },
                { "/api/v1/watch/pods", true, "", "v1", NULL, "pods", NULL, NULL },
                { "/api/v1/proxy/nodes/x/y", true, "", "v1", NULL, "nodes", "x", NULL },
                { "/apis/apps/v1", false, NULL, NULL, NULL, NULL, NULL, NULL },
                { "/api/v1", false, NULL, NULL, NULL, NULL, NULL, NULL },
                { "/livez", false, NULL, NULL, NULL, NULL, NULL, NULL },
                { "/", false, NULL, NULL, NULL, NULL, NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct api_path p;

                assert_int_equal(api_path_parse(arena, rows[i].path, strlen(rows[i].path), &p), 0);
                assert_int_equal(p.is_resource, rows[i].is_resource);
                assert_string_equal(p.whole, rows[i].path);
                if (!p.is_resource)
                        continue;
                assert_string_equal(p.group, rows[i].group);
                assert_string_equal(p.version, rows[i].version);
                assert_string_equal(p.namespace ?: "-", rows[i].namespace ?: "-");
                assert_string_equal(p.resource, rows[i].resource);
                assert_string_equal(p.name ?: "-", rows[i].name ?: "-");
                assert_string_equal(p.sub ?: "-", rows[i].sub ?: "-");
        }
}

static void test_a_path_that_is_no_encoding(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_path p;

        assert_int_equal(api_path_parse(arena, "/api/v1/pods/%zz", 16, &p), -EINVAL);
        assert_int_equal(api_path_parse(arena, "/api/v1/pods/%00", 16, &p), -EINVAL);
        assert_int_equal(api_path_parse(arena, "/%zz", 4, &p), -EINVAL); /* with nothing before it */
        assert_int_equal(api_path_parse(arena, "%2", 2, &p), -EINVAL);
}

/* No resource stands where one has to. */
static void test_half_a_path(void **state) {
        static const char *const rows[] = { "/api/v1/watch", "/api/v1/watch/", "/api/v1/proxy", "/apis/apps/v1/watch" };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct api_path p;

                assert_int_equal(api_path_parse(arena, rows[i], strlen(rows[i]), &p), -EDOM);
                assert_false(p.is_resource);
                assert_string_equal(p.whole, rows[i]);
        }
}

static void test_accept(void **state) {
        static const struct {
                const char *accept;
                int result;
                enum api_form form;
                enum api_shape shape;
        } rows[] = {
                { NULL, 0, API_JSON, API_WHOLE },
                { "", 0, API_JSON, API_WHOLE },
                { "*/*", 0, API_JSON, API_WHOLE },
                { "text/html", -ENOENT, 0, 0 },
                { "application/cbor", -ENOENT, 0, 0 },
                { "text/html, */*;q=0.8", 0, API_JSON, API_WHOLE },
                { "application/vnd.kubernetes.protobuf,application/json", 0, API_PROTOBUF, API_WHOLE },
                { "application/json;q=0.5,application/vnd.kubernetes.protobuf;q=0.9", 0, API_PROTOBUF, API_WHOLE },
                { "application/json;q=0", 0, API_JSON, API_WHOLE },
                { "application/json;q=0,application/yaml;q=0.1", 0, API_YAML, API_WHOLE },
                { "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 0, API_JSON, API_TABLE },
                { "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", 0, API_JSON, API_TABLE },
                { "application/json;as=Table;v=v2;g=meta.k8s.io,application/json", 0, API_JSON, API_WHOLE },
                { "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", 0, API_JSON, API_PARTIAL },
                { "application/json;as=Nothing", -EINVAL, 0, 0 },
                { "application/json;as=Table;v=v1", -EINVAL, 0, 0 },
                { "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", -EINVAL, 0, 0 },
                { "application/json;stream=other", -EINVAL, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct api_media media = { 0 };

                assert_int_equal(api_negotiate(rows[i].accept, &media), rows[i].result);
                assert_int_equal(media.form, rows[i].form);
                assert_int_equal(media.shape, rows[i].shape);
        }
}

/* --- selectors --- */

static const struct kube_kind pod_kind = {
        .group = "", .version = "v1", .kind = "Pod", .resource = "pods", .namespaced = true
};
static const struct selector_field pod_fields[] = {
        { .label = "metadata.name", .path = "metadata.name" },
        { .label = "metadata.namespace", .path = "metadata.namespace" },
        { .label = "spec.nodeName", .path = "spec.nodeName" },
        { .label = "status.phase", .path = "status.phase" },
};
static const struct selector_field_kind pod_selection = { .fields = pod_fields, .n = ELEMENTS(pod_fields) };
static struct api_resource pods = { .group = "", .name = "pods", .kind = &pod_kind, .fields = &pod_selection };

static struct api_request ask(struct arena *arena, const char *labels, const char *fields) {
        return (struct api_request){ .arena = arena,
                                     .kind = &pod_kind,
                                     .resource = &pods,
                                     .options = { .label_selector = labels, .field_selector = fields } };
}

static struct object *make_object(void) {
        static const struct object_label labels[] = { { "app", "web" }, { "tier", "1" }, { "n", "7" } };
        static const char *const fields[] = { "a", "default", "n1", "Running" };
        struct object_parts parts = {
                .namespace = "default", .name = "a", .labels = labels, .n_labels = 3, .fields = fields, .n_fields = 4
        };
        struct object *object;

        parts.json = bytes_new(1);
        object = object_new(&parts);
        bytes_unref(parts.json);
        return object;
}

static void test_selectors(void **state) {
        static const struct {
                const char *labels, *fields;
                int matches; /* -1: it is refused */
        } rows[] = {
                { "app=web", NULL, 1 },
                { "app==web,tier!=2", NULL, 1 },
                { "app=api", NULL, 0 },
                { "app in (api,web),!none", NULL, 1 },
                { "app notin (api,web)", NULL, 0 },
                { "none notin (x)", NULL, 1 },
                { "none!=x", NULL, 1 },
                { "app", NULL, 1 },
                { "!app", NULL, 0 },
                { "n>6,n<8", NULL, 1 },
                { "n>7", NULL, 0 },
                { "app>1", NULL, 0 },
                { " app  =  web ", NULL, 1 },
                { "", "", 1 },
                { "app in (web", NULL, -1 },
                { "app in web", NULL, -1 },
                { "=web", NULL, -1 },
                { "app=web,", NULL, -1 },
                { "-a", NULL, -1 },
                { "app=b c", NULL, -1 },
                { NULL, "metadata.name=a", 1 },
                { NULL, "metadata.name=b", 0 },
                { NULL, "metadata.name!=b,spec.nodeName=n1", 1 },
                { NULL, "spec.nodeName==n2", 0 },
                { NULL, "metadata.name=a,metadata.name=b", 0 },
                { NULL, "status.phase=Run\\ning", -1 },
                { NULL, "status.phase!=Run\\,ning", 1 },
                { NULL, "nope=1", -1 },
                { NULL, "nope", -1 },
        };
        _cleanup_object_ struct object *object = make_object();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct api_request request = ask(arena, rows[i].labels, rows[i].fields);
                struct collection_filter filter;
                struct api_selector s;
                int r = api_selector_read(&request, &s, &err);

                assert_int_equal(r, rows[i].matches < 0 ? -EINVAL : 0);
                if (r < 0)
                        continue;
                api_selector_filter(&request, &s, &filter);
                assert_int_equal((!filter.name || strcmp(filter.name, object->name) == 0) &&
                                         (!filter.matches || filter.matches(filter.data, object)),
                                 rows[i].matches);
        }
}

/* What a place in the cache answers for by itself is not looked at again; what contradicts it is. */
static void test_names_are_the_caches(void **state) {
        static const struct {
                const char *fields, *name, *namespace, *path_namespace, *path_name;
                bool looks;
        } rows[] = {
                { "metadata.name=a", "a", NULL, NULL, NULL, false },
                { "metadata.name=a,metadata.namespace=x", "a", "x", NULL, NULL, false },
                { "metadata.name=a,metadata.name=b", "a", NULL, NULL, NULL, true },
                { "metadata.name!=a", NULL, NULL, NULL, NULL, true },
                { "metadata.namespace=x", NULL, "y", "y", NULL, true },
                { "metadata.name=a", "b", "y", "y", "b", true },
                { "metadata.name=a,status.phase=Running", "a", NULL, NULL, NULL, true },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct api_request request = ask(arena, NULL, rows[i].fields);
                struct collection_filter filter;
                struct api_selector s;

                request.name = rows[i].path_name;
                request.path.namespace = (char *)rows[i].path_namespace;
                assert_int_equal(api_selector_read(&request, &s, NULL), 0);
                api_selector_filter(&request, &s, &filter);
                assert_string_equal(filter.name ?: "", rows[i].name ?: "");
                assert_string_equal(filter.namespace ?: "", rows[i].namespace ?: "");
                assert_int_equal(!!filter.matches, rows[i].looks);
        }
}

static void test_a_fields_topic(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_request request = ask(arena, NULL, "metadata.name=x,status.phase=Running");
        struct api_selector s;
        const char *value = NULL;

        assert_int_equal(api_selector_read(&request, &s, NULL), 0);
        assert_int_equal(api_selector_topic(&s, &value), 3);
        assert_string_equal(value, "Running");
        request = ask(arena, NULL, "metadata.name=x,status.phase!=Running");
        assert_int_equal(api_selector_read(&request, &s, NULL), 0);
        assert_int_equal(api_selector_topic(&s, &value), -1);
}

/* A token of a list in @scope, read again. */
static void expect_place(struct arena *arena, const char *scope, const struct api_place *place) {
        const char *token = api_place_token(arena, scope, place);
        struct api_place read;

        assert_int_equal(api_place_parse(arena, token, scope, &read, NULL), 0);
        assert_int_equal(read.revision, place->revision);
        assert_string_equal(read.namespace, place->namespace);
        assert_string_equal(read.name, place->name);
}

static void test_places(void **state) {
        static const char *const wrong[] = {
                "",
                "x",
                "nonsense",
                "e30",
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ",
                /* padding, the other alphabet's digits, and a place that is outside of the list */
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiZGVmYXVsdC9hXHUwMDAwIn0=",
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiZGVmYXVsdC9hP39+In0",
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vc2VjcmV0cy9kZWZhdWx0L2FcdTAwMDAifQ",
        };
        /* Roles and their bindings are called whatever a path's segment may be. */
        static const char *const odd[] = { "a\"b", "a\\", "a\\u0000", "a\\u0000\"b", "<\xc3\xa9 & \t>" };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_place place;
        const char *token;

        for (size_t i = 0; i < ELEMENTS(odd); i++) {
                expect_place(arena, NULL, &(struct api_place){ 42, "default", odd[i] });
                expect_place(arena, "", &(struct api_place){ 42, "", odd[i] });
        }

        expect_place(arena, NULL, &(struct api_place){ 42, "default", "a" });
        expect_place(arena, "default", &(struct api_place){ 42, "default", "a" });
        expect_place(arena, "", &(struct api_place){ API_PLACE_NOW, "", "a" });
        token = api_place_token(arena, "default", &(struct api_place){ 42, "default", "a" });
        assert_int_equal(api_place_parse(arena, token, NULL, &place, NULL), 0);
        assert_string_equal(place.namespace, "a"); /* as kube-apiserver takes it for a key */
        assert_string_equal(place.name, "");
        token = api_place_token(arena, NULL, &(struct api_place){ 0, "default", "a" });
        assert_int_equal(api_place_parse(arena, token, NULL, &place, NULL), -EINVAL);
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                assert_int_equal(api_place_parse(arena, wrong[i], NULL, &place, NULL), -EINVAL);
        (void)state;
}

static void test_warnings(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_request r = { .arena = arena };
        char text[API_WARNINGS_LONG + 2];

        api_warn(&r, "a \"b\" \\");
        api_warn(&r, "a \"b\" \\");
        assert_int_equal(r.n_warnings, 1);
        assert_string_equal(r.warnings[0], "299 - \"a \\\"b\\\" \\\\\"");
        api_warn(&r, "line\r\nSet-Cookie: x");
        api_warn(&r, "\xc2\x85");
        api_warn(&r, "");
        assert_int_equal(r.n_warnings, 1);
        r.n_warnings = r.warned = 0;
        memset(text, 'x', sizeof(text) - 1);
        text[API_WARNINGS_LONG] = '\0';
        api_warn(&r, text);
        assert_int_equal(strlen(r.warnings[0]), API_WARNINGS_LONG + strlen("299 - \"\""));
        api_warn(&r, "\xc3\xa4"); /* one character more */
        assert_int_equal(r.n_warnings, 2);
        assert_int_equal(strlen(r.warnings[0]), API_WARNING_BRIEF + strlen("299 - \"\""));
        assert_string_equal(r.warnings[1], "299 - \"\xc3\xa4\"");
        for (int i = 0; i < 40; i++) {
                text[0] = (char)('a' + i % 26);
                text[1] = (char)('a' + i / 26);
                api_warn(&r, text);
        }
        assert_int_equal(r.n_warnings, 2 + (API_WARNINGS_LONG - API_WARNING_BRIEF) / API_WARNING_BRIEF);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths),          cmocka_unit_test(test_a_path_that_is_no_encoding),
                cmocka_unit_test(test_half_a_path),    cmocka_unit_test(test_accept),
                cmocka_unit_test(test_selectors),      cmocka_unit_test(test_names_are_the_caches),
                cmocka_unit_test(test_a_fields_topic), cmocka_unit_test(test_places),
                cmocka_unit_test(test_warnings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
