#include "kube/pod/env.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"

/* The cases of Kubernetes' own expansion, and of what people write in commands. */
static const struct {
        const char *text, *expanded;
} expansions[] = {
        { "$(A)", "a" },
        { "___$(B)___", "___b___" },
        { "$(A)-$(B)", "a-b" },
        { "$(A)$(B)", "ab" },
        { "$$(A)", "$(A)" },
        { "$$$(A)", "$a" },
        { "$$$$(A)", "$$(A)" },
        { "$(A", "$(A" },
        { "$((A)", "$((A)" },
        { "$(A)$", "a$" },
        { "$$", "$" },
        { "$", "$" },
        { "$A", "$A" },
        { "${A}", "${A}" },
        { "$(none)", "$(none)" },
        { "$(EMPTY)foo", "foo" },
        { "\n\n$(A)\n", "\n\na\n" },
        { "$?$(A)", "$?a" },
        { "echo $$(date); test $(A)", "echo $(date); test a" },
        { "plain", "plain" },
        { "", "" },
};

static void test_expand(void **state) {
        struct string_pair pairs[] = { { "A", "a" }, { "B", "b" }, { "EMPTY", "" } };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_env_index_ struct env_index variables = { .arena = arena };

        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                assert_int_equal(env_index_add(&variables, &pairs[i]), 0);
        for (size_t i = 0; i < ELEMENTS(expansions); i++)
                assert_string_equal(env_expand(arena, expansions[i].text, &variables), expansions[i].expanded);
}

static const char manifest[] =
        "apiVersion: v1\nkind: Pod\n"
        "metadata: {name: web, labels: {app: shop, b/c: d}, annotations: {note: \"two\\nlines \\\"x\\\"\"}}\n"
        "spec:\n"
        "  containers:\n"
        "  - name: a\n"
        "    image: i\n"
        "    resources: {limits: {cpu: 250m}, requests: {memory: 10Mi}}\n"
        "    env:\n"
        "    - {name: FIRST, value: \"1\"}\n"
        "    - {name: SECOND, value: \"$(FIRST)/$(THIRD)\"}\n"
        "    - {name: THIRD, value: \"3\"}\n"
        "    - {name: FIRST, value: \"$(FIRST)1\"}\n"
        "    - {name: EMPTY}\n"
        "    - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"
        "    - {name: UID_, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}\n"
        "    - {name: APP, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}\n"
        "    - {name: NONE, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['none']\"}}}\n"
        "    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}\n"
        "    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"
        "    - {name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}\n"
        "    - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}\n"
        "    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}\n"
        "    - {name: CPUM, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}\n"
        "    - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}\n"
        "    - {name: REQ, valueFrom: {resourceFieldRef: {resource: requests.memory}}}\n"
        "    - {name: URL, value: \"http://$(IP):$(FIRST)\"}\n"
        "    - {name: FILE, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: K}}}\n"
        "    - {name: LOST, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: lost, optional: true}}}\n"
        "  volumes: [{name: v}]\n";

static int file_key(void *data, struct arena *arena, const struct kube_file_key_selector *ref, const char **ret_text,
                    struct err **err) {
        if (strcmp(ref->key, "K") != 0)
                return err_set(err, ENOENT, "no key %s", ref->key);
        *ret_text = "from-file";
        return 0;
}

static struct pod *read_pod(const char *text) {
        const struct pod_static_options options = { .file = "f", .node_name = "n" };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct problems problems;
        struct pod *pod = NULL;

        problems_init(&problems, arena, "f", NULL);
        if (pod_read_static(text, strlen(text), &options, &problems, &pod, &err) < 0)
                fail_msg("%s", err_text(err));
        return pod;
}

static void test_environment(void **state) {
        static const struct string_pair wanted[] = {
                { "FIRST", "11" },
                { "SECOND", "1/$(THIRD)" },
                { "THIRD", "3" },
                { "EMPTY", "" },
                { "NAME", "web-n" },
                { "UID_", "default" },
                { "APP", "shop" },
                { "NONE", "" },
                { "NODE", "n" },
                { "IP", "10.1.0.7" },
                { "IPS", "10.1.0.7,fd00::7" },
                { "HOST", "192.0.2.1" },
                { "CPU", "1" },
                { "CPUM", "250" },
                { "MEM", "2048" },
                { "REQ", "10485760" },
                { "URL", "http://10.1.0.7:11" },
                { "FILE", "from-file" },
        };
        const struct pod_facts facts = {
                .pod_ip = "10.1.0.7",
                .pod_ips = "10.1.0.7,fd00::7",
                .host_ip = "192.0.2.1",
                .allocatable_memory = { .value = (int64_t)2 << 30 },
                .file_key = file_key,
        };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        _cleanup_err_ struct err *err = NULL;
        string_map made;

        if (pod_environment(arena, pod, &pod->spec.containers.items[0], &facts, &made, &err) < 0)
                fail_msg("%s", err_text(err));
        assert_int_equal(made.count, ELEMENTS(wanted));
        for (size_t i = 0; i < ELEMENTS(wanted); i++) {
                assert_string_equal(made.items[i].key, wanted[i].key);
                assert_string_equal(made.items[i].value, wanted[i].value);
        }
}

