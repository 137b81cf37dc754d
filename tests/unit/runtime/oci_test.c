/* nacelle-oci as its callers run it: a bundle, a verb, an exit code, what it prints. Root only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"

struct bundle {
        char dir[64];
        char text[65536]; /* what the last call printed */
};

static int call(struct bundle *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int call(struct bundle *b, const char *format, ...) {
        char command[1024], verb[600];
        va_list args;
        size_t n;
        FILE *out;

        va_start(args, format);
        vsnprintf(verb, sizeof(verb), format, args);
        va_end(args);
        /* Into a file: a container that goes on would hold a pipe open. The leak check traces its own process, which
         * this program forbids to others. */
        snprintf(command, sizeof(command),
                 "cd %s && ASAN_OPTIONS=detect_leaks=0 timeout 20 " NACELLE_TEST_OCI
                 " --root %s/run %s >%s/out 2>&1 </dev/null",
                 b->dir, b->dir, verb, b->dir);
        n = (size_t)system(command);
        snprintf(command, sizeof(command), "%s/out", b->dir);
        out = fopen(command, "re");
        b->text[out ? fread(b->text, 1, sizeof(b->text) - 1, out) : 0] = '\0';
        if (out)
                fclose(out);
        if (getenv("V"))
                printf("%s: %s\n", verb, b->text);
        return WIFEXITED((int)n) ? WEXITSTATUS((int)n) : -1;
}

static void assert_says(struct bundle *b, const char *part) {
        if (!strstr(b->text, part))
                fail_msg("\"%s\" is not in: %s", part, b->text);
}

/* The default configuration with a shell script as its program, and @more inside of the top object. */
static void configure(struct bundle *b, const char *script, const char *more) {
        char path[128], config[4096];

        snprintf(path, sizeof(path), "%s/config.json", b->dir);
        snprintf(config, sizeof(config),
                 "{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\",\"-c\",\"%s\"]"
                 ",\"env\":[\"PATH=/bin\"],"
                 "\"cwd\":\"/"
                 "\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_"
                 "KILL\"]}},"
                 "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"oci\","
                 "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
                 "{\"destination\":\"/"
                 "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]},"
                 "{\"destination\":\"/dev/"
                 "pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],"
                 "\"linux\":{\"cgroupsPath\":\"/"
                 "nacelle-oci-test-%d\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"uts\"},"
                 "{\"type\":\"ipc\"},{\"type\":\"network\"}],\"maskedPaths\":[\"/proc/keys\",\"/proc/"
                 "acpi\"],\"readonlyPaths\":[\"/proc/sys\"]}%s}",
                 script, getpid(), more);
        assert_int_equal(files_replace(path, config, strlen(config), 0644, NULL), 0);
}

static int setup(void **state) {
        static const char *const links[] = { "sh", "echo", "id", "hostname", "sleep", "cat", "tty", "touch", "grep" };
        struct bundle *b = calloc(1, sizeof(*b));
        char path[400];

        assert_non_null(b);
        strcpy(b->dir, "/run/nacelle-rt-XXXXXX");
        assert_non_null(mkdtemp(b->dir));
        snprintf(path, sizeof(path),
                 "mkdir -p %s/rootfs/bin %s/rootfs/proc %s/rootfs/dev && cp /bin/busybox %s/rootfs/bin/", b->dir,
                 b->dir, b->dir, b->dir);
        assert_int_equal(system(path), 0);
        for (size_t i = 0; i < ELEMENTS(links); i++) {
                snprintf(path, sizeof(path), "%s/rootfs/bin/%s", b->dir, links[i]);
                assert_int_equal(symlink("busybox", path), 0);
        }
        *state = b;
        return 0;
}

static int teardown(void **state) {
        struct bundle *b = *state;

        call(b, "delete --force c");
        assert_int_equal(files_remove_tree(b->dir, NULL), 0);
        free(b);
        return 0;
}

static void test_run(void **state) {
        struct bundle *b = *state;

        configure(b,
                  "hostname; id; cat /proc/keys; echo x > /proc/sys/kernel/domainname; touch /x; grep CapBnd "
                  "/proc/self/status; exit 5",
                  "");
        assert_int_equal(call(b, "run c"), 5);
        assert_says(b, "oci\nuid=0");
        assert_says(b, "domainname: Read-only");
        assert_says(b, "/x: Read-only");
        assert_says(b, "CapBnd:\t0000000000000020");
        assert_int_equal(call(b, "state c"), 1);
        assert_says(b, "does not exist");
}

static void test_life(void **state) {
        struct bundle *b = *state;

        configure(b, "sleep 100", "");
        assert_int_equal(call(b, "create --pid-file pid c"), 0);
        assert_int_equal(call(b, "create c"), 1);
        assert_says(b, "container with id exists");
        assert_int_equal(call(b, "state c"), 0);
        assert_says(b, "\"status\": \"created\"");
        assert_int_equal(call(b, "start c"), 0);
        assert_int_equal(call(b, "start c"), 1);
        assert_int_equal(call(b, "list -q"), 0);
        assert_says(b, "c\n");
        assert_int_equal(call(b, "exec c sh -c 'hostname; exit 9'"), 9);
        assert_says(b, "oci\n");
        assert_int_equal(call(b, "exec --tty c tty"), 0);
        assert_says(b, "/dev/pts/0");
        assert_int_equal(call(b, "exec --user 7:8 --env A=b c sh -c 'id; echo $A'"), 0);
        assert_says(b, "uid=7 gid=8\nb\n");
        assert_int_equal(call(b, "exec c nothere"), 255);
        assert_says(b, "executable file not found in $PATH");
        assert_int_equal(call(b, "pause c"), 0);
        assert_int_equal(call(b, "state c"), 0);
        assert_says(b, "\"status\": \"paused\"");
        assert_int_equal(call(b, "exec c true"), 255);
        assert_int_equal(call(b, "resume c"), 0);
        assert_int_equal(call(b, "update --pids-limit 33 c"), 0);
        assert_int_equal(call(b, "events --stats c"), 0);
        assert_says(b, "\"limit\":33");
        assert_int_equal(call(b, "ps --format json c"), 0);
        assert_int_equal(call(b, "delete c"), 1);
        assert_says(b, "not stopped");
        assert_int_equal(call(b, "kill c KILL"), 0);
        for (int i = 0; call(b, "state c") == 0 && !strstr(b->text, "stopped"); i++)
                assert_true(i < 100);
        assert_int_equal(call(b, "kill c TERM"), 1);
        assert_says(b, "not running");
        assert_int_equal(call(b, "delete c"), 0);
        assert_int_equal(call(b, "delete --force c"), 0);
}

static void test_hooks(void **state) {
        struct bundle *b = *state;
        char hooks[1500];

        snprintf(hooks, sizeof(hooks),
                 ",\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > "
                 "%s/create-runtime\"]}],"
                 "\"createContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"hostname > "
                 "%s/create-container\"]}],"
                 "\"startContainer\":[{\"path\":\"/bin/echo\",\"args\":[\"echo\",\"from the hook\"]}],"
                 "\"poststart\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > %s/poststart\"]}],"
                 "\"poststop\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > %s/poststop\"]}]}",
                 b->dir, b->dir, b->dir, b->dir);
        configure(b, "echo main", hooks);
        assert_int_equal(call(b, "run c"), 0);
        assert_says(b, "from the hook\nmain\n");
        for (int i = 0; i < 4; i++) {
                static const char *const files[4] = { "create-runtime", "create-container", "poststart", "poststop" };
                static const char *const says[4] = { "\"status\": \"creating\"", "oci", "\"status\": \"running\"",
                                                     "\"status\": \"stopped\"" };
                _cleanup_free_ char *text = NULL;
                char path[128];

                snprintf(path, sizeof(path), "%s/%s", b->dir, files[i]);
                assert_int_equal(files_read(path, 4096, &text, NULL, NULL), 0);
                assert_non_null(strstr(text, says[i]));
        }
        configure(b, "true", ",\"hooks\":{\"prestart\":[{\"path\":\"/bin/false\"}]}");
        assert_int_equal(call(b, "run c"), 1);
        assert_says(b, "prestart hook /bin/false: exit status 1");
}

static const struct {
        const char *more, *says;
} refusals[] = {
        { ",\"windows\":{}", "windows: not supported" },
        { ",\"linux\":{\"intelRdt\":{}}", "linux" },
        { ",\"vm\":{}", "vm: not supported" },
        { ",", "config.json" },
};

static void test_refusals(void **state) {
        struct bundle *b = *state;

        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                configure(b, "true", refusals[i].more);
                assert_int_equal(call(b, "run c"), 1);
                assert_says(b, refusals[i].says);
        }
        assert_int_equal(call(b, "checkpoint c"), 1);
        assert_says(b, "does not exist");
        assert_int_equal(call(b, "nothere"), 1);
        assert_says(b, "unknown verb");
        assert_int_equal(call(b, "run ../x"), 1);
        assert_says(b, "container id");
        assert_int_equal(call(b, "features"), 0);
        assert_says(b, "ociVersionMax");
        unlink("config.json");
        assert_int_equal(call(b, "spec --bundle %s/rootfs", b->dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_run, setup, teardown),
                cmocka_unit_test_setup_teardown(test_life, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hooks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
