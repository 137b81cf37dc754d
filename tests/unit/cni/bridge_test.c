/* The built-in network on a host of the test's own: pods that talk to each other, to the host and to the outside. */
#include "tests/unit/cni/pods.h"

#include <pthread.h>

#include "cni/bridge_names.h"
#include "cni/network.h"

static void test_two_pods_talk(void **state) {
        struct network_result a = start("a", NULL, 0), b = start("b", NULL, 0);
        static const uint8_t mac[6] = { 0x0a, 0x58, 10, 88, 0, 2 };
        char text[IP_CIDR_TEXT_MAX];

        assert_int_equal(a.n_addresses, 2);
        assert_string_equal(ip_cidr_format(&a.addresses[0].address, text), "10.88.0.2/24");
        assert_string_equal(ip_cidr_format(&a.addresses[1].address, text), "fd00:88::2/64");
        assert_string_equal(ip_format(&a.addresses[0].gateway, text), "10.88.0.1");
        assert_string_equal(ip_format(&a.addresses[1].gateway, text), "fd00:88::1");
        assert_string_equal(a.interface, "eth0");
        assert_memory_equal(a.mac, mac, 6);
        assert_int_equal(a.mtu, 1400);

        host_serve("b", IPPROTO_TCP, 80);
        host_serve("b", IPPROTO_UDP, 53);
        assert_string_equal(host_ask("a", IPPROTO_TCP, address_of(&b, 0), 80), "10.88.0.2");
        assert_string_equal(host_ask("a", IPPROTO_UDP, address_of(&b, 0), 53), "10.88.0.2");
        assert_string_equal(host_ask("a", IPPROTO_TCP, address_of(&b, 1), 80), "fd00:88::2");
        assert_string_equal(host_ask("b", IPPROTO_TCP, "127.0.0.1", 80), "127.0.0.1");
        assert_string_equal(host_ask(NULL, IPPROTO_TCP, address_of(&b, 0), 80), "10.88.0.1");
        host_stop_servers();
        stop("a");
        stop("b");
        assert_clean();
}

/* Nothing sent right after an attach is lost: else a client waits a second for its second try. */
static void test_first_packet_arrives(void **state) {
        host_serve(NULL, IPPROTO_TCP, 80);
        for (int i = 0; i < 24; i++) {
                char id[16];
                struct network_result result;
                double begin;

                snprintf(id, sizeof(id), "p%d", i);
                result = start(id, NULL, 0);
                begin = host_now();
                if (i % 2)
                        host_ask(NULL, IPPROTO_TCP, address_of(&result, (size_t)i / 2 % 2), 81);
                else
                        assert_string_not_equal(host_ask(id, IPPROTO_TCP, i / 2 % 2 ? "fd00:88::1" : "10.88.0.1", 80),
                                                "");
                assert_true(host_now() - begin < 0.5);
        }
        for (int i = 0; i < 24; i++) {
                char id[16];

                snprintf(id, sizeof(id), "p%d", i);
                stop(id);
        }
        host_stop_servers();
        assert_clean();
}

static void test_outgoing_is_masqueraded(void **state) {
        start("a", NULL, 0);
        host_serve(OUTSIDE, IPPROTO_TCP, 80);
        host_serve(OUTSIDE, IPPROTO_UDP, 53);
        assert_string_equal(host_ask("a", IPPROTO_TCP, "192.0.2.2", 80), "192.0.2.1");
        assert_string_equal(host_ask("a", IPPROTO_UDP, "192.0.2.2", 53), "192.0.2.1");
        assert_string_equal(host_ask("a", IPPROTO_TCP, "2001:db8::2", 80), "2001:db8::1");
        host_stop_servers();
        stop("a");
        assert_clean();
}