static void test_not_known_yet(void **state) {
        const struct pod_facts facts = { .host_ip = "192.0.2.1", .file_key = file_key };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        _cleanup_err_ struct err *err = NULL;
        const char *text;
        string_map made;

        assert_int_equal(pod_environment(arena, pod, &pod->spec.containers.items[0], &facts, &made, &err), -EAGAIN);
        assert_string_equal(err_text(err), "env IP: status.podIP is not known yet");
        /* On the host's network the pod's address is the host's. */
        pod->spec.host_network = true;
        assert_int_equal(pod_field_value(arena, pod, &facts, "status.podIP", &text, NULL), 0);
        assert_string_equal(text, "192.0.2.1");
}

static void test_maps(void **state) {
        const struct pod_facts facts = { 0 };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        const char *text;

        assert_int_equal(pod_field_value(arena, pod, &facts, "metadata.labels", &text, NULL), 0);
        assert_string_equal(text, "app=\"shop\"\nb/c=\"d\"");
        assert_int_equal(pod_field_value(arena, pod, &facts, "metadata.annotations['note']", &text, NULL), 0);
        assert_string_equal(text, "two\nlines \"x\"");
        assert_int_equal(pod_field_value(arena, pod, &facts, "metadata.annotations", &text, NULL), 0);
        assert_non_null(strstr(text, "\nnote=\"two\\nlines \\\"x\\\"\""));
        assert_int_equal(pod_field_value(arena, pod, &facts, "metadata.foo", &text, NULL), -EINVAL);
}

/* Doubling over and over: refused, not run out of memory with. */
static void test_bomb(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        const struct pod_facts facts = { 0 };
        char text[8192] = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - name: a\n"
                          "    image: i\n    env:\n    - {name: V0, value: xxxxxxxxxxxxxxxx}\n";
        _cleanup_pod_ struct pod *pod = NULL;
        string_map made;

        for (int i = 1; i < 20; i++)
                sprintf(text + strlen(text), "    - {name: V%d, value: $(V%d)$(V%d)}\n", i, i - 1, i - 1);
        pod = read_pod(text);
        assert_int_equal(pod_environment(arena, pod, &pod->spec.containers.items[0], &facts, &made, &err), -E2BIG);
        assert_non_null(strstr(err_text(err), "env V14: "));
}

/* As many variables as a manifest has room for, each naming the one before, and each twice: read in no time. */
static void test_many(void **state) {
        enum { N = 20000 };
        static struct kube_env_var env[2 * N];
        static char names[N][16], values[N][24];
        struct kube_container container = { .env = { env, 2 * N } };
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct pod_facts facts = { 0 };
        const char *words[] = { "$(V0)$(V19999)" };
        const string_list list = { words, 1 };
        struct timespec begin, end;
        string_list expanded;
        string_map made;

        for (int i = 0; i < N; i++) {
                snprintf(names[i], sizeof(names[i]), "V%d", i);
                snprintf(values[i], sizeof(values[i]), "$(V%d)", i > 0 ? i - 1 : N);
                env[i] = env[N + i] = (struct kube_env_var){ .name = names[i], .value = values[i] };
        }
        env[0].value = "x";
        env[N].value = "y";
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, NULL), 0);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        assert_true(end.tv_sec - begin.tv_sec < 2);
        assert_int_equal(made.count, N);
        assert_string_equal(made.items[N - 1].key, "V19999");
        assert_int_equal(env_expand_list(arena, &list, &made, &expanded), 0);
        assert_string_equal(expanded.items[0], "yy");
}

static const struct {
        const char *expression, *path, *says;
} sub_paths[] = {
        { "logs/$(A)", "logs/a", NULL },
        { "$(NONE)", NULL, "missing value for NONE, which subPathExpr \"$(NONE)\" names" },
        { "$(ROOT)", NULL, "must not be an absolute path" },
        { "x/$(UP)/y", NULL, "must not contain '..'" },
        { "$(LONG)x", NULL, "subPathExpr: longer than 4095 bytes" },
        { "a..b", "a..b", NULL },
};

