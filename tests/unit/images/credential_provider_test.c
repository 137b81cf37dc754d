/* Providers that are scripts: what they are told, what their answers mean, how long those are kept, what is refused. */
#include "images/credential_provider.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define API "credentialprovider.kubelet.k8s.io/v1"
#define HEAD "{apiVersion: kubelet.config.k8s.io/v1, kind: CredentialProviderConfig, providers: ["
#define ANSWER(type, rest)                                                                                             \
        "echo x >>asked; echo '{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"" API                         \
        "\",\"cacheKeyType\":\"" type "\"" rest "}'"
#define AUTH(key, user) ",\"auth\":{\"" key "\":{\"username\":\"" user "\",\"password\":\"secret\"}}"

static char directory[64];

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/tmp/nacelle-provider-XXXXXX");
        assert_non_null(mkdtemp(directory));
        return 0;
}

static int teardown(void **state) {
        (void)state;
        return files_remove_tree(directory, NULL);
}

static char *path_of(const char *name) {
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        return path;
}

static void write_file(const char *name, const char *text, mode_t mode) {
        assert_int_equal(files_replace(path_of(name), text, strlen(text), mode, NULL), 0);
        assert_int_equal(chmod(path_of(name), mode), 0);
}

static void write_program(const char *name, const char *body) {
        char text[4096];

        snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", directory, body);
        write_file(name, text, 0755);
}

/* A configuration of one provider "p" for *.test, whose answers are kept for a minute. */
static struct credential_providers *make(const char *body) {
        struct credential_providers *providers;
        _cleanup_err_ struct err *err = NULL;

        write_program("p", body);
        write_file("config.yaml",
                   HEAD "{name: p, apiVersion: " API ", matchImages: ['*.test', 'docker.io'], defaultCacheDuration: 1m,"
                        " args: [one, 'two words'], env: [{name: OF, value: config}, {name: HOME, value: /x}]}]}",
                   0644);
        if (image_credential_providers_new(path_of("config.yaml"), directory, &providers, &err) < 0)
                fail_msg("%s", err_text(err));
        return providers;
}

static int ask(struct credential_providers *providers, const char *name, struct credentials *c, struct err **err) {
        *c = (struct credentials){ .username = NULL };
        return image_credential_providers_ask(providers, name, strcspn(name, "/"), -EBADF, c, err);
}

static unsigned times_asked(void) {
        struct stat st;

        return stat(path_of("asked"), &st) < 0 ? 0 : (unsigned)st.st_size / 2;
}

static void test_request(void **state) {
        struct credential_providers *providers =
                make("cat >request; echo \"$# $1 $2 $OF $HOME\" >seen; " ANSWER("Image", AUTH("a.test", "me")));
        _cleanup_credentials_ struct credentials c = { .username = NULL };
        _cleanup_free_ char *request = NULL, *seen = NULL;

        (void)state;
        assert_int_equal(ask(providers, "a.test/team/app", &c, NULL), 1);
        assert_string_equal(c.username, "me");
        assert_string_equal(c.password, "secret");
        assert_int_equal(files_read(path_of("request"), 4096, &request, NULL, NULL), 0);
        assert_string_equal(request, "{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"" API
                                     "\",\"image\":\"a.test/team/app\"}");
        assert_int_equal(files_read(path_of("seen"), 4096, &seen, NULL, NULL), 0);
        assert_string_equal(seen, "2 one two words config /x\n");
        image_credential_providers_free(providers);
}

