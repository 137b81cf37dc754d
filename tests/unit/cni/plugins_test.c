/* CNI plugins: Debian's own on a host of the test's own, and scripts that write down what they are called with. */
#include "tests/unit/cni/host.h"

#include "cni/network.h"
#include "lib/files.h"

#define DEBIAN_PLUGINS "/usr/lib/cni"

static struct network *network;
static char conf_dir[256], cache_dir[256], bin_dir[256];

static int setup(void **state) {
        snprintf(conf_dir, sizeof(conf_dir), "%s/net.d", host_directory);
        snprintf(cache_dir, sizeof(cache_dir), "%s/cache", host_directory);
        snprintf(bin_dir, sizeof(bin_dir), "%s/bin", host_directory);
        assert_int_equal(mkdir(conf_dir, 0755), 0);
        assert_int_equal(mkdir(bin_dir, 0755), 0);
        return 0;
}

static int teardown(void **state) {
        network_free(network);
        network = NULL;
        host_stop_servers();
        host_run("for n in %s/*; do umount -q $n; done; rm -rf %s/*", host_directory, host_directory);
        host_run("for l in $(ip -br link | cut -d' ' -f1 | cut -d@ -f1); do [ $l = lo ] || ip link del $l 2>/dev/null; "
                 "done; "
                 "nft flush ruleset");
        return 0;
}

static void write_file(const char *directory, const char *name, mode_t mode, const char *format, ...) {
        char path[512], text[16384];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(files_replace(path, text, strlen(text), mode, NULL), 0);
}

static struct network *open_network(int timeout_ms) {
        const char *const bin_dirs[] = { bin_dir, DEBIAN_PLUGINS, NULL };
        struct network_options options = {
                .conf_dir = conf_dir, .bin_dirs = bin_dirs, .cache_dir = cache_dir, .plugin_timeout_ms = timeout_ms
        };
        _cleanup_err_ struct err *err = NULL;
        struct network *opened;

        if (network_open(&options, &opened, &err) < 0)
                fail_msg("%s", err_text(err));
        return opened;
}

static int attach(const char *id, const struct network_request *what, struct network_result *ret_result,
                  struct err **err) {
        struct network_request request = what ? *what : (struct network_request){ 0 };

        request.id = id;
        request.netns = host_netns(id);
        request.pod_namespace = "default";
        request.pod_name = "web";
        request.pod_uid = "1-2-3";
        return network_attach(network, &request, ret_result, err);
}

static struct network_result start(const char *id, const struct network_request *what) {
        _cleanup_err_ struct err *err = NULL;
        struct network_result result;

        host_netns_create(id);
        if (attach(id, what, &result, &err) < 0)
                fail_msg("%s: %s", id, err_text(err));
        return result;
}

static void stop(const char *id) {
        _cleanup_err_ struct err *err = NULL;

        if (network_detach(network, id, host_netns(id), &err) < 0)
                fail_msg("%s: %s", id, err_text(err));
        host_netns_remove(id);
}

static const char *address_of(const struct network_result *result) {
        static char texts[4][IP_TEXT_MAX];
        static unsigned turn;

        return ip_format(&result->addresses[0].address.ip, texts[turn++ % 4]);
}

static void assert_cache_empty(void) {
        assert_string_equal(host_run("ls %s 2>/dev/null; true", cache_dir), "");
}

