/* Documents: made once, kept until the registry changes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/discovery/openapi.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"

static struct kube_kind pod, deployment, widget;

static int set_up(void **state) {
        for (size_t i = 0; i < kube_kinds_count; i++) {
                if (strcmp(kube_kinds[i].kind, "Pod") == 0)
                        pod = kube_kinds[i];
                if (strcmp(kube_kinds[i].kind, "Deployment") == 0 && strcmp(kube_kinds[i].version, "v1") == 0)
                        deployment = kube_kinds[i];
        }
        widget = deployment;
        widget.group = "example.com";
        return pod.kind && deployment.kind ? 0 : -1;
}

static struct api_document take(struct api_openapi *all, const char *path) {
        struct api_document document;

        assert_int_equal(api_openapi_take(all, path, &document), 0);
        http_body_unref(document.body); /* it is kept */
        return document;
}

static void test_made_once(void **state) {
        const struct kube_kind kinds[] = { pod, deployment };
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kinds, ELEMENTS(kinds));
        struct api_openapi *all = api_openapi_new(registry);

        assert_ptr_equal(take(all, "").body, take(all, "").body);
        assert_ptr_equal(take(all, "api/v1").body, take(all, "api/v1").body);
        assert_ptr_not_equal(take(all, "api/v1").body, take(all, "apis/apps/v1").body);
        api_openapi_free(all);
}

static void test_what_there_is_none_of(void **state) {
        static const char *const none[] = { "api",           "api/",          "api/v2",      "apis",
                                            "apis/",         "apis//v1",      "nope",        "apis/apps",
                                            "apis/apps/v1/", "/apis/apps/v1", "apis/nope/v1" };
        const struct kube_kind kinds[] = { pod, deployment };
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kinds, ELEMENTS(kinds));
        struct api_openapi *all = api_openapi_new(registry);
        struct api_document document;

        for (size_t i = 0; i < ELEMENTS(none); i++)
                assert_int_equal(api_openapi_take(all, none[i], &document), -ENOENT);
        api_openapi_free(all);
}

/* A kind that joins at run time is in the documents at once, and leaves nothing behind; others stay what they were. */
static void test_a_kind_that_comes_and_goes(void **state) {
        const struct kube_kind kinds[] = { pod };
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kinds, ELEMENTS(kinds));
        struct api_openapi *all = api_openapi_new(registry);
        struct api_document before = take(all, ""), core = take(all, "api/v1"), document;

        assert_int_equal(kube_registry_add(registry, &widget), 0);
        assert_string_not_equal(take(all, "").hash, before.hash);
        assert_string_equal(take(all, "api/v1").hash, core.hash);
        take(all, "apis/example.com/v1");
        assert_true(kube_registry_remove(registry, &widget));
        assert_string_equal(take(all, "").hash, before.hash);
        assert_int_equal(api_openapi_take(all, "apis/example.com/v1", &document), -ENOENT);
        api_openapi_free(all);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_made_once),
                cmocka_unit_test(test_what_there_is_none_of),
                cmocka_unit_test(test_a_kind_that_comes_and_goes),
        };

        return cmocka_run_group_tests(tests, set_up, NULL);
}
