#include "cri/container/process.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/capability.h"

#define LIST_MAX 8

struct words {
        const char *words[LIST_MAX];
};

static size_t count(const struct words *list) {
        size_t n = 0;

        while (n < LIST_MAX && list->words[n])
                n++;
        return n;
}

static char **list_of(const struct words *list) {
        return count(list) ? (char **)(uintptr_t)list->words : NULL;
}

static const struct {
        struct words entrypoint, cmd, command, args, result;
} commands[] = {
        { { { "/entry" } }, { { "a" } }, { { NULL } }, { { NULL } }, { { "/entry", "a" } } },
        { { { "/entry" } }, { { "a" } }, { { NULL } }, { { "b" } }, { { "/entry", "b" } } },
        { { { "/entry" } }, { { "a" } }, { { "/own" } }, { { NULL } }, { { "/own" } } },
        { { { "/entry" } }, { { "a" } }, { { "/own", "x" } }, { { "b" } }, { { "/own", "x", "b" } } },
        { { { NULL } }, { { "sh" } }, { { NULL } }, { { NULL } }, { { "sh" } } },
        { { { NULL } }, { { NULL } }, { { NULL } }, { { NULL } }, { { NULL } } }, /* nothing to run */
        { { { NULL } }, { { NULL } }, { { "" } }, { { NULL } }, { { NULL } } },
};

static void test_commands(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(commands); i++) {
                Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
                Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
                struct image_config image = { .entrypoint = list_of(&commands[i].entrypoint),
                                              .cmd = list_of(&commands[i].cmd) };
                Record__Container record = RECORD__CONTAINER__INIT;
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                size_t n = count(&commands[i].result);

                config.command = list_of(&commands[i].command);
                config.n_command = count(&commands[i].command);
                config.args = list_of(&commands[i].args);
                config.n_args = count(&commands[i].args);
                assert_int_equal(process_decide(arena, &config, &image, &pod, &record, &err), n ? 0 : -EINVAL);
                if (!n)
                        continue;
                assert_int_equal(record.n_args, n);
                for (size_t j = 0; j < n; j++)
                        assert_string_equal(record.args[j], commands[i].result.words[j]);
        }
}

static const char *env_of(const Record__Container *record, const char *name) {
        size_t n = strlen(name);

        for (size_t i = 0; i < record->n_env; i++)
                if (strncmp(record->env[i], name, n) == 0 && record->env[i][n] == '=')
                        return record->env[i] + n + 1;
        return NULL;
}

static void test_environment(void **state) {
        const char *image_env[] = { "A=image", "B=image", "PATH=/image", NULL }, *cmd[] = { "sh", NULL };
        struct image_config image = { .env = (char **)image_env,
                                      .cmd = (char **)cmd,
                                      .workdir = (char *)(uintptr_t) "/work",
                                      .stop_signal = (char *)(uintptr_t) "SIGQUIT" };
        Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
        Cri__KeyValue b = CRI__KEY_VALUE__INIT, c = CRI__KEY_VALUE__INIT, *envs[] = { &b, &c };
        Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
        Record__Container record = RECORD__CONTAINER__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;

        (void)state;
        b.key = (char *)(uintptr_t) "B";
        b.value = (ProtobufCBinaryData){ 4, (uint8_t *)(uintptr_t) "ours" };
        c.key = (char *)(uintptr_t) "C";
        config.envs = envs;
        config.n_envs = 2;
        config.tty = true;
        pod.hostname = (char *)(uintptr_t) "host";
        record.home = (char *)(uintptr_t) "/home/web";
        assert_int_equal(process_decide(arena, &config, &image, &pod, &record, &err), 0);
        assert_string_equal(env_of(&record, "A"), "image");
        assert_string_equal(env_of(&record, "B"), "ours");
        assert_string_equal(env_of(&record, "C"), "");
        assert_string_equal(env_of(&record, "PATH"), "/image");
        assert_string_equal(env_of(&record, "TERM"), "xterm");
        assert_string_equal(env_of(&record, "HOSTNAME"), "host");
        assert_string_equal(env_of(&record, "HOME"), "/home/web");
        assert_string_equal(record.cwd, "/work");
        assert_int_equal(record.stop_signal, SIGQUIT);

        /* One that is empty is filled as well. */
        record.n_env = 0;
        c.key = (char *)(uintptr_t) "HOME";
        assert_int_equal(process_decide(arena, &config, &image, &pod, &record, &err), 0);
        assert_string_equal(env_of(&record, "HOME"), "/home/web");

        /* And so is a name alone, which takes an earlier one's place. */
        image_env[0] = "HOME=/image";
        image_env[1] = "HOME";
        c.key = (char *)(uintptr_t) "C";
        assert_int_equal(process_decide(arena, &config, &image, &pod, &record, &err), 0);
        assert_string_equal(env_of(&record, "HOME"), "/home/web");

        c.key = (char *)(uintptr_t) "X=Y";
        assert_int_equal(process_decide(arena, &config, &image, &pod, &record, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "\"X=Y\" is no name"));
}