/* The usual list of a node: bridge, host ports, bandwidth, firewall. */
static void test_debian_chain(void **state) {
        static const struct network_port port = { .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 };
        struct network_request what = { .ports = &port, .n_ports = 1, .ingress_bits = 8000000 };
        struct network_request limits = { .ingress_bits = 8000000, .egress_bits = 8000000 };
        struct network_result a, b;
        _cleanup_err_ struct err *err = NULL;

        write_file(conf_dir, "10-test.conflist", 0644,
                   "{\"cniVersion\":\"1.0.0\",\"name\":\"test\",\"plugins\":["
                   "{\"type\":\"bridge\",\"bridge\":\"cni0\",\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true,"
                   "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/ipam\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
                   "\"ranges\":[[{\"subnet\":\"10.77.0.0/24\"}]]}},"
                   "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},"
                   "{\"type\":\"bandwidth\",\"capabilities\":{\"bandwidth\":true}},"
                   "{\"type\":\"firewall\",\"backend\":\"iptables\"}]}",
                   host_directory);
        network = open_network(0);
        assert_string_equal(network_describe(network), "CNI test");
        if (network_status(network, &err) < 0)
                fail_msg("%s", err_text(err));
        a = start("a", &what);
        b = start("b", &limits);
        assert_string_equal(address_of(&a), "10.77.0.2");
        assert_string_equal(a.interface, "eth0");
        assert_memory_equal(a.host_interface, "veth", 4);
        assert_int_not_equal(a.mac[0] | a.mac[1] | a.mac[5], 0);
        host_serve("a", IPPROTO_TCP, 80);
        assert_string_equal(host_ask("b", IPPROTO_TCP, address_of(&a), 80), address_of(&b));
        assert_string_not_equal(host_ask("a", IPPROTO_TCP, "127.0.0.1", 80), "");
        assert_string_not_equal(host_ask("b", IPPROTO_TCP, "10.77.0.1", 8080), "");
        assert_string_not_equal(host_ask(NULL, IPPROTO_TCP, "127.0.0.1", 8080), "");
        assert_true(host_transfer(NULL, "a", address_of(&a), 400000) > 0.2);
        /* Not of "a": in 1.1.1 portmap's CHECK looks for IPv6 rules where there is no IPv6 address, and bandwidth's
         * wants both limits or none of its own making. */
        if (network_check(network, "b", host_netns("b"), &err) < 0)
                fail_msg("%s", err_text(err));
        assert_int_equal(network_detach(network, "b", host_netns("b"), NULL), 0);
        host_netns_remove("b");

        /* The next agent: a is live, c is not. */
        start("c", NULL);
        network_free(network);
        network = open_network(0);
        assert_int_equal(network_adopt(network, "a", &a.addresses[0].address.ip, 1, NULL), 0);
        assert_int_equal(network_sweep(network, (const char *const[]){ "a" }, 1, NULL), 0);
        assert_string_equal(host_run("ls %s", cache_dir), "a.json\n");
        assert_string_equal(host_run("ls %s/ipam/test | grep ^10", host_directory), "10.77.0.2\n");
        assert_string_not_equal(host_ask("c", IPPROTO_TCP, address_of(&a), 80), address_of(&a));

        /* DEL by the record although the configuration is gone; and once more without the namespace. */
        host_run("rm %s/10-test.conflist", conf_dir);
        assert_int_equal(network_reload(network, NULL), 0);
        host_stop_servers();
        assert_int_equal(network_detach(network, "a", host_netns("a"), &err), 0);
        host_netns_remove("a");
        assert_int_equal(network_detach(network, "a", host_netns("a"), NULL), 0);
        host_netns_remove("c");
        assert_cache_empty();
        assert_string_equal(host_run("ls %s/ipam/test | grep ^10; true", host_directory), "");
        assert_string_equal(host_run("iptables-save -t nat | grep 10.77.0; true"), "");
}

static void test_debian_ptp_and_macvlan(void **state) {
        static const char *const mains[] = { "\"type\":\"ptp\",\"ipMasq\":true",
                                             "\"type\":\"macvlan\",\"master\":\"up0\",\"mode\":\"bridge\"" };

        host_run("ip link add up0 type dummy 2>/dev/null || ip link add up0 type bridge; ip link set up0 up");
        for (size_t i = 0; i < ELEMENTS(mains); i++) {
                struct network_result a, b;

                write_file(conf_dir, "1.conflist", 0644,
                           "{\"cniVersion\":\"1.0.0\",\"name\":\"n%zu\",\"plugins\":[{%s,\"ipam\":{\"type\":\"host-"
                           "local\","
                           "\"dataDir\":\"%s/ipam\",\"subnet\":\"10.78.%zu.0/24\",\"routes\":[{\"dst\":\"0.0.0.0/"
                           "0\"}]}}]}",
                           i, mains[i], host_directory, i);
                network = open_network(0);
                a = start("a", NULL);
                b = start("b", NULL);
                host_serve("a", IPPROTO_TCP, 80);
                assert_int_equal(a.addresses[0].address.prefix, 24);
                cni_sysctl_set("net/ipv4/ip_forward", "1", NULL);
                assert_string_not_equal(host_ask("b", IPPROTO_TCP, address_of(&a), 80), "");
                assert_int_equal(b.n_addresses, 1);
                host_stop_servers();
                stop("a");
                stop("b");
                assert_cache_empty();
                network_free(network);
                network = NULL;
        }
}