/* The cluster's other networks see the pod's own address; without masquerading all do. */
static void test_not_masqueraded(void **state) {
        struct ip_cidr outside;

        assert_int_equal(ip_cidr_parse("192.0.2.0/24", &outside, NULL), 0);
        host_run("nsenter --net=%s ip route add 10.88.0.0/24 via 192.0.2.1", host_netns(OUTSIDE));
        host_serve(OUTSIDE, IPPROTO_TCP, 80);
        for (int i = 0; i < 2; i++) {
                network_free(network);
                network = open_with((struct network_options){ .masquerade = i == 0,
                                                              .no_masquerade = &outside,
                                                              .n_no_masquerade = i == 0 },
                                    "10.88.0.0/24", "fd00:88::/64");
                start("a", NULL, 0);
                assert_string_equal(host_ask("a", IPPROTO_TCP, "192.0.2.2", 80), "10.88.0.2");
                if (i == 0)
                        assert_string_equal(host_ask("a", IPPROTO_TCP, "2001:db8::2", 80), "2001:db8::1");
                stop("a");
        }
        host_stop_servers();
        assert_clean();
}

static void test_one_family(void **state) {
        static const struct {
                const char *cidr4, *cidr6, *address, *host;
        } rows[] = {
                { "10.91.0.0/24", NULL, "10.91.0.2", "10.91.0.1" },
                { NULL, "fd00:91::/112", "fd00:91::2", "fd00:91::1" },
        };
        struct network *first = network;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct network_result a;

                network = open_network("single0", rows[i].cidr4, rows[i].cidr6);
                a = start("a", NULL, 0);
                assert_int_equal(a.n_addresses, 1);
                assert_string_equal(address_of(&a, 0), rows[i].address);
                host_serve("a", IPPROTO_TCP, 80);
                assert_string_equal(host_ask(NULL, IPPROTO_TCP, rows[i].address, 80), rows[i].host);
                host_stop_servers();
                stop("a");
                network_free(network);
                host_run("ip link del single0");
        }
        network = first;
}

/* The node keeps the default route that a router advertised, although it becomes a router itself. */
static void test_uplink_keeps_its_route(void **state) {
        char value[8];

        assert_int_equal(cni_sysctl_get("net/ipv6/conf/up0/accept_ra", value, sizeof(value), NULL), 0);
        assert_string_equal(value, "2");
        assert_int_equal(cni_sysctl_get("net/ipv6/conf/all/forwarding", value, sizeof(value), NULL), 0);
        assert_string_equal(value, "1");
}