static void test_sub_path(void **state) {
        static char longest[PATH_MAX];
        struct string_pair pairs[] = { { "A", "a" }, { "ROOT", "/" }, { "UP", ".." }, { "LONG", longest } };
        const string_map all = { pairs, ELEMENTS(pairs) };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_env_index_ struct env_index variables = { .arena = arena };

        memset(longest, 'x', PATH_MAX - 1);
        assert_int_equal(env_index_add_all(&variables, &all), 0);
        for (size_t i = 0; i < ELEMENTS(sub_paths); i++) {
                _cleanup_err_ struct err *err = NULL;
                const char *path = NULL;

                if (env_expand_sub_path(arena, sub_paths[i].expression, &variables, &path, &err) < 0)
                        assert_non_null(strstr(err_text(err), sub_paths[i].says ?: "no error was due"));
                else
                        assert_string_equal(path, sub_paths[i].path ?: "an error was due");
        }
}

/* -- of the API's objects ---------------------------------------------------------------------------------- */

static struct pod_object *read_object(enum pod_object_kind kind, const char *json) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        struct pod_object *object = NULL;

        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &tree, NULL), 0);
        assert_int_equal(pod_object_read(kind, tree, &object, NULL), 0);
        return object;
}

/* Of "m" and "s"; "late" is not known yet. */
static struct pod_sources *make_sources(void) {
        struct pod_sources *sources = pod_sources_new(3, 0);

        assert_non_null(sources);
        sources->objects[0] = (struct pod_source){
                POD_CONFIG_MAP, POD_SOURCE_THERE, "m",
                read_object(POD_CONFIG_MAP,
                            "{\"data\":{\"a\":\"1\",\"b.c-d\":\"2\"},\"binaryData\":{\"bin\":\"AAE=\"}}")
        };
        sources->objects[1] =
                (struct pod_source){ POD_SECRET, POD_SOURCE_THERE, "s",
                                     read_object(POD_SECRET, "{\"data\":{\"a\":\"c2VjcmV0\",\"nul\":\"YQBi\"}}") };
        sources->objects[2] = (struct pod_source){ POD_CONFIG_MAP, POD_SOURCE_UNKNOWN, "late", NULL };
        return sources;
}

static void test_sources(void **state) {
        struct kube_config_map_env_source map = { .name = "m" }, none = { .name = "none", .optional = TRI_TRUE };
        struct kube_env_from_source from[] = { { .config_map_ref = &map },
                                               { .config_map_ref = &map, .prefix = "P_" },
                                               { .config_map_ref = &none } };
        struct kube_secret_key_selector key = { .name = "s", .key = "a" },
                                        lost = { .name = "s", .key = "no", .optional = TRI_TRUE };
        struct kube_config_map_key_selector gone = { .name = "none", .key = "no", .optional = TRI_TRUE };
        struct kube_env_var_source of_secret = { .secret_key_ref = &key }, of_lost = { .secret_key_ref = &lost },
                                   of_gone = { .config_map_key_ref = &gone };
        struct kube_env_var env[] = { { .name = "S", .value_from = &of_secret },
                                      { .name = "LOST", .value_from = &of_lost },
                                      { .name = "GONE", .value_from = &of_gone },
                                      { .name = "a", .value = "own $(P_a) $(HOST) $(PORT)" },
                                      { .name = "PORT", .value = "8" } };
        const struct kube_container container = { .env_from = { from, 3 }, .env = { env, 5 } };
        struct string_pair pairs[] = { { "HOST", "10.0.0.1" }, { "PORT", "443" } };
        const string_map services = { pairs, 2 };
        static const struct string_pair wanted[] = {
                { "HOST", "10.0.0.1" }, { "PORT", "8" }, { "a", "own 1 10.0.0.1 443" },
                { "b.c-d", "2" },       { "P_a", "1" },  { "P_b.c-d", "2" },
                { "S", "secret" }
        };
        struct pod_sources *sources = make_sources();
        const struct pod_facts facts = { .sources = sources, .services = &services };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        string_map made;

        assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, NULL), 0);
        assert_int_equal(made.count, ELEMENTS(wanted));
        for (size_t i = 0; i < ELEMENTS(wanted); i++) {
                assert_string_equal(made.items[i].key, wanted[i].key);
                assert_string_equal(made.items[i].value, wanted[i].value);
        }
        pod_sources_unref(sources);
}

/* A word of six bytes is as long as the variable that it names: together they are no longer than execve(2) takes. */
static void test_words_have_a_maximum(void **state) {
        enum { LENGTH = 1024, N = ENV_TOTAL_MAX / LENGTH };
        static const char *words[N + 1];
        static char value[LENGTH + 1];
        struct string_pair pair = { "A", value };
        const string_map variables = { &pair, 1 };
        string_list list = { words, N }, expanded;
        _cleanup_arena_ struct arena *arena = arena_new();

        memset(value, 'x', LENGTH);
        for (size_t i = 0; i <= N; i++)
                words[i] = "$(A)";
        assert_int_equal(env_expand_list(arena, &list, &variables, &expanded), 0);
        assert_int_equal(expanded.count, N);
        list.count = N + 1;
        assert_int_equal(env_expand_list(arena, &list, &variables, &expanded), -E2BIG);
}