/* A plugin that appends "COMMAND ID IFNAME ARGS? CONFIG" to a file, and answers as told. */
static void write_script(const char *name, const char *body) {
        write_file(bin_dir, name, 0755,
                   "#!/bin/sh\n"
                   "in=$(cat)\n"
                   "echo \"%s $CNI_COMMAND ${CNI_CONTAINERID-unset} ${CNI_NETNS-unset} ${CNI_IFNAME-unset} "
                   "${CNI_ARGS-unset} $CNI_PATH $in\" >>%s/calls\n"
                   "if [ $CNI_COMMAND = VERSION ]; then\n"
                   "  echo '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'; exit 0\n"
                   "fi\n"
                   "%s\n",
                   name, host_directory, body);
}

#define ANSWER_ADD                                                                                                     \
        "[ $CNI_COMMAND = ADD ] && echo "                                                                              \
        "'{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"br\"},{\"name\":\"eth0\","                             \
        "\"mac\":\"02:00:00:00:00:07\",\"mtu\":1450,\"sandbox\":\"/x\"}],\"ips\":[{\"address\":\"10.9.0.7/"            \
        "16\",\"gateway\":"                                                                                            \
        "\"10.9.0.1\",\"interface\":1},{\"address\":\"10.9.0.1/16\",\"interface\":0}]}'\nexit 0"

static void write_list(const char *version, const char *rest) {
        write_file(conf_dir, "1.conflist", 0644,
                   "{\"cniVersion\":\"%s\",\"name\":\"n\"%s,\"plugins\":[{\"type\":\"one\",\"capabilities\":"
                   "{\"portMappings\":true,\"dns\":false}},{\"type\":\"two\",\"x\":[1,{\"y\":null}]}]}",
                   version, rest);
}

/* The calls since the last time. */
static const char *take_calls(void) {
        return host_run("cat %s/calls 2>/dev/null; rm -f %s/calls", host_directory, host_directory);
}

static void assert_calls(const char *const *expected) {
        const char *calls = take_calls();

        for (; *expected; expected++) {
                const char *end = strchr(calls, '\n');

                if (!end || strncmp(calls, *expected, strlen(*expected)) != 0)
                        fail_msg("expected \"%s\" but there is \"%s\"", *expected, calls);
                calls = end + 1;
        }
        assert_string_equal(calls, "");
}

#define CALLS(...) assert_calls((const char *const[]){ __VA_ARGS__, NULL })