/* A pod with a user namespace of its own (hostUsers: false) owns its network namespace. */
static void test_user_namespace(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;
        char source[64], byte;
        int ready[2];
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                pause();
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        snprintf(source, sizeof(source), "/proc/%d/ns/net", pid);
        assert_int_equal(cni_netns_pin(source, host_netns("a"), NULL), 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (attach("a", NULL, 0, &result, &err) < 0)
                fail_msg("%s", err_text(err));
        host_serve("a", IPPROTO_TCP, 80);
        assert_string_equal(host_ask(NULL, IPPROTO_TCP, address_of(&result, 0), 80), "10.88.0.1");
        host_stop_servers();
        stop("a");
        assert_clean();
}

/* What the kernel refuses half-way leaves neither address nor port nor interface. */
static void test_failure_leaves_nothing(void **state) {
        static const struct network_port port = { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 };
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;

        network_free(network);
        network = open_network(NULL, "10.88.0.0/30", NULL);
        host_netns_create("a");
        host_run("nsenter --net=%s ip link add eth0 type veth peer name other", host_netns("a"));
        assert_int_equal(attach("a", &port, 1, &result, &err), -EEXIST);
        assert_memory_equal(err_text(err), "create veth pair", 16);
        assert_string_equal(host_run("ip -o link show type veth | grep -v up0; true"), "");
        assert_string_equal(host_run("nft list table inet nacelle_nacelle0 | grep elements; true"), "");
        host_run("nsenter --net=%s ip link del eth0", host_netns("a"));
        /* The CIDR has one address: it was given back. */
        assert_int_equal(attach("a", &port, 1, &result, NULL), 0);
        stop("a");
        assert_clean();
}

static void test_detach_is_idempotent(void **state) {
        static const struct network_port port = { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 };
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;

        start("a", &port, 1);
        assert_int_equal(attach("a", NULL, 0, &result, &err), -EEXIST);
        assert_int_equal(network_check(network, "a", NULL, NULL), 0);
        host_netns_remove("a");
        for (int i = 0; i < 3; i++)
                assert_int_equal(network_detach(network, "a", NULL, NULL), 0);
        assert_int_equal(network_detach(network, "never-was", "/nowhere", NULL), 0);
        assert_int_equal(network_sweep(network, NULL, 0, NULL), 0);
        assert_int_equal(network_check(network, "a", NULL, NULL), -ENODEV);
        assert_clean();
}

static void test_refusals(void **state) {
        static const struct {
                const char *id, *netns;
                int error;
                const char *says;
        } rows[] = {
                { "a", "/nowhere/a", ENOENT, "network namespace /nowhere/a: No such file or directory" },
                { "a", "/etc/passwd", EINVAL, "/etc/passwd is not a network namespace" },
                { "../a", "/nowhere", EINVAL, "\"../a\" is not a sandbox's id" },
                { "", "/nowhere", EINVAL, "\"\" is not a sandbox's id" },
                { "a b", "/nowhere", EINVAL, "\"a b\" is not a sandbox's id" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct network_request request = { .id = rows[i].id, .netns = rows[i].netns };
                _cleanup_err_ struct err *err = NULL;
                struct network_result result;

                assert_int_equal(network_attach(network, &request, &result, &err), -rows[i].error);
                assert_string_equal(err_text(err), rows[i].says);
        }
}

static void test_options(void **state) {
        static const struct {
                const char *bridge, *cidrs[3];
                const char *says; /* NULL: good */
        } rows[] = {
                { "fifteen-letters", { "10.92.0.0/24" }, NULL },
                { "sixteen-letters1", { "10.92.0.0/24" }, "\"sixteen-letters1\" is not a name for a bridge" },
                { "", { "10.92.0.0/24" }, "\"\" is not a name for a bridge" },
                { "a/b", { "10.92.0.0/24" }, "\"a/b\" is not a name for a bridge" },
                { "..", { "10.92.0.0/24" }, "\"..\" is not a name for a bridge" },
                { "b%d", { "10.92.0.0/24" }, "\"b%d\" is not a name for a bridge" },
                { "b", { "10.92.0.0/31" }, "pod CIDR 10.92.0.0/31 has no room for a pod" },
                { "b", { "10.92.0.0/24", "10.93.0.0/24" }, "give one, or one of IPv4 and one of IPv6" },
                { "b", { "10.92.0.0/24", "fd00::/64", "fd01::/64" }, "give one, or one of IPv4 and one of IPv6" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct ip_cidr cidrs[3];
                struct network_options options = { .bridge = rows[i].bridge, .pod_cidrs = cidrs };
                _cleanup_err_ struct err *err = NULL;
                struct network *opened = NULL;

                for (; options.n_pod_cidrs < 3 && rows[i].cidrs[options.n_pod_cidrs]; options.n_pod_cidrs++)
                        assert_int_equal(
                                ip_cidr_parse(rows[i].cidrs[options.n_pod_cidrs], &cidrs[options.n_pod_cidrs], NULL),
                                0);
                assert_int_equal(network_open(&options, &opened, &err), rows[i].says ? -EINVAL : 0);
                if (rows[i].says && !strstr(err_text(err), rows[i].says))
                        fail_msg("\"%s\" is not \"%s\"", err_text(err), rows[i].says);
                if (!rows[i].says)
                        assert_int_equal(network_status(opened, NULL), 0);
                network_free(opened);
        }
        host_run("ip link del fifteen-letters");
}

/* Two agents on one host: each sees only its own. */
static void test_two_networks(void **state) {
        struct network *other = open_network("other-bridge", "10.99.0.0/30", NULL), *first = network;
        _cleanup_err_ struct err *err = NULL;
        struct network_result a = start("a", NULL, 0), b, c;

        network = other;
        b = start("b", NULL, 0);
        assert_string_equal(address_of(&b, 0), "10.99.0.2");
        host_netns_create("c");
        assert_int_equal(attach("c", NULL, 0, &c, &err), -ENOSPC);
        assert_string_equal(err_text(err), "no free address in pod CIDR 10.99.0.0/30: all 1 are in use");

        network = first;
        assert_int_equal(network_sweep(network, (const char *const[]){ "a" }, 1, NULL), 0);
        assert_int_equal(network_check(other, "b", NULL, NULL), 0);
        assert_int_equal(network_check(first, "a", NULL, NULL), 0);
        host_serve("b", IPPROTO_TCP, 80);
        assert_string_not_equal(host_ask("a", IPPROTO_TCP, address_of(&b, 0), 80), "");
        host_stop_servers();
        assert_string_equal(address_of(&a, 0), address_of(&a, 0));
        stop("a");
        network = other;
        stop("b");
        network_free(other);
        network = first;
        host_netns_remove("c");
        host_run("ip link del other-bridge; nft delete table inet nacelle_other-bridge");
        assert_clean();
}

/* The next agent takes up what the kernel holds, keeps the live ones and removes the others. */
static void test_taken_up_by_the_next(void **state) {
        static const struct network_port ports[] = {
                { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 },
                { .protocol = IPPROTO_UDP,
                  .host_port = 8081,
                  .container_port = 80,
                  .host_ip = { AF_INET, { 192, 0, 2, 1 } } }
        };
        struct network_result a = start("a", &ports[0], 1), result;
        struct network_request limited = { .id = "b",
                                           .netns = host_netns("b"),
                                           .ports = &ports[1],
                                           .n_ports = 1,
                                           .egress_bits = 1000000,
                                           .ingress_bits = 1000000 };
        _cleanup_err_ struct err *err = NULL;
        struct ip stranger;

        host_netns_create("b");
        assert_int_equal(network_attach(network, &limited, &result, NULL), 0);
        host_serve("a", IPPROTO_TCP, 80);
        network_free(network);

        network = open_network(NULL, "10.88.0.0/24", "fd00:88::/64");
        for (size_t i = 0; i < a.n_addresses; i++)
                assert_int_equal(network_adopt(network, "a", &a.addresses[i].address.ip, 1, NULL), 0);
        assert_int_equal(network_adopt(network, "x", &a.addresses[0].address.ip, 1, &err), -EADDRINUSE);
        assert_string_equal(err_text(err), "address 10.88.0.2 is that of sandbox a");
        assert_int_equal(ip_parse("10.1.2.3", &stranger, NULL), 0);
        assert_int_equal(network_adopt(network, "x", &stranger, 1, NULL), -ERANGE);
        assert_int_equal(network_sweep(network, (const char *const[]){ "a" }, 1, NULL), 0);

        assert_int_equal(network_check(network, "a", NULL, NULL), 0);
        assert_int_equal(network_check(network, "b", NULL, NULL), -ENODEV);
        assert_string_equal(host_run("ip -o link show type ifb"), "");
        assert_string_equal(host_ask(OUTSIDE, IPPROTO_TCP, "192.0.2.1", 8080), "192.0.2.2");
        assert_null(strstr(host_run("nft list table inet nacelle_nacelle0"), "8081"));
        host_netns_create("c");
        err = err_free(err);
        assert_int_equal(attach("c", ports, 2, &result, &err), -EADDRINUSE);
        assert_string_equal(err_text(err), "host port 8080/tcp is taken by sandbox a");
        assert_int_equal(attach("c", &ports[1], 1, &result, NULL), 0);
        assert_string_not_equal(address_of(&result, 0), address_of(&a, 0));
        host_stop_servers();
        stop("a");
        stop("c");
        host_netns_remove("b");
        assert_clean();
}

/* 8 Mbit/s: 400,000 bytes take 0.34 s once the bucket of 64 KiB is empty; the other way nothing is limited. */
static void test_bandwidth(void **state) {
        static const struct {
                uint64_t ingress, egress;
                bool to_pod, slow;
        } rows[] = {
                { 8000000, 0, true, true },
                { 8000000, 0, false, false },
                { 0, 8000000, false, true },
                { 0, 8000000, true, false },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct network_request request = { .id = "a",
                                                   .netns = host_netns("a"),
                                                   .ingress_bits = rows[i].ingress,
                                                   .egress_bits = rows[i].egress };
                struct network_result a;
                double seconds;

                host_netns_create("a");
                assert_int_equal(network_attach(network, &request, &a, NULL), 0);
                if (rows[i].to_pod)
                        seconds = host_transfer(NULL, "a", address_of(&a, 0), 400000);
                else
                        seconds = host_transfer("a", NULL, "10.88.0.1", 400000);
                if (rows[i].slow ? seconds < 0.25 || seconds > 3 : seconds > 0.2)
                        fail_msg("row %zu: %.3f s", i, seconds);
                stop("a");
                assert_clean();
        }
}

/* What a killed agent was at: pods come and go, with all that they can have. */
static void churn(void) {
        static const char *const ids[] = { "a", "b", "c", "d" };

        for (unsigned i = 0;; i++) {
                struct network_port port = { .protocol = i & 1 ? IPPROTO_UDP : IPPROTO_TCP,
                                             .host_port = (uint16_t)(2000 + i % 4),
                                             .container_port = 80 };
                const char *id = ids[i % 4];
                struct network_request request = { .id = id,
                                                   .netns = host_netns(id),
                                                   .ports = &port,
                                                   .n_ports = 1,
                                                   .egress_bits = i & 4 ? 1000000 : 0,
                                                   .ingress_bits = i & 2 ? 1000000 : 0 };
                struct network_result result;

                if (network_attach(network, &request, &result, NULL) < 0 || (i & 8))
                        network_detach(network, id, NULL, NULL);
        }
}

static void test_kill(void **state) {
        unsigned seed = 1;

        for (int round = 0; round < 30; round++) {
                pid_t pid;

                for (const char *id = "a\0b\0c\0d\0"; *id; id += 2)
                        host_netns_create(id);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        network = open_network(NULL, "10.88.0.0/24", "fd00:88::/64");
                        churn();
                }
                usleep((useconds_t)(rand_r(&seed) % 30000));
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                network_free(network);
                network = open_network(NULL, "10.88.0.0/24", "fd00:88::/64");
                assert_clean();
                for (const char *id = "a\0b\0c\0d\0"; *id; id += 2)
                        host_netns_remove(id);
        }
        /* And the network works on. */
        struct network_result a = start("a", NULL, 0);

        host_serve("a", IPPROTO_TCP, 80);
        assert_string_equal(host_ask(NULL, IPPROTO_TCP, address_of(&a, 0), 80), "10.88.0.1");
        host_stop_servers();
        stop("a");
        assert_clean();
}

/* A node that refuses forwarding: no pod is attached half, and the reason is said; once it allows it, all works. */
static void test_not_ready(void **state) {
        static const char sysctls[] = "/proc/sys/net";
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;
        struct network_options options = { .bridge = "late0" };
        struct network *first = network;
        struct ip_cidr cidr;

        assert_int_equal(ip_cidr_parse("10.90.0.0/24", &cidr, NULL), 0);
        options.pod_cidrs = &cidr;
        options.n_pod_cidrs = 1;
        assert_int_equal(mount(sysctls, sysctls, NULL, MS_BIND, NULL), 0);
        assert_int_equal(mount(NULL, sysctls, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
        assert_int_equal(network_open(&options, &network, NULL), 0);
        assert_int_equal(network_status(network, &err), -EROFS);
        assert_string_equal(err_text(err), "bridge late0: set sysctl net/ipv4/conf/late0/route_localnet to 1: "
                                           "Read-only file system");
        host_netns_create("a");
        assert_int_equal(attach("a", NULL, 0, &result, NULL), -EROFS);
        assert_int_equal(umount(sysctls), 0);
        assert_int_equal(attach("a", NULL, 0, &result, NULL), 0);
        assert_int_equal(network_status(network, NULL), 0);
        stop("a");
        network_free(network);

        /* Something else has the name. */
        host_run("ip link del late0; ip link add late0 type veth peer name late1");
        assert_int_equal(network_open(&options, &network, NULL), 0);
        err = err_free(err);
        assert_int_equal(network_status(network, &err), -EEXIST);
        assert_string_equal(err_text(err), "bridge late0: interface late0 exists and is no bridge");
        network_free(network);
        network = first;
        host_run("ip link del late0");
}

struct worker {
        pthread_t thread;
        char id[8], netns[128];
        struct err *err;
};

static void *work(void *data) {
        struct worker *worker = data;

        for (int i = 0; i < 10; i++) {
                struct network_port port = { .protocol = IPPROTO_TCP,
                                             .host_port = (uint16_t)(3000 + worker->id[1]),
                                             .container_port = 80 };
                struct network_request request = {
                        .id = worker->id, .netns = worker->netns, .ports = &port, .n_ports = i & 1
                };
                struct network_result result;

                network_attach(network, &request, &result, &worker->err);
                network_detach(network, worker->id, NULL, &worker->err);
        }
        return NULL;
}

static void test_threads(void **state) {
        struct worker workers[8];

        for (int i = 0; i < 8; i++) {
                workers[i] = (struct worker){ .id = { 't', (char)('0' + i) } };
                snprintf(workers[i].netns, sizeof(workers[i].netns), "%s", host_netns(workers[i].id));
                host_netns_create(workers[i].id);
        }
        for (int i = 0; i < 8; i++)
                assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        for (int i = 0; i < 8; i++) {
                pthread_join(workers[i].thread, NULL);
                if (workers[i].err)
                        fail_msg("%s", err_text(workers[i].err));
                host_netns_remove(workers[i].id);
        }
        assert_clean();
}

static void test_names(void **state) {
        char a[IFNAMSIZ], b[IFNAMSIZ];

        cni_bridge_device_name("nacelle0", "a", BRIDGE_VETH, a);
        cni_bridge_device_name("nacelle1", "a", BRIDGE_VETH, b);
        assert_int_equal(strlen(a), IFNAMSIZ - 1);
        assert_string_not_equal(a, b);
        assert_true(cni_bridge_owns_device("nacelle0", a));
        assert_false(cni_bridge_owns_device("nacelle0", b));
        assert_false(cni_bridge_owns_device("nacelle0", "eth0"));
        cni_bridge_device_name("nacelle0", "a", BRIDGE_IFB, b);
        assert_string_equal(a + 2, b + 2);
        assert_int_not_equal(cni_bridge_group("nacelle0"), cni_bridge_group("nacelle1"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                TEST(test_two_pods_talk),
                TEST(test_first_packet_arrives),
                TEST(test_outgoing_is_masqueraded),
                TEST(test_not_masqueraded),
                TEST(test_one_family),
                TEST(test_uplink_keeps_its_route),
                TEST(test_user_namespace),
                TEST(test_failure_leaves_nothing),
                TEST(test_detach_is_idempotent),
                TEST(test_refusals),
                TEST(test_options),
                TEST(test_two_networks),
                TEST(test_taken_up_by_the_next),
                TEST(test_bandwidth),
                TEST(test_not_ready),
                TEST(test_threads),
                TEST(test_kill),
        };

        return host_run_tests(tests);
}
