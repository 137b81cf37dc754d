/* Which credentials of a pod's imagePullSecrets are for an image. */
#include "agent/container/pull_secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod/pod.h"
#include "kube/pod/sources.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define JSON "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
#define OLD "kubernetes.io/dockercfg", ".dockercfg"

static void put(struct pod_sources *sources, size_t i, const char *name, const char *type, const char *key,
                const char *config) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *encoded = arena_alloc(arena, BASE64_LENGTH(strlen(config)) + 1);
        const struct value *tree = NULL;
        const char *text;

        base64_encode(config, strlen(config), encoded);
        text = arena_printf(arena, "{\"type\":\"%s\",\"data\":{\"%s\":\"%s\"}}", type, key, encoded);
        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &tree, NULL), 0);
        sources->objects[i].kind = POD_SECRET;
        sources->objects[i].state = POD_SOURCE_THERE;
        sources->objects[i].name = name;
        assert_int_equal(pod_object_read(POD_SECRET, tree, &sources->objects[i].object, NULL), 0);
}

static void test_find(void **state) {
        struct kube_local_object_reference names[] = { { "a" }, { "none" }, { "b" }, { "" }, { "odd" }, { "gone" } };
        struct pod pod = { .spec.image_pull_secrets = { names, 6 } };
        struct pod_sources *sources = pod_sources_new(3, 0);
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pull_secrets found;

        put(sources, 0, "a", JSON,
            "{\"auths\":{\"reg.example:5000\":{\"username\":\"u\",\"password\":\"p\"},\"other\":{\"auth\":\"eA==\"}}}");
        put(sources, 1, "b", OLD, "{\"reg.example:5000/x\":{\"auth\":\"dTpw\"}}");
        put(sources, 2, "odd", "Opaque", ".dockercfg", "{\"reg.example:5000\":{\"auth\":\"dTpw\"}}");
        assert_int_equal(pull_secrets_find(arena, &pod, sources, "reg.example:5000/x/y:1", &found), 0);
        assert_int_equal(found.n, 2);
        assert_string_equal(found.list[0]->username, "u");
        assert_string_equal(found.list[0]->password, "p");
        assert_string_equal(found.list[1]->auth, "dTpw");
        assert_string_equal(found.missing, "none, gone");
        assert_int_equal(pull_secrets_find(arena, &pod, sources, "reg.example:5000/z", &found), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(pull_secrets_find(arena, &pod, sources, "busybox", &found), 0);
        assert_int_equal(found.n, 0);
        assert_int_equal(pull_secrets_find(arena, &pod, NULL, "busybox", &found), 0);
        assert_string_equal(found.missing, "a, none, b, odd, gone");
        pod_sources_unref(sources);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
