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

/* Each is told, with what is left. */
static void test_what_is_left_out(void **state) {
        const char *servers[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" }, *searches[33];
        struct kube_pod_dns_config config = { .nameservers = { servers, 4 }, .searches = { searches, 33 } };
        struct options options = { .node_name = (char *)"node" };
        struct pod pod = { .metadata = { .name = "p", .namespace = "ns" } };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct dns_choice *choice = NULL;
        const char *text;

        for (unsigned i = 0; i < 33; i++)
                searches[i] = arena_printf(arena, "s%u", i);
        pod.spec.dns_policy = "None";
        pod.spec.dns_config = &config;
        assert_int_equal(dns_choose(&pod, &options, &choice, NULL), 0);
        assert_string_equal(dns_choice_warning(choice, 0, arena),
                            "Nameserver limits were exceeded, some nameservers have been omitted, the applied "
                            "nameserver line is: 10.0.0.1 10.0.0.2 10.0.0.3");
        text = dns_choice_warning(choice, 1, arena);
        assert_non_null(strstr(text, "have been omitted, the applied search line is: s0 s1 s2 "));
        assert_string_equal(text + strlen(text) - 8, " s30 s31");
        dns_choice_free(choice);
        config.nameservers.count = config.searches.count = 1;
        assert_int_equal(dns_choose(&pod, &options, &choice, NULL), 0);
        assert_null(dns_choice_warning(choice, 0, arena));
        assert_null(dns_choice_warning(choice, 1, arena));
        dns_choice_free(choice);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostname), cmocka_unit_test(test_what_is_left_out) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