/* Which of an answer's keys is taken, if any; whom it is not for is not asked. */
static void test_choice(void **state) {
        static const struct {
                const char *keys, *image, *user;
                unsigned asked;
        } rows[] = {
                { "a.test", "a.test/x", "a.test", 1 },
                { "*.test", "a.test/x", "*.test", 1 },
                { "b.test", "a.test/x", NULL, 1 },
                { "a.test a.test/team", "a.test/team/x", "a.test/team", 1 },
                { "*.test a.test", "a.test/x", "a.test", 1 },
                { "docker.io", "docker.io/library/x", "docker.io", 1 },
                { "", "a.test/x", NULL, 1 },
                { "a.b.test", "a.b.test/x", NULL, 0 },
                { "a.test:5000", "a.test:5000/x", NULL, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_credentials_ struct credentials c = { .username = NULL };
                struct credential_providers *providers;
                char body[2048], keys[256], *rest = keys, *key;

                snprintf(body, sizeof(body),
                         "rm -f asked; echo x >asked; echo '{\"kind\":\"CredentialProviderResponse\","
                         "\"apiVersion\":\"" API "\",\"cacheKeyType\":\"Image\",\"auth\":{");
                strcpy(keys, rows[i].keys);
                for (int n = 0; (key = strsep(&rest, " ")) && *key; n++)
                        snprintf(body + strlen(body), sizeof(body) - strlen(body),
                                 "%s\"%s\":{\"username\":\"%s\",\"password\":\"x\"}", n > 0 ? "," : "", key, key);
                strcat(body, "}}'");
                unlink(path_of("asked"));
                providers = make(body);
                assert_int_equal(ask(providers, rows[i].image, &c, NULL), rows[i].user ? 1 : 0);
                if (rows[i].user)
                        assert_string_equal(c.username, rows[i].user);
                assert_int_equal(times_asked(), rows[i].asked);
                image_credential_providers_free(providers);
        }
}

/* How often it is asked for these images, one after the other. */
static void test_cache(void **state) {
        static const struct {
                const char *body;
                unsigned asked;
        } rows[] = {
                { ANSWER("Image", AUTH("*.test", "me")), 3 },
                { ANSWER("Registry", AUTH("*.test", "me")), 2 },
                { ANSWER("Global", AUTH("*.test", "me")), 1 },
                { ANSWER("Global", AUTH("*.test", "me") ",\"cacheDuration\":\"1h\""), 1 },
                { ANSWER("Global", AUTH("*.test", "me") ",\"cacheDuration\":\"1ns\""), 4 },
                { ANSWER("Global", AUTH("*.test", "me") ",\"cacheDuration\":\"0s\""), 4 },
        };
        static const char *const images[] = { "a.test/x", "a.test/y", "a.test/x", "b.test/x" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct credential_providers *providers = make(rows[i].body);

                unlink(path_of("asked"));
                for (size_t j = 0; j < ELEMENTS(images); j++) {
                        _cleanup_credentials_ struct credentials c = { .username = NULL };

                        assert_int_equal(ask(providers, images[j], &c, NULL), 1);
                        assert_string_equal(c.username, "me");
                }
                if (times_asked() != rows[i].asked)
                        fail_msg("row %zu: asked %u times", i, times_asked());
                image_credential_providers_free(providers);
        }
}

/* More answers than are kept: the oldest goes, the newest stays. */
static void test_cache_limit(void **state) {
        struct credential_providers *providers = make(ANSWER("Image", AUTH("*.test", "me")));
        _cleanup_credentials_ struct credentials c = { .username = NULL };
        char name[64];

        (void)state;
        for (unsigned i = 0; i <= PROVIDER_CACHE_MAX; i++) {
                snprintf(name, sizeof(name), "a.test/%u", i);
                image_credentials_clear(&c);
                assert_int_equal(ask(providers, name, &c, NULL), 1);
        }
        assert_int_equal(times_asked(), PROVIDER_CACHE_MAX + 1);
        image_credentials_clear(&c);
        assert_int_equal(ask(providers, name, &c, NULL), 1);
        assert_int_equal(times_asked(), PROVIDER_CACHE_MAX + 1);
        image_credentials_clear(&c);
        assert_int_equal(ask(providers, "a.test/0", &c, NULL), 1);
        assert_int_equal(times_asked(), PROVIDER_CACHE_MAX + 2);
        image_credential_providers_free(providers);
}

static void test_bad_answers(void **state) {
        static const struct {
                const char *body;
                int r;
                const char *says;
        } rows[] = {
                { "echo broken >&2; exit 2", -EIO, "image credential provider p: exit code 2: broken" },
                { "echo '{'", -EINVAL, "the answer is no JSON object" },
                { "echo '{}'", -EINVAL, "the answer is no CredentialProviderResponse of " API },
                { "echo "
                  "'{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/"
                  "v1beta1\"}'",
                  -EINVAL, "the answer is no CredentialProviderResponse of " API },
                { ANSWER("image", AUTH("a.test", "me")), -EINVAL, "cacheKeyType is none of" },
                { ANSWER("Image", AUTH("a.test", "me") ",\"cacheDuration\":\"long\""), -EINVAL, "cacheDuration is no" },
                { "exec yes", -E2BIG, "answered more than 65536 bytes" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct credential_providers *providers = make(rows[i].body);
                _cleanup_credentials_ struct credentials c = { .username = NULL };
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(ask(providers, "a.test/x", &c, &err), rows[i].r);
                if (!strstr(err_text(err), rows[i].says) || strstr(err_text(err), "secret"))
                        fail_msg("row %zu: %s", i, err_text(err));
                assert_null(c.password);
                image_credential_providers_free(providers);
        }
}

/* One that fails does not hide another's answer; a directory's files count together. */
static void test_several(void **state) {
        struct credential_providers *providers;
        _cleanup_credentials_ struct credentials c = { .username = NULL };

        (void)state;
        assert_int_equal(mkdir(path_of("conf"), 0755), 0);
        write_program("fails", "exit 1");
        write_program("general", ANSWER("Image", AUTH("*.test", "general")));
        write_program("exact", ANSWER("Image", AUTH("a.test", "exact")));
        write_program("tokens", "touch tokens-asked");
#define PROVIDER(name, rest)                                                                                           \
        HEAD "{name: " name ", apiVersion: " API ", matchImages: ['*.test'], defaultCacheDuration: 0s" rest "}]}"
        write_file("conf/1.yaml", PROVIDER("fails", ""), 0644);
        write_file("conf/2.json", PROVIDER("exact", ""), 0644);
        write_file("conf/3.yml", PROVIDER("general", ""), 0644);
        write_file("conf/4.yaml", PROVIDER("tokens", ", tokenAttributes: {requireServiceAccount: true}"), 0644);
        write_file("conf/5.txt", "not read", 0644);
        assert_int_equal(image_credential_providers_new(path_of("conf"), directory, &providers, NULL), 0);
        assert_int_equal(ask(providers, "a.test/x", &c, NULL), 1);
        assert_string_equal(c.username, "exact");
        image_credentials_clear(&c);
        assert_int_equal(ask(providers, "b.test/x", &c, NULL), 1);
        assert_string_equal(c.username, "general");
        assert_int_equal(access(path_of("tokens-asked"), F_OK), -1);
        image_credential_providers_free(providers);
}

static void test_bad_configurations(void **state) {
#define P(text) HEAD "{" text "}]}"
#define REST ", apiVersion: " API ", matchImages: [a.test], defaultCacheDuration: 1m"
        static const struct {
                const char *text;
                int r;
                const char *says;
        } rows[] = {
                { "", -ENODATA, "holds no document" },
                { "{", -EINVAL, "config.yaml:2: not YAML" },
                { "kind: Pod\n", -EINVAL, "is no CredentialProviderConfig" },
                { "{apiVersion: v1, kind: CredentialProviderConfig}", -EINVAL, "is no CredentialProviderConfig" },
                { HEAD "]}", -EINVAL, "names no provider" },
                { P("name: nosuch" REST), -ENOENT, "config.yaml:1: provider nosuch: program" },
                { P("name: ../p" REST), -EINVAL, "providers.name: wants the name of a program" },
                { P("name: .." REST), -EINVAL, "providers.name: wants" },
                { P("name: 'a b'" REST), -EINVAL, "providers.name: wants" },
                { HEAD "{name: p" REST "}, {name: p" REST "}]}", -EINVAL, "\"p\" occurs twice" },
                { P("name: p, apiVersion: v1, matchImages: [a], defaultCacheDuration: 1m"), -EINVAL,
                  "providers.apiVersion" },
                { P("name: p, apiVersion: " API ", matchImages: [], defaultCacheDuration: 1m"), -EINVAL,
                  "providers.matchImages" },
                { P("name: p, apiVersion: " API ", matchImages: [5], defaultCacheDuration: 1m"), -EINVAL,
                  "providers.matchImages: wants texts" },
                { P("name: p, apiVersion: " API ", matchImages: [a]"), -EINVAL, "providers.defaultCacheDuration" },
                { P("name: p, apiVersion: " API ", matchImages: [a], defaultCacheDuration: -1s"), -EINVAL,
                  "providers.defaultCacheDuration" },
                { P("name: p" REST ", args: 5"), -EINVAL, "providers.args: wants a list" },
                { P("name: p" REST ", env: [{name: 'A=B'}]"), -EINVAL, "providers.env" },
        };

        (void)state;
        write_program("p", ":");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct credential_providers *providers;
                _cleanup_err_ struct err *err = NULL;

                write_file("config.yaml", rows[i].text, 0644);
                if (image_credential_providers_new(path_of("config.yaml"), directory, &providers, &err) != rows[i].r ||
                    !strstr(err_text(err), rows[i].says))
                        fail_msg("row %zu: %s", i, err_text(err));
        }
        struct credential_providers *providers;

        assert_int_equal(image_credential_providers_new(path_of("nosuch"), directory, &providers, NULL), -ENOENT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_request),
                TEST(test_choice),
                TEST(test_cache),
                TEST(test_cache_limit),
                TEST(test_several),
                TEST(test_bad_answers),
                TEST(test_bad_configurations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
