#include "tests/unit/runtime/fixture.h"

#include <signal.h>

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void test_run(void **state) {
        struct fixture *f = *state;
        struct sandbox_spec sandbox;
        struct fixture_container c;
        _cleanup_free_ char *log = NULL;

        sandbox_spec_init(&sandbox);
        sandbox.hostname = "web-0";
        fixture_sandbox(f, &sandbox);
        fixture_container(f, "echo out; echo err >&2; hostname; id; echo pid $$; cat /proc/self/status | grep -E '^(CapBnd|CapEff|NoNew|Seccomp)'; "
                             "ls /dev /proc/self/fd; mount; cat /proc/kcore; ls -la /proc/acpi /sys/firmware; echo 1 > /proc/sys/kernel/domainname; exit 3", &c);
        log = fixture_run(f, "c", &c, 3);
        if (getenv("V"))
                puts(log);
        assert_has(log, " stdout F out\n");
        assert_has(log, " stderr F err\n");
        assert_has(log, " stdout F web-0\n");
        assert_has(log, "uid=0");
        assert_has(log, " F pid 1\n");
        assert_has(log, "CapBnd:\t00000000a80425fb");
        assert_int_equal(container_delete(f->runtime, "pod", "c", NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_run, fixture_setup, fixture_teardown),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
