/* Host ports of the built-in network: who reaches a pod through them, from where, and as whom it is seen. */
#include "cni/foreign.h"
#include "tests/unit/cni/pods.h"

static void test_host_ports(void **state) {
        static const struct network_port ports[] = {
                { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 },
                { .protocol = IPPROTO_TCP, .host_port = 8081, .container_port = 80 },
                { .protocol = IPPROTO_UDP, .host_port = 5353, .container_port = 53 },
                { .protocol = IPPROTO_TCP, .container_port = 9999 },
                { .protocol = IPPROTO_TCP,
                  .host_port = 8082,
                  .container_port = 80,
                  .host_ip = { AF_INET, { 127, 0, 0, 1 } } },
                { .protocol = IPPROTO_TCP,
                  .host_port = 8083,
                  .container_port = 80,
                  .host_ip = { AF_INET, { 192, 0, 2, 1 } } },
                { .protocol = IPPROTO_TCP, .host_port = 8084, .container_port = 80, .host_ip = { AF_INET, { 0 } } },
        };
        static const struct {
                const char *from;
                int protocol;
                const char *address;
                uint16_t port;
                const char *sees; /* whom the pod takes for the client; "" when the port does not lead to it */
        } rows[] = {
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080, "192.0.2.2" },
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8081, "192.0.2.2" },
                { OUTSIDE, IPPROTO_TCP, "2001:db8::1", 8080, "2001:db8::2" },
                { OUTSIDE, IPPROTO_UDP, "192.0.2.1", 5353, "192.0.2.2" },
                { OUTSIDE, IPPROTO_UDP, "2001:db8::1", 5353, "2001:db8::2" },
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8082, "" },
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8083, "192.0.2.2" },
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8084, "192.0.2.2" },
                { OUTSIDE, IPPROTO_TCP, "2001:db8::1", 8084, "" },
                { OUTSIDE, IPPROTO_TCP, "192.0.2.1", 9999, "" },
                /* The host itself. */
                { NULL, IPPROTO_TCP, "192.0.2.1", 8080, "192.0.2.1" },
                { NULL, IPPROTO_TCP, "127.0.0.1", 8080, "10.88.0.1" },
                { NULL, IPPROTO_TCP, "127.0.0.1", 8082, "10.88.0.1" },
                { NULL, IPPROTO_TCP, "127.0.0.1", 8083, "" },
                { NULL, IPPROTO_UDP, "127.0.0.1", 5353, "10.88.0.1" },
                { NULL, IPPROTO_TCP, "10.88.0.1", 8080, "10.88.0.1" },
                { NULL, IPPROTO_TCP, "::1", 8080, "" },
                /* Pods: the one itself, and a neighbour. */
                { "a", IPPROTO_TCP, "192.0.2.1", 8080, "10.88.0.1" },
                { "a", IPPROTO_TCP, "10.88.0.1", 8080, "10.88.0.1" },
                { "b", IPPROTO_TCP, "192.0.2.1", 8080, "10.88.0.1" },
                { "b", IPPROTO_UDP, "192.0.2.1", 5353, "10.88.0.1" },
                { "b", IPPROTO_TCP, "fd00:88::1", 8080, "fd00:88::1" },
        };

        for (int bridge_nf = 0; bridge_nf < 2; bridge_nf++) {
                char value[2] = { (char)('0' + bridge_nf) };
                struct network_result a;

                /* Bridged frames past the rules of IP, and past them not: hosts have either. */
                cni_sysctl_set("net/bridge/bridge-nf-call-iptables", value, NULL);
                cni_sysctl_set("net/bridge/bridge-nf-call-ip6tables", value, NULL);
                a = start("a", ports, ELEMENTS(ports));
                start("b", NULL, 0);
                host_serve("a", IPPROTO_TCP, 80);
                host_serve("a", IPPROTO_UDP, 53);
                for (size_t i = 0; i < ELEMENTS(rows); i++) {
                        char expected[IP_TEXT_MAX];
                        const char *answer = host_ask(rows[i].from, rows[i].protocol, rows[i].address, rows[i].port);

                        snprintf(expected, sizeof(expected), "%s", rows[i].sees);
                        if (strcmp(answer, expected) != 0)
                                fail_msg("bridge-nf %d, from %s to %s:%u: \"%s\", not \"%s\"", bridge_nf,
                                         rows[i].from ? rows[i].from : "the host", rows[i].address, rows[i].port,
                                         answer, expected);
                }
                assert_int_equal(a.n_addresses, 2);
                host_stop_servers();
                stop("a");
                stop("b");
                assert_clean();
        }
}

