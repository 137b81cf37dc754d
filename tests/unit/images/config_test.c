#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/image.h"
#include "images/manifest.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LAYER "{\"digest\":\"sha256:" HEX "\",\"size\":7}"

static const char full[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-01T00:00:00Z\",\"history\":[{}],"
        "\"config\":{\"User\":\"1000:50\",\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGQUIT\",\"Entrypoint\":[\"/"
        "e\",\"x\"],"
        "\"Cmd\":[\"c\"],\"Env\":[\"A=1\",\"B=\"],\"Volumes\":{\"/v\":{}},\"ExposedPorts\":{\"80/tcp\":{}},"
        "\"Labels\":{\"k\":\"v\"},\"Domainname\":\"\"},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]}}";

static void test_config(void **state) {
        struct image_config c;

        (void)state;
        assert_int_equal(image_config_parse(full, strlen(full), &c, NULL), 0);
        assert_string_equal(c.architecture, "amd64");
        assert_string_equal(c.user, "1000:50");
        assert_string_equal(c.workdir, "/w");
        assert_string_equal(c.stop_signal, "SIGQUIT");
        assert_string_equal(c.entrypoint[1], "x");
        assert_null(c.entrypoint[2]);
        assert_string_equal(c.cmd[0], "c");
        assert_string_equal(c.env[1], "B=");
        assert_string_equal(c.volumes[0], "/v");
        assert_string_equal(c.exposed_ports[0], "80/tcp");
        assert_string_equal(c.labels[0].value, "v");
        assert_null(c.labels[1].key);
        assert_string_equal(c.diff_ids[0], "sha256:" HEX);
        image_config_clear(&c);
}

static void test_empty_config(void **state) {
        static const char *const texts[] = { "{}", "{\"config\":null}",
                                             "{\"config\":{\"Env\":null,\"Labels\":{},\"Cmd\":[]}}" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                struct image_config c;

                assert_int_equal(image_config_parse(texts[i], strlen(texts[i]), &c, NULL), 0);
                assert_null(c.env);
                assert_null(c.labels);
                assert_null(c.cmd);
                image_config_clear(&c);
        }
}

static const struct {
        const char *text, *says;
} bad_configs[] = {
        { "", "" },
        { "[]", "it is a list, not a map" },
        { "{\"config\":{\"Env\":\"A=1\"}}", "Env is a string, not a list" },
        { "{\"config\":{\"Env\":[1]}}", "Env[0] is a number, not a string" },
        { "{\"config\":{\"Labels\":{\"a\":1}}}", "label a is a number" },
        { "{\"config\":{\"User\":0}}", "User is a number" },
        { "{\"rootfs\":{\"diff_ids\":[\"sha256:0\"]}}", "diff_ids[0] is no sha256 digest" },
        { "{\"rootfs\":{\"diff_ids\":[\"sha256:../../../etc\"]}}", "diff_ids[0] is no sha256 digest" },
};

static void test_bad_configs(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad_configs); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct image_config c;

                assert_int_equal(image_config_parse(bad_configs[i].text, strlen(bad_configs[i].text), &c, &err),
                                 -EBADMSG);
                assert_non_null(strstr(err_text(err), bad_configs[i].says));
        }
}

