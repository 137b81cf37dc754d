/* The names a pod goes by. */
#include "agent/node/dns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config/options.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define LONG "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrst"

static const struct {
        const char *name, *hostname, *subdomain, *override, *domain;
        enum tri fqdn;
        const char *wanted; /* NULL: refused */
} rows[] = {
        { "web-n", NULL, NULL, NULL, NULL, TRI_UNSET, "web-n" },
        { "web-n", "h", "s", NULL, "cluster.local", TRI_UNSET, "h" },
        { "web-n", "h", "s", NULL, "cluster.local", TRI_TRUE, "h.s.ns.svc.cluster.local" },
        { "web-n", NULL, "s", NULL, "cluster.local", TRI_TRUE, "web-n.s.ns.svc.cluster.local" },
        { "web-n", "h", NULL, NULL, "cluster.local", TRI_TRUE, "h" },
        { "web-n", "h", "s", NULL, NULL, TRI_TRUE, "h" },
        { "web-n", "h", "s", "over.ride", "cluster.local", TRI_UNSET, "over.ride" },
        { LONG, NULL, NULL, NULL, NULL, TRI_UNSET, "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghi" },
        { LONG, NULL, "s", NULL, "cluster.local", TRI_TRUE, NULL },
};

static void test_hostname(void **state) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct options options = { .node_name = (char *)"node", .cluster_domain = (char *)rows[i].domain };
                struct pod pod = { .metadata = { .name = rows[i].name, .namespace = "ns" } };
                const char *name = NULL;

                pod.spec.hostname = rows[i].hostname;
                pod.spec.subdomain = rows[i].subdomain;
                pod.spec.hostname_override = rows[i].override;
                pod.spec.set_hostname_as_fqdn = rows[i].fqdn;
                assert_int_equal(dns_kernel_hostname(arena, &pod, &options, &name, &err), rows[i].wanted ? 0 : -EINVAL);
                if (rows[i].wanted)
                        assert_string_equal(name, rows[i].wanted);
                else
                        assert_non_null(strstr(err_text(err), "is too long (64 characters is the max"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostname) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