static uint64_t bit(const char *name) {
        uint64_t mask = 0;

        assert_int_equal(capability_parse(name, &mask, NULL), 0);
        return mask;
}

static void test_capabilities(void **state) {
        const char *add[] = { "ALL", "NET_ADMIN" }, *drop[] = { "all", "CHOWN" },
                   *ambient[] = { "NET_RAW", "SYS_ADMIN" };
        Cri__LinuxContainerSecurityContext security = CRI__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
        Cri__LinuxContainerConfig linux_ = CRI__LINUX_CONTAINER_CONFIG__INIT;
        Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
        Cri__Capability c = CRI__CAPABILITY__INIT;
        _cleanup_err_ struct err *err = NULL;
        struct capability_sets sets;

        (void)state;
        assert_int_equal(process_capabilities(&config, &sets, NULL), 0);
        assert_true(sets.bounding == capability_default() && sets.effective == sets.bounding && sets.ambient == 0);

        config.linux = &linux_;
        linux_.security_context = &security;
        security.capabilities = &c;
        c.add_capabilities = (char **)add;
        c.drop_capabilities = (char **)drop;
        c.n_add_capabilities = 1;
        assert_int_equal(process_capabilities(&config, &sets, NULL), 0);
        assert_true(sets.bounding == capability_all());

        c.add_capabilities = (char **)add + 1; /* NET_ADMIN, and ALL dropped: only that */
        c.n_drop_capabilities = 1;
        assert_int_equal(process_capabilities(&config, &sets, NULL), 0);
        assert_true(sets.bounding == bit("NET_ADMIN"));

        c.n_add_capabilities = 0;
        c.drop_capabilities = (char **)drop + 1;
        c.add_ambient_capabilities = (char **)ambient;
        c.n_add_ambient_capabilities = 2;
        assert_int_equal(process_capabilities(&config, &sets, NULL), 0);
        assert_true(sets.bounding == (capability_default() & ~bit("CHOWN")));
        assert_true(sets.ambient == bit("NET_RAW")); /* none that the container does not have */
        assert_true(sets.inheritable == sets.ambient);

        security.privileged = true;
        assert_int_equal(process_capabilities(&config, &sets, NULL), 0);
        assert_true(sets.bounding == capability_all());

        drop[1] = "NO_SUCH_THING";
        security.privileged = false;
        assert_int_equal(process_capabilities(&config, &sets, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "NO_SUCH_THING"));
}

static const struct {
        const char *text;
        int number;
} signals[] = {
        { "SIGTERM", SIGTERM }, { "quit", SIGQUIT },        { "9", 9 },         { "SIGRTMIN", 34 },
        { "SIGRTMIN+3", 37 },   { "RTMAX-1", 63 },          { "SIGRTMAX", 64 }, { "64", 64 },
        { "65", -EINVAL },      { "0", -EINVAL },           { "-1", -EINVAL },  { "SIGNONE", -EINVAL },
        { "", -EINVAL },        { "SIGRTMIN+31", -EINVAL }, { "9x", -EINVAL },  { "SIGCLD", SIGCHLD },
};

static void test_signals(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                assert_int_equal(signal_of_text(signals[i].text), signals[i].number);
        assert_int_equal(signal_of_cri(CRI__SIGNAL__RUNTIME_DEFAULT), 0);
        assert_int_equal(signal_of_cri(CRI__SIGNAL__SIGKILL), SIGKILL);
        assert_int_equal(signal_of_cri(CRI__SIGNAL__SIGRTMAXMINUS14), 50);
        for (int number = 1; number <= 64; number++)
                if (number != 32 && number != 33) /* libc's own, which CRI has no names for */
                        assert_int_equal(signal_of_cri(signal_to_cri(number)), number);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands),
                cmocka_unit_test(test_environment),
                cmocka_unit_test(test_capabilities),
                cmocka_unit_test(test_signals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
