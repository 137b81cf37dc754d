/* A host with an uplink to another machine and the built-in network, set up for each test. */
#pragma once

#include "tests/unit/cni/host.h"

#include "cni/network.h"

/* Another machine, 192.0.2.2 and 2001:db8::2, to which the host is connected as 192.0.2.1 and 2001:db8::1. */
#define OUTSIDE "outside"

static struct network *network;

HOST_FUNCTION struct network *open_with(struct network_options options, const char *cidr4, const char *cidr6) {
        _cleanup_err_ struct err *err = NULL;
        struct network *opened;
        struct ip_cidr cidrs[2];

        options.pod_cidrs = cidrs;
        if (cidr4)
                assert_int_equal(ip_cidr_parse(cidr4, &cidrs[options.n_pod_cidrs++], NULL), 0);
        if (cidr6)
                assert_int_equal(ip_cidr_parse(cidr6, &cidrs[options.n_pod_cidrs++], NULL), 0);
        if (network_open(&options, &opened, &err) < 0 || network_status(opened, &err) < 0)
                fail_msg("%s", err_text(err));
        return opened;
}

HOST_FUNCTION struct network *open_network(const char *bridge, const char *cidr4, const char *cidr6) {
        return open_with((struct network_options){ .bridge = bridge, .masquerade = true }, cidr4, cidr6);
}

HOST_FUNCTION int attach(const char *id, const struct network_port *ports, size_t n_ports,
                         struct network_result *ret_result, struct err **err) {
        struct network_request request = { .id = id, .netns = host_netns(id), .ports = ports, .n_ports = n_ports };

        return network_attach(network, &request, ret_result, err);
}

/* A pod in a namespace of its own, named as the sandbox. */
HOST_FUNCTION struct network_result start(const char *id, const struct network_port *ports, size_t n_ports) {
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;

        host_netns_create(id);
        if (attach(id, ports, n_ports, &result, &err) < 0)
                fail_msg("%s: %s", id, err_text(err));
        return result;
}

HOST_FUNCTION void stop(const char *id) {
        _cleanup_err_ struct err *err = NULL;

        if (network_detach(network, id, host_netns(id), &err) < 0)
                fail_msg("%s: %s", id, err_text(err));
        host_netns_remove(id);
}

HOST_FUNCTION const char *address_of(const struct network_result *result, size_t i) {
        static char texts[4][IP_TEXT_MAX];
        static unsigned turn;

        return ip_format(&result->addresses[i].address.ip, texts[turn++ % 4]);
}

/* No interface and no host port is left of any pod. */
HOST_FUNCTION void assert_clean(void) {
        assert_int_equal(network_sweep(network, NULL, 0, NULL), 0);
        assert_string_equal(host_run("ip -o link show type veth | grep -v up0; ip -o link show type ifb; true"), "");
        assert_string_equal(host_run("nft list table inet nacelle_nacelle0 | grep elements; true"), "");
}

HOST_FUNCTION int setup(void **state) {
        host_netns_create(OUTSIDE);
        host_run("ip link add up0 mtu 1400 type veth peer name outside0");
        host_run("ip link set outside0 netns %s", host_netns(OUTSIDE));
        host_run("ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8::1/64 dev up0 nodad && ip link set up0 up");
        host_run("ip link set lo up");
        host_run("nsenter --net=%s sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev outside0; "
                 "ip addr add 2001:db8::2/64 dev outside0 nodad; ip link set outside0 up'",
                 host_netns(OUTSIDE));
        host_run("ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8::2");
        network = open_network(NULL, "10.88.0.0/24", "fd00:88::/64");
        return 0;
}

HOST_FUNCTION int teardown(void **state) {
        network_free(network);
        network = NULL;
        host_stop_servers();
        host_netns_remove(OUTSIDE);
        host_run("ip link del up0 2>/dev/null; ip link del nacelle0; nft flush ruleset");
        return 0;
}
