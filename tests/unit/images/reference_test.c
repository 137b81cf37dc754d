#include "images/reference.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
        const char *text, *normal, *host, *path;
} accepted[] = {
        { "nginx", "docker.io/library/nginx:latest", "docker.io", "library/nginx" },
        { "nginx:1.25-alpine_3", "docker.io/library/nginx:1.25-alpine_3", "docker.io", "library/nginx" },
        { "user/app", "docker.io/user/app:latest", "docker.io", "user/app" },
        { "docker.io/nginx", "docker.io/library/nginx:latest", "docker.io", "library/nginx" },
        { "index.docker.io/library/nginx", "docker.io/library/nginx:latest", "docker.io", "library/nginx" },
        { "localhost/a", "localhost/a:latest", "localhost", "a" },
        { "localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000", "a" },
        { "registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9", "registry.k8s.io", "pause" },
        { "[::1]:5000/a/b", "[::1]:5000/a/b:latest", "[::1]:5000", "a/b" },
        { "Upper/a", "Upper/a:latest", "Upper", "a" },
        { "a__b/c-d.e--f", "docker.io/a__b/c-d.e--f:latest", "docker.io", "a__b/c-d.e--f" },
        { "nginx@sha256:" HEX, "docker.io/library/nginx@sha256:" HEX, "docker.io", "library/nginx" },
        { "nginx:1@sha256:" HEX, "docker.io/library/nginx:1@sha256:" HEX, "docker.io", "library/nginx" },
};

static void test_accepted(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(accepted); i++) {
                char text[IMAGE_REFERENCE_MAX + 1], host[IMAGE_NAME_MAX + 1];
                struct image_reference ref, again;

                assert_int_equal(image_reference_parse(accepted[i].text, &ref, NULL), 0);
                assert_string_equal(image_reference_format(&ref, text), accepted[i].normal);
                assert_string_equal(image_reference_host(&ref, host), accepted[i].host);
                assert_string_equal(image_reference_path(&ref), accepted[i].path);
                assert_int_equal(image_reference_parse(text, &again, NULL), 0); /* what is normal stays */
                assert_memory_equal(&ref, &again, sizeof(ref));
        }
}

static const struct {
        const char *text, *says;
} refused[] = {
        { "", "there is no name" },
        { ":tag", "there is no name" },
        { "Nginx", "lower-case" },
        { "a//b", "lower-case" },
        { "a/b/", "lower-case" },
        { "../etc", "is no host name" },
        { "a/../b", "lower-case" },
        { "a___b", "lower-case" },
        { "-a", "lower-case" },
        { "localhost:5000/", "no name behind the host" },
        { "local_host:80/a", "is no host name" },
        { "host:port/a", "is no host name" },
        { "nginx:", "1 to 128 characters" },
        { "nginx:-a", "may only hold" },
        { "nginx:a b", "may only hold" },
        { "nginx@md5:0", "is not sha256" },
        { "nginx@sha256:"
          "0123",
          "is not sha256" },
        { HEX, "64 hex digits" },
};

static void test_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct image_reference ref = { .name = "untouched" };

                if (image_reference_parse(refused[i].text, &ref, &err) != -EINVAL)
                        fail_msg("\"%s\" was taken", refused[i].text);
                if (!strstr(err_text(err), refused[i].says))
                        fail_msg("\"%s\": %s", refused[i].text, err_text(err));
                assert_string_equal(ref.name, "untouched");
        }
}

/* At each maximum, and one past it. */
static void test_limits(void **state) {
        char text[IMAGE_REFERENCE_MAX + 16];
        struct image_reference ref;

        (void)state;
        for (int over = 0; over <= 1; over++) {
                snprintf(text, sizeof(text), "h.x/%0*d", IMAGE_NAME_MAX - 4 + over, 0);
                assert_int_equal(image_reference_parse(text, &ref, NULL), over ? -EINVAL : 0);
                snprintf(text, sizeof(text), "%0*d", IMAGE_NAME_MAX - (int)strlen("docker.io/library/") + over, 0);
                assert_int_equal(image_reference_parse(text, &ref, NULL), over ? -EINVAL : 0);
                snprintf(text, sizeof(text), "docker.io/%0*d",
                         IMAGE_NAME_MAX - (int)strlen("docker.io/library/") + over, 0);
                assert_int_equal(image_reference_parse(text, &ref, NULL), over ? -EINVAL : 0);
                snprintf(text, sizeof(text), "a:%0*d", IMAGE_TAG_MAX + over, 0);
                assert_int_equal(image_reference_parse(text, &ref, NULL), over ? -EINVAL : 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