static void test_ports_taken(void **state) {
        static const struct network_port any = { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 };
        static const struct network_port udp = { .protocol = IPPROTO_UDP, .host_port = 8080, .container_port = 80 };
        static const struct network_port one = { .protocol = IPPROTO_TCP,
                                                 .host_port = 8080,
                                                 .container_port = 81,
                                                 .host_ip = { AF_INET, { 127, 0, 0, 1 } } };
        static const struct network_port twice[] = {
                { .protocol = IPPROTO_TCP, .host_port = 90, .container_port = 1 },
                { .protocol = IPPROTO_TCP, .host_port = 90, .container_port = 2 }
        };
        static const struct network_port listening = { .protocol = IPPROTO_TCP, .host_port = 22, .container_port = 22 };
        static const struct {
                const struct network_port *ports;
                size_t n;
                const char *says;
        } rows[] = {
                { &any, 1, "host port 8080/tcp is taken by sandbox a" },
                { &one, 1, "host port 8080/tcp is taken by sandbox a" },
                { twice, 2, "host port 90/tcp is taken by sandbox b" },
                { &listening, 1, "host port 22/tcp is in use by a process of the host" },
        };
        struct network_result result;

        start("a", &any, 1);
        host_netns_create("b");
        host_serve(NULL, IPPROTO_TCP, 22);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(attach("b", rows[i].ports, rows[i].n, &result, &err), -EADDRINUSE);
                assert_string_equal(err_text(err), rows[i].says);
        }
        /* Another protocol is another port, and nothing of the failures is left. */
        assert_int_equal(attach("b", &udp, 1, &result, NULL), 0);
        assert_int_equal(network_detach(network, "b", NULL, NULL), 0);
        stop("a");
        assert_int_equal(attach("b", &one, 1, &result, NULL), 0);
        stop("b");
        host_stop_servers();
        assert_clean();
}

/* As many ports as a sandbox may have, and one more. */
static void test_many_ports(void **state) {
        static struct network_port ports[NETWORK_PORTS_MAX + 1];
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;

        for (size_t i = 0; i < ELEMENTS(ports); i++)
                ports[i] = (struct network_port){ .protocol = IPPROTO_TCP,
                                                  .host_port = (uint16_t)(10000 + i),
                                                  .container_port = (uint16_t)(20000 + i) };
        host_netns_create("a");
        assert_int_equal(attach("a", ports, ELEMENTS(ports), &result, &err), -E2BIG);
        assert_string_equal(err_text(err), "1025 host ports: at most 1024");
        assert_int_equal(attach("a", ports, NETWORK_PORTS_MAX, &result, NULL), 0);
        host_serve("a", IPPROTO_TCP, 20000 + NETWORK_PORTS_MAX - 1);
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 10000 + NETWORK_PORTS_MAX - 1), "192.0.2.2");
        /* All of them are found again. */
        network_free(network);
        network = open_network(NULL, "10.88.0.0/24", "fd00:88::/64");
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 10000 + NETWORK_PORTS_MAX - 1), "192.0.2.2");
        host_stop_servers();
        stop("a");
        assert_clean();
}