/* One object, named again and again. */
static void test_names_have_a_maximum(void **state) {
        enum { PREFIX = 1000, KEYS = 3, PER_ENTRY = 2 * PREFIX + sizeof("a") + sizeof("b.c-d") };
        const uint32_t fit = ENV_NAMES_MAX / PER_ENTRY, many = ENV_COUNT_MAX / KEYS + 1;
        struct kube_env_from_source *from = calloc(many, sizeof(*from));
        struct kube_config_map_env_source map = { .name = "m" };
        struct kube_container container = { .env_from = { from, fit } };
        struct pod_sources *sources = make_sources();
        const struct pod_facts facts = { .sources = sources };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *names = NULL, *count = NULL;
        _cleanup_pod_ struct pod *pod = read_pod(manifest);
        static char prefix[PREFIX + 1];
        string_map made;

        memset(prefix, 'p', PREFIX);
        for (uint32_t i = 0; i < many; i++)
                from[i] = (struct kube_env_from_source){ .config_map_ref = &map, .prefix = prefix };
        assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, NULL), 0);
        container.env_from.count = fit + 1;
        assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, &names), -E2BIG);
        assert_non_null(strstr(err_text(names), "the environment's names are larger than 8388608 bytes"));
        container.env_from.count = many;
        assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, &count), -E2BIG);
        assert_non_null(strstr(err_text(count), "the environment has more than 1048576 variables"));
        pod_sources_unref(sources);
        free(from);
}

/* kubelet's words. */
static void test_sources_that_are_missing(void **state) {
        static const struct {
                enum pod_object_kind kind;
                const char *name, *key; /* NULL: all of it */
                int error;
                const char *words;
        } cases[] = {
                { POD_CONFIG_MAP, "none", NULL, -ENOENT, "configmap \"none\" not found" },
                { POD_SECRET, "none", NULL, -ENOENT, "secret \"none\" not found" },
                { POD_CONFIG_MAP, "none", "k", -ENOENT, "configmap \"none\" not found" },
                { POD_CONFIG_MAP, "m", "k", -ENOENT, "couldn't find key k in ConfigMap default/m" },
                { POD_CONFIG_MAP, "m", "bin", -ENOENT, "couldn't find key bin in ConfigMap default/m" },
                { POD_SECRET, "s", "k", -ENOENT, "couldn't find key k in Secret default/s" },
                { POD_SECRET, "s", "nul", -EINVAL,
                  "key nul of secret \"s\" has a NUL character, which no variable holds" },
                { POD_CONFIG_MAP, "late", NULL, -EAGAIN,
                  "failed to sync configmap cache: timed out waiting for the condition" },
        };
        struct pod_sources *sources = make_sources();
        const struct pod_facts facts = { .sources = sources };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = read_pod(manifest);

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct kube_config_map_env_source map = { .name = cases[i].name };
                struct kube_secret_env_source secret = { .name = cases[i].name };
                struct kube_config_map_key_selector map_key = { .name = cases[i].name, .key = cases[i].key };
                struct kube_secret_key_selector secret_key = { .name = cases[i].name, .key = cases[i].key };
                bool of_map = cases[i].kind == POD_CONFIG_MAP;
                struct kube_env_var_source source = { .config_map_key_ref = of_map ? &map_key : NULL,
                                                      .secret_key_ref = of_map ? NULL : &secret_key };
                struct kube_env_from_source from = { .config_map_ref = of_map ? &map : NULL,
                                                     .secret_ref = of_map ? NULL : &secret };
                struct kube_env_var env = { .name = "E", .value_from = &source };
                const struct kube_container container = { .env_from = { &from, !cases[i].key },
                                                          .env = { &env, cases[i].key != NULL } };
                _cleanup_err_ struct err *err = NULL;
                string_map made;

                assert_int_equal(pod_environment(arena, pod, &container, &facts, &made, &err), cases[i].error);
                assert_string_equal(err_text(err), cases[i].words);
        }
        pod_sources_unref(sources);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_expand),
                cmocka_unit_test(test_environment),
                cmocka_unit_test(test_not_known_yet),
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_sources_that_are_missing),
                cmocka_unit_test(test_maps),
                cmocka_unit_test(test_bomb),
                cmocka_unit_test(test_words_have_a_maximum),
                cmocka_unit_test(test_names_have_a_maximum),
                cmocka_unit_test(test_sub_path),
                cmocka_unit_test(test_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