static void test_manifest(void **state) {
        static const char text[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" LAYER
                                   ",\"layers\":[" LAYER "," LAYER "]}";
        _cleanup_manifest_ struct manifest m = { .entries = NULL };

        (void)state;
        assert_int_equal(image_manifest_parse(text, strlen(text), &m, NULL), 0);
        assert_false(manifest_is_index(&m));
        assert_int_equal(m.n_layers, 2);
        assert_int_equal(m.layers[1].size, 7);
        assert_string_equal(m.media_type, MEDIA_OCI_MANIFEST);
}

static const struct {
        const char *text, *says;
} bad_manifests[] = {
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1 is not supported" },
        { "{\"schemaVersion\":2}", "config is nothing, not a descriptor" },
        { "{\"schemaVersion\":2,\"config\":" LAYER "}", "layers is nothing" },
        { "{\"schemaVersion\":2,\"config\":" LAYER ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":-1}]}",
          "layers[0]: size" },
        { "{\"schemaVersion\":2,\"config\":" LAYER ",\"layers\":[{\"digest\":\"sha256:../x\",\"size\":1}]}",
          "layers[0]: digest" },
        { "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", "as a manifest has" },
        { "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" HEX "\",\"size\":99999999},\"layers\":[]}",
          "at most" },
};

static void test_bad_manifests(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad_manifests); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct manifest m;

                int r = image_manifest_parse(bad_manifests[i].text, strlen(bad_manifests[i].text), &m, &err);

                assert_true(r < 0 && r != -EINVAL);
                if (!strstr(err_text(err), bad_manifests[i].says))
                        fail_msg("%s: %s", bad_manifests[i].text, err_text(err));
        }
}

/* The number of layers at its maximum and one past it. */
static void test_layer_limit(void **state) {
        (void)state;
        for (int over = 0; over <= 1; over++) {
                _cleanup_free_ char *text = NULL;
                struct manifest m;
                size_t n;
                FILE *f = open_memstream(&text, &n);

                fprintf(f, "{\"schemaVersion\":2,\"config\":" LAYER ",\"layers\":[" LAYER);
                for (int i = 1; i < IMAGE_LAYERS_MAX + over; i++)
                        fprintf(f, "," LAYER);
                fprintf(f, "]}");
                fclose(f);
                assert_int_equal(image_manifest_parse(text, n, &m, NULL), over ? -E2BIG : 0);
                if (!over)
                        image_manifest_clear(&m);
        }
}

#define ENTRY(arch, variant, digit)                                                                                    \
        "{\"digest\":\"sha256:" digit "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"size\":1,"  \
        "\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\",\"variant\":\"" variant "\"}}"

static const struct {
        const char *platform;
        char chosen; /* the digest's first digit; '-': none fits */
} choices[] = {
        { "linux/amd64", '1' },  { "linux/amd64/v3", '4' }, { "linux/arm/v7", '2' },
        { "linux/arm/v6", '3' }, { "linux/arm/v8", '2' },   { "linux/arm64", '5' },
        { "linux/s390x", '-' },  { "linux/arm/v5", '-' },   { "windows/amd64", '-' },
};

static void test_choice(void **state) {
        static const char text[] =
                "{\"schemaVersion\":2,\"manifests\":[" ENTRY("amd64", "", "1") "," ENTRY("arm", "v7", "2") "," ENTRY(
                        "arm", "v6", "3") "," ENTRY("amd64", "v2", "4") "," ENTRY("arm64", "v8",
                                                                                  "5") "," ENTRY("unknown", "",
                                                                                                 "6") "]}";
        _cleanup_manifest_ struct manifest m = { .entries = NULL };

        (void)state;
        assert_int_equal(image_manifest_parse(text, strlen(text), &m, NULL), 0);
        assert_true(manifest_is_index(&m));
        for (size_t i = 0; i < ELEMENTS(choices); i++) {
                const struct manifest_entry *e;
                struct platform p;

                assert_int_equal(image_platform_parse(choices[i].platform, &p, NULL), 0);
                e = image_manifest_choose(&m, &p);
                assert_int_equal(e ? e->descriptor.digest[7] : '-', choices[i].chosen);
        }
}

static void test_bad_platforms(void **state) {
        static const char *const texts[] = { "linux",        "linux/",     "/amd64", "linux/amd64/v1/x",
                                             "linux/amd 64", "Linux/amd64" };
        struct platform p;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                if (image_platform_parse(texts[i], &p, NULL) != -EINVAL)
                        fail_msg("%s was taken", texts[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_config),        cmocka_unit_test(test_empty_config),
                cmocka_unit_test(test_bad_configs),   cmocka_unit_test(test_manifest),
                cmocka_unit_test(test_bad_manifests), cmocka_unit_test(test_layer_limit),
                cmocka_unit_test(test_choice),        cmocka_unit_test(test_bad_platforms),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