/* The node's loopback must stay out of reach although route_localnet is on. */
static void test_loopback_is_guarded(void **state) {
        start("a", NULL, 0);
        host_serve_at(NULL, IPPROTO_TCP, "127.0.0.1", 7777);
        assert_string_equal(host_ask(NULL, IPPROTO_TCP, "127.0.0.1", 7777), "127.0.0.1");
        host_run("nsenter --net=%s sh -c 'ip addr del 127.0.0.1/8 dev lo; "
                 "sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1; "
                 "ip route add 127.0.0.0/8 via 10.88.0.1 src 10.88.0.2'",
                 host_netns("a"));
        assert_string_equal(host_ask("a", IPPROTO_TCP, "127.0.0.1", 7777), "");
        /* It is the guard that keeps it out. */
        host_run("nft flush chain inet nacelle_nacelle0 guard");
        assert_string_equal(host_ask("a", IPPROTO_TCP, "127.0.0.1", 7777), "10.88.0.2");
        host_stop_servers();
        stop("a");
        assert_clean();
}

/* A client that goes on sending from one port is led to the new pod. */
static void test_udp_flows_are_forgotten(void **state) {
        static const struct network_port port = { .protocol = IPPROTO_UDP, .host_port = 5353, .container_port = 53 };

        start("a", &port, 1);
        host_serve("a", IPPROTO_UDP, 53);
        assert_string_equal(host_ask_from(OUTSIDE, IPPROTO_UDP, "192.0.2.1", 5353, 40000), "192.0.2.2");
        host_stop_servers();
        stop("a");
        assert_string_equal(host_ask_from(OUTSIDE, IPPROTO_UDP, "192.0.2.1", 5353, 40000), "");
        start("b", &port, 1);
        host_serve("b", IPPROTO_UDP, 53);
        assert_string_equal(host_ask_from(OUTSIDE, IPPROTO_UDP, "192.0.2.1", 5353, 40000), "192.0.2.2");
        host_stop_servers();
        stop("b");
        assert_clean();
}

/* Rules and bridge that someone took away come back, with the pods' ports. */
static void test_repair(void **state) {
        static const struct network_port ports[] = {
                { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 },
                { .protocol = IPPROTO_TCP, .host_port = 8081, .container_port = 80 }
        };

        start("a", &ports[0], 1);
        host_serve("a", IPPROTO_TCP, 80);
        host_run("nft flush ruleset");
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080), "");
        assert_int_equal(network_status(network, NULL), 0);
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080), "192.0.2.2");
        /* An attach that finds no table makes it, and a detach too. */
        host_run("nft flush ruleset");
        start("b", &ports[1], 1);
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080), "192.0.2.2");
        host_run("nft flush ruleset");
        stop("b");
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080), "192.0.2.2");
        host_stop_servers();
        stop("a");
        host_run("ip link del nacelle0");
        start("c", NULL, 0);
        assert_string_equal(host_ask("c", IPPROTO_TCP, "192.0.2.2", 81), "");
        stop("c");
        assert_clean();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_foreign_drop(void **state) {
        char text[128] = "";

        assert_false(cni_foreign_forward_drop(text, sizeof(text)));
        host_run("nft 'add table inet mine; add chain inet mine in { type filter hook input priority 0; policy drop; "
                 "}'");
        assert_false(cni_foreign_forward_drop(text, sizeof(text)));
        host_run("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy "
                 "drop; }'");
        assert_true(cni_foreign_forward_drop(text, sizeof(text)));
        assert_string_equal(text, "table ip filter, chain FORWARD");
        host_run("nft 'chain ip filter FORWARD { policy accept; }'");
        assert_false(cni_foreign_forward_drop(text, sizeof(text)));
        host_run("nft 'delete table ip filter; delete table inet mine'");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_host_ports),
                TEST(test_ports_taken),
                TEST(test_many_ports),
                TEST(test_loopback_is_guarded),
                TEST(test_udp_flows_are_forgotten),
                TEST(test_repair),
                TEST(test_foreign_drop),
        };

        return host_run_tests(tests);
}