static void test_protocol(void **state) {
        static const struct network_port port = { .protocol = IPPROTO_UDP,
                                                  .host_port = 53,
                                                  .container_port = 5353,
                                                  .host_ip = { AF_INET, { 127, 0, 0, 1 } } };
        struct network_request what = { .ports = &port,
                                        .n_ports = 1,
                                        .dns_servers = (const char *const[]){ "1.1.1.1", NULL } };
        struct network_result result;
        char expected[4096], calls[16384];
        static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };

        write_script("one", ANSWER_ADD);
        write_script("two",
                     "[ $CNI_COMMAND = ADD ] && echo \"$in\" | sed 's/.*\"prevResult\":\\(.*\\)}$/\\1/'\nexit 0");
        write_list("1.1.0", "");
        network = open_network(0);
        CALLS("one VERSION unset unset unset unset", "two VERSION unset unset unset unset");
        assert_int_equal(network_status(network, NULL), 0);
        CALLS("one STATUS unset unset unset unset", "two STATUS");

        result = start("a", &what);
        assert_string_equal(address_of(&result), "10.9.0.7");
        assert_int_equal(result.n_addresses, 1);
        assert_memory_equal(result.mac, mac, 6);
        assert_int_equal(result.mtu, 1450);
        assert_string_equal(result.host_interface, "br");
        snprintf(calls, sizeof(calls), "%s", take_calls());
        snprintf(expected, sizeof(expected),
                 "one ADD a %s eth0 IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;"
                 "K8S_POD_INFRA_CONTAINER_ID=a;K8S_POD_UID=1-2-3 %s:" DEBIAN_PLUGINS
                 " {\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"one\",\"runtimeConfig\":{\"portMappings\":[{"
                 "\"hostPort\":53,"
                 "\"containerPort\":5353,\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\"}]}}\n"
                 "two ADD a %s eth0 ",
                 host_netns("a"), bin_dir, host_netns("a"));
        assert_memory_equal(calls, expected, strlen(expected));
        assert_non_null(strstr(calls,
                               "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"two\",\"x\":[1,{\"y\":null}],"
                               "\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":"));

        assert_int_equal(attach("a", NULL, &result, NULL), -EEXIST);
        assert_int_equal(network_check(network, "a", host_netns("a"), NULL), 0);
        snprintf(calls, sizeof(calls), "%s", take_calls());
        assert_memory_equal(calls, "one CHECK a ", 12);
        assert_non_null(strstr(calls, "\ntwo CHECK a "));
        assert_non_null(strstr(calls, "prevResult"));

        assert_int_equal(network_sweep(network, (const char *const[]){ "a" }, 1, NULL), 0);
        snprintf(calls, sizeof(calls), "%s", take_calls());
        assert_memory_equal(calls, "one GC unset unset unset unset ", 31);
        assert_non_null(strstr(calls, "\"cni.dev/valid-attachments\":[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]"));

        assert_int_equal(network_detach(network, "a", host_netns("a"), NULL), 0);
        snprintf(calls, sizeof(calls), "%s", take_calls());
        assert_memory_equal(calls, "two DEL a ", 10);
        assert_non_null(strstr(calls, "\none DEL a "));
        assert_non_null(strstr(calls, "prevResult"));
        assert_int_equal(network_detach(network, "a", host_netns("a"), NULL), 0);
        assert_string_equal(take_calls(), "");
        host_netns_remove("a");
        assert_cache_empty();
}

/* Before 0.4.0 there is no CHECK and DEL has no prevResult; before 1.1.0 neither GC nor STATUS. */
static void test_older_versions(void **state) {
        write_script("one", ANSWER_ADD);
        write_script("two", ANSWER_ADD);
        write_list("0.4.0", ",\"disableCheck\":true");
        network = open_network(0);
        assert_int_equal(network_status(network, NULL), 0);
        start("a", NULL);
        take_calls();
        assert_int_equal(network_check(network, "a", NULL, NULL), 0);
        assert_int_equal(network_sweep(network, (const char *const[]){ "a" }, 1, NULL), 0);
        assert_string_equal(take_calls(), "");
        stop("a");
        assert_non_null(strstr(take_calls(), "prevResult"));

        /* The newest of cniVersions is spoken. */
        write_list("0.4.0", ",\"cniVersions\":[\"0.4.0\",\"1.1.0\",\"9.0.0\"]");
        assert_int_equal(network_reload(network, NULL), 0);
        assert_non_null(strstr(take_calls(), "\"cniVersion\":\"1.1.0\""));
}

static void test_failures(void **state) {
        static const struct {
                const char *two; /* what the second plugin does */
                int error;
                const char *says;
        } rows[] = {
                { "[ $CNI_COMMAND = DEL ] && exit 0; echo '{\"code\":11,\"msg\":\"no room\",\"details\":\"in the "
                  "inn\"}'; exit 1",
                  ECANCELED, "CNI plugin two: ADD: no room; in the inn (code 11)" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; echo 'went wrong' >&2; exit 3", ECANCELED,
                  "CNI plugin two: ADD: exit code 3: went wrong" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; kill -9 $$", ECANCELED,
                  "CNI plugin two: ADD: killed by signal 9" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; echo '{}x'", EINVAL, "CNI plugin two: answer to ADD: " },
                { "[ $CNI_COMMAND = DEL ] && exit 0; echo '{}'", EINVAL,
                  "result of the CNI plugins: no address for eth0" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; echo '{\"ips\":[{\"address\":\"10.0.0.300/8\"}]}'", EINVAL,
                  "result of the CNI plugins: \"10.0.0.300/8\" is not a CIDR" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; sleep 60 & sleep 60", ETIMEDOUT,
                  "CNI plugin two: ADD: took longer than 400 ms" },
                { "[ $CNI_COMMAND = DEL ] && exit 0; head -c 3000000 /dev/zero; exit 0", E2BIG,
                  "CNI plugin two: ADD answered more than 1048576 bytes" },
        };

        write_script("one", ANSWER_ADD);
        write_list("1.0.0", "");
        host_netns_create("a");
        write_script("two", ANSWER_ADD);
        network = open_network(400);
        /* As the agent: what a plugin leaves running becomes its child. */
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct network_result result;
                double begin = host_now();

                write_script("two", rows[i].two);
                take_calls();
                assert_int_equal(attach("a", NULL, &result, &err), -rows[i].error);
                if (!strstr(err_text(err), rows[i].says))
                        fail_msg("\"%s\" is not \"%s\"", err_text(err), rows[i].says);
                /* Each plugin of the list was told to clean up. */
                CALLS("one ADD a", "two ADD a", "two DEL a", "one DEL a");
                assert_cache_empty();
                assert_true(host_now() - begin < 3);
        }
        /* No child is left, dead or alive. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
        host_netns_remove("a");
}

/* What a failed DEL leaves is recorded and tried again. */
static void test_failed_delete(void **state) {
        _cleanup_err_ struct err *err = NULL;

        write_script("one", ANSWER_ADD);
        write_script("two", ANSWER_ADD);
        write_list("1.0.0", "");
        network = open_network(0);
        start("a", NULL);
        write_script("two", "echo '{\"code\":7,\"msg\":\"busy\"}'; exit 1");
        take_calls();
        assert_int_equal(network_detach(network, "a", host_netns("a"), &err), -ECANCELED);
        assert_string_equal(err_text(err), "CNI plugin two: DEL: busy (code 7)");
        CALLS("two DEL a", "one DEL a");
        assert_string_equal(host_run("ls %s", cache_dir), "a.json\n");
        write_script("two", ANSWER_ADD);
        assert_int_equal(network_sweep(network, NULL, 0, NULL), 0);
        CALLS("two DEL a", "one DEL a");
        assert_cache_empty();

        /* A record that is broken: by the configuration of now. */
        write_file(cache_dir, "b.json", 0600, "{\"kind\":\"cniCac");
        assert_int_equal(network_detach(network, "b", NULL, NULL), 0);
        CALLS("two DEL b  eth0 IgnoreUnknown=1", "one DEL b  eth0");
        assert_cache_empty();
        host_netns_remove("a");
}

/* What is wrong with a directory of configurations, and what is said. */
static void test_configurations(void **state) {
        static const struct {
                const char *name, *text;
                const char *says; /* NULL: good */
        } rows[] = {
                { "1.conflist", "{", "1.conflist: " },
                { "1.conflist", "[]", "1.conflist: is a list, not a network configuration" },
                { "1.conflist", "{\"cniVersion\":\"1.0.0\"}", "1.conflist: name \"\" is not a network's name" },
                { "1.conflist", "{\"name\":\"a/b\"}", "1.conflist: name \"a/b\" is not a network's name" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"2.0.0\"}",
                  "cniVersion \"2.0.0\" is not known; the newest is 1.1.0" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":[]}", "plugins is empty" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":{}}", "plugins is a map" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":[{}]}", "plugins[0]: no type" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"../one\"}]}",
                  "plugins[0]: type \"../one\" is not the name of a plugin" },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"three\"}]}",
                  "CNI plugin three: not found in " },
                { "1.conflist", "{\"name\":\"n\",\"cniVersion\":\"0.3.1\",\"plugins\":[{\"type\":\"one\"}]}",
                  "CNI plugin one does not support version 0.3.1" },
                { "1.conf", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"type\":\"one\"}", NULL },
                { "1.json", "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"one\"}]}", NULL },
        };

        write_script("one", ANSWER_ADD);
        network = open_network(0);
        assert_string_equal(network_describe(network), "none");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL, *status = NULL;

                write_file(conf_dir, rows[i].name, 0644, "%s", rows[i].text);
                write_file(conf_dir, "0.conflist~", 0644, "not one");
                write_file(conf_dir, ".0.conflist", 0644, "not one");
                if (!rows[i].says) {
                        assert_int_equal(network_reload(network, &err), 0);
                        assert_string_equal(network_describe(network), "CNI n");
                        assert_int_equal(network_status(network, NULL), 0);
                } else {
                        assert_true(network_reload(network, &err) < 0);
                        if (!strstr(err_text(err), rows[i].says))
                                fail_msg("\"%s\" is not \"%s\"", err_text(err), rows[i].says);
                        assert_true(network_status(network, &status) < 0);
                        assert_string_equal(err_text(status), err_text(err));
                }
                host_run("rm -f %s/* %s/.0.conflist", conf_dir, conf_dir);
        }

        /* What changes is seen by the next attach or status, without being told. */
        write_file(conf_dir, "1.conflist", 0644, "{\"name\":\"m\",\"cniVersion\":\"1.0.0\",\"type\":\"one\"}");
        assert_int_equal(network_status(network, NULL), 0);
        assert_string_equal(network_describe(network), "CNI m");
        write_file(conf_dir, "1.conflist", 0644, "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"type\":\"one\"}");
        assert_int_equal(network_status(network, NULL), 0);

        /* The last good one stays when the next is broken; when there is none, there is no network. */
        write_file(conf_dir, "1.conflist", 0644, "{");
        assert_true(network_reload(network, NULL) < 0);
        assert_int_equal(network_status(network, NULL), 0);
        assert_string_equal(network_describe(network), "CNI n");
        host_run("rm %s/1.conflist", conf_dir);
        _cleanup_err_ struct err *err = NULL;
        assert_int_equal(network_reload(network, NULL), 0);
        assert_int_equal(network_status(network, &err), -EADDRNOTAVAIL);
        assert_non_null(strstr(err_text(err), "no pod CIDR is set and there is no CNI configuration in "));
}

/* An agent killed during ADD: what may be there is deleted by the next. */
static void test_kill(void **state) {
        pid_t pid;

        write_script("one", "[ $CNI_COMMAND = ADD ] && touch $(dirname $0)/../begun && sleep 1\nexit 0");
        write_script("two", ANSWER_ADD);
        write_list("1.0.0", "");
        host_netns_create("a");
        pid = fork();
        if (pid == 0) {
                struct network_result result;

                network = open_network(0);
                attach("a", NULL, &result, NULL);
                _exit(0);
        }
        for (int i = 0; i < 500 && access(host_netns("begun"), F_OK) < 0; i++)
                usleep(10000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_string_equal(host_run("ls %s", cache_dir), "a.json\n");
        network = open_network(0);
        take_calls();
        assert_int_equal(network_sweep(network, NULL, 0, NULL), 0);
        CALLS("two DEL a", "one DEL a");
        assert_cache_empty();
        host_netns_remove("a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_protocol),      TEST(test_older_versions),         TEST(test_failures),
                TEST(test_failed_delete), TEST(test_configurations),         TEST(test_kill),
                TEST(test_debian_chain),  TEST(test_debian_ptp_and_macvlan),
        };

        return host_run_tests(tests);
}
