#include "cni/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define MANAGED                                                                                                        \
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"                                                     \
        "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"                                           \
        "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"

/* What kubelet writes, from its own tests' shapes. */
static void test_hosts(void **state) {
        const struct hosts_alias aliases[] = { { "123.45.67.89", LIST("foo", "bar", "baz") },
                                               { "456.78.90.123", LIST("park", "doo", "boo") } };
        const struct {
                struct hosts_options options;
                const char *text;
        } rows[] = {
                { { .ips = LIST("203.0.113.1"), .hostname = "podFoo" }, MANAGED "203.0.113.1\tpodFoo\n" },
                { { .ips = LIST("203.0.113.1"), .hostname = "podFoo", .domain = "domainFoo" },
                  MANAGED "203.0.113.1\tpodFoo.domainFoo\tpodFoo\n" },
                { { .ips = LIST("203.0.113.1", "fd00::6"), .hostname = "pod", .domain = "" },
                  MANAGED "203.0.113.1\tpod\nfd00::6\tpod\n" },
                { { .ips = LIST("203.0.113.1"),
                    .hostname = "podFoo",
                    .domain = "domainFoo",
                    .aliases = aliases,
                    .n_aliases = 2 },
                  MANAGED "203.0.113.1\tpodFoo.domainFoo\tpodFoo\n\n# Entries added by HostAliases.\n"
                          "123.45.67.89\tfoo\tbar\tbaz\n456.78.90.123\tpark\tdoo\tboo\n" },
                { { .hostname = "pod" }, MANAGED },
                { { .node_hosts = "# host\n127.0.0.1\tlocalhost\n", .ips = LIST("1.2.3.4"), .hostname = "pod" },
                  "# Kubernetes-managed hosts file (host network).\n# host\n127.0.0.1\tlocalhost\n" },
                { { .node_hosts = "127.0.0.1\tlocalhost\n", .hostname = "pod", .aliases = aliases, .n_aliases = 1 },
                  "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n\n"
                  "# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\tbaz\n" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text = cni_hosts_format(&rows[i].options);

                assert_string_equal(text, rows[i].text);
        }
        _cleanup_free_ char *hostname = cni_hostname_format("pod");

        assert_string_equal(hostname, "pod\n");
}

static const struct {
        const char *text, *as; /* as cni_resolv_conf_format() gives it back */
} resolv_confs[] = {
        { "", "" },
        { " ", "" },
        { "\n", "" },
        { "\t\n", "" },
        { "#comment\n", "" },
        { " #comment\n", "" },
        { "nameserver 1.2.3.4", "nameserver 1.2.3.4\n" },
        { "nameserver 1.2.3.4 5.6.7.8", "nameserver 1.2.3.4\n" },
        { " nameserver \t1.2.3.4\r\n", "nameserver 1.2.3.4\n" },
        { "nameserver 1.2.3.4\nnameserver fe80::1%lo", "nameserver 1.2.3.4\nnameserver fe80::1%lo\n" },
        { "Nameserver 1.2.3.4", "" },
        { "search ", "" },
        { "search foo", "search foo\n" },
        { "search foo bar bat.com.", "search foo bar bat.com\n" },
        { "search foo\nsearch bar baz\n", "search bar baz\n" },
        { "search .", "search .\n" },
        { "search foo.. .", "search foo. .\n" },
        { "options ", "" },
        { "options ndots:5 attempts:2", "options ndots:5 attempts:2\n" },
        { "options ndots:1\noptions ndots:5 attempts:3", "options ndots:5 attempts:3\n" },
        { "options ndots:1 edns0\noptions edns0", "options ndots:1 edns0\n" },
        { "domain local\nnameserver 1.2.3.4\nsearch a b\noptions edns0",
          "search a b\nnameserver 1.2.3.4\noptions edns0\n" },
};

static void test_resolv_conf(void **state) {
        for (size_t i = 0; i < ELEMENTS(resolv_confs); i++) {
                _cleanup_dns_config_ struct dns_config config = { 0 };
                _cleanup_free_ char *text = NULL;

                assert_int_equal(
                        cni_resolv_conf_parse(resolv_confs[i].text, strlen(resolv_confs[i].text), &config, NULL), 0);
                text = cni_resolv_conf_format(&config);
                assert_string_equal(text, resolv_confs[i].as);
        }
}

static void test_resolv_conf_refusals(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct dns_config config = { .servers.n = 42 };
        _cleanup_free_ char *large = malloc(RESOLV_CONF_MAX + 1);

        assert_int_equal(cni_resolv_conf_parse("nameserver\n", 11, &config, &err), -EINVAL);
        assert_string_equal(err_text(err), "resolv.conf: a nameserver line without an address");
        memset(large, '#', RESOLV_CONF_MAX + 1);
        assert_int_equal(cni_resolv_conf_parse(large, RESOLV_CONF_MAX + 1, &config, NULL), -EFBIG);
        assert_int_equal(config.servers.n, 42);
        assert_int_equal(cni_resolv_conf_parse(large, RESOLV_CONF_MAX, &config, NULL), 0);
        cni_dns_config_clear(&config);
}

static void test_policies(void **state) {
        static const char node_text[] = "nameserver 9.9.9.9\nsearch node.example\noptions edns0 ndots:2\n";
        _cleanup_dns_config_ struct dns_config node = { 0 };
        const char *const *cluster = LIST("10.96.0.10");
        const struct dns_option options[] = { { "ndots", "3" }, { "debug", NULL }, { "edns0", "" } };
        const struct {
                struct dns_request request;
                const char *text;
                unsigned warnings;
        } rows[] = {
                { { .policy = CNI_DNS_DEFAULT, .node = &node },
                  "search node.example\nnameserver 9.9.9.9\noptions edns0 ndots:2\n",
                  0 },
                { { .policy = CNI_DNS_DEFAULT }, "search .\nnameserver 127.0.0.1\n", 0 },
                { { .policy = CNI_DNS_DEFAULT, .node_is_ipv6 = true }, "search .\nnameserver ::1\n", 0 },
                { { .policy = CNI_DNS_NONE, .node = &node, .cluster_servers = cluster }, "", 0 },
                { { .policy = CNI_DNS_NONE,
                    .node = &node,
                    .servers = LIST("1.1.1.1"),
                    .searches = LIST("a", "b", "a"),
                    .options = options,
                    .n_options = 2 },
                  "search a b\nnameserver 1.1.1.1\noptions ndots:3 debug\n",
                  0 },
                { { .policy = CNI_DNS_CLUSTER_FIRST,
                    .pod_namespace = "ns",
                    .cluster_servers = cluster,
                    .cluster_domain = "cluster.local",
                    .node = &node },
                  "search ns.svc.cluster.local svc.cluster.local cluster.local node.example\n"
                  "nameserver 10.96.0.10\noptions ndots:5\n",
                  0 },
                { { .policy = CNI_DNS_CLUSTER_FIRST, .pod_namespace = "ns", .cluster_servers = cluster, .node = &node },
                  "search node.example\nnameserver 10.96.0.10\noptions ndots:5\n",
                  0 },
                { { .policy = CNI_DNS_CLUSTER_FIRST,
                    .pod_namespace = "ns",
                    .cluster_servers = cluster,
                    .cluster_domain = "cluster.local",
                    .node = &node,
                    .servers = LIST("10.96.0.10", "1.1.1.1"),
                    .searches = LIST("cluster.local", "more"),
                    .options = options,
                    .n_options = 3 },
                  "search ns.svc.cluster.local svc.cluster.local cluster.local node.example more\n"
                  "nameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:3 debug edns0\n",
                  0 },
                /* No cluster DNS: as Default, with a warning. */
                { { .policy = CNI_DNS_CLUSTER_FIRST,
                    .pod_namespace = "ns",
                    .cluster_domain = "cluster.local",
                    .node = &node },
                  "search node.example\nnameserver 9.9.9.9\noptions edns0 ndots:2\n",
                  DNS_MISSING_CLUSTER },
                { { .policy = CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET, .host_network = true, .node = &node },
                  "search node.example\nnameserver 9.9.9.9\noptions edns0 ndots:2\n",
                  DNS_MISSING_CLUSTER },
                { { .policy = CNI_DNS_CLUSTER_FIRST, .host_network = true, .cluster_servers = cluster, .node = &node },
                  "search node.example\nnameserver 9.9.9.9\noptions edns0 ndots:2\n",
                  0 },
                { { .policy = CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET,
                    .host_network = true,
                    .cluster_servers = cluster,
                    .node = &node },
                  "search node.example\nnameserver 10.96.0.10\noptions ndots:5\n",
                  0 },
                { { .policy = CNI_DNS_NONE, .servers = LIST("1.1.1.1", "2.2.2.2", "3.3.3.3") },
                  "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n",
                  0 },
                { { .policy = CNI_DNS_NONE, .servers = LIST("1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4") },
                  "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n",
                  DNS_SERVERS_CUT },
        };

        assert_int_equal(cni_resolv_conf_parse(node_text, strlen(node_text), &node, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_dns_config_ struct dns_config config = { 0 };
                _cleanup_free_ char *text = NULL;
                unsigned warnings;

                assert_int_equal(cni_dns_form(&rows[i].request, &config, &warnings, NULL), 0);
                text = cni_resolv_conf_format(&config);
                assert_string_equal(text, rows[i].text);
                assert_int_equal(warnings, rows[i].warnings);
        }
}

/* @n names of @size bytes each, all different. */
static void check_searches(size_t n, size_t size, size_t expected, unsigned warnings) {
        _cleanup_dns_config_ struct dns_config config = { 0 };
        char names[64][300];
        const char *list[65] = { NULL };
        unsigned said;

        for (size_t i = 0; i < n; i++) {
                memset(names[i], 'a', size);
                snprintf(names[i], sizeof(names[i]), "%02zu", i);
                names[i][2] = 'a';
                names[i][size] = '\0';
                list[i] = names[i];
        }
        assert_int_equal(
                cni_dns_form(&(struct dns_request){ .policy = CNI_DNS_NONE, .searches = list }, &config, &said, NULL),
                0);
        assert_int_equal(config.searches.n, expected);
        assert_int_equal(said, warnings);
}

static void test_search_limits(void **state) {
        check_searches(32, 10, 32, 0);
        check_searches(33, 10, 32, DNS_SEARCHES_CUT);
        check_searches(1, 253, 1, 0);
        check_searches(1, 254, 0, DNS_SEARCHES_CUT);
        /* 8 × 253 and 7 blanks are 2031 characters; 32 × 63 and 31 are 2047, with 64 one name is too much. */
        check_searches(8, 253, 8, 0);
        check_searches(9, 253, 8, DNS_SEARCHES_CUT);
        check_searches(32, 63, 32, 0);
        check_searches(32, 64, 31, DNS_SEARCHES_CUT);
}

static void test_policy_names(void **state) {
        static const struct {
                const char *text;
                int error;
                enum dns_policy policy;
        } rows[] = {
                { "", 0, CNI_DNS_CLUSTER_FIRST },
                { "ClusterFirst", 0, CNI_DNS_CLUSTER_FIRST },
                { "ClusterFirstWithHostNet", 0, CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET },
                { "Default", 0, CNI_DNS_DEFAULT },
                { "None", 0, CNI_DNS_NONE },
                { "default", EINVAL, CNI_DNS_NONE },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;
                enum dns_policy policy = rows[i].policy;

                assert_int_equal(cni_dns_policy_parse(rows[i].text, &policy, &err), -rows[i].error);
                assert_int_equal(policy, rows[i].policy);
                if (rows[i].error)
                        assert_non_null(strstr(err_text(err), "dnsPolicy \"default\": use ClusterFirst"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_resolv_conf),
                cmocka_unit_test(test_resolv_conf_refusals),
                cmocka_unit_test(test_policies),
                cmocka_unit_test(test_search_limits),
                cmocka_unit_test(test_policy_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
