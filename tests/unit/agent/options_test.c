/* The command line and the configuration file: what is taken, and the words of what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "lib/cleanup.h"

static int parse(struct options *o, struct err **err, const char *const *args) {
        const char *argv[16] = { "nacelle-agent" };
        int argc = 1;

        for (; args[argc - 1]; argc++)
                argv[argc] = args[argc - 1];
        return options_parse(argc, (char **)argv, o, err);
}

static void test_defaults(void **state) {
        const char *none[] = { NULL };
        struct options o;

        assert_int_equal(parse(&o, NULL, none), 0);
        assert_string_equal(o.root_dir, "/var/lib/nacelle");
        assert_string_equal(o.socket, "/run/nacelle/nacelle.sock");
        assert_string_equal(o.manifest_dir, "/etc/nacelle/manifests");
        assert_string_equal(o.cgroup_root, "/nacelle");
        assert_int_equal(o.max_pods, 250);
        assert_int_equal(o.log_max_size, 10 << 20);
        options_deinit(&o);
}

static void test_forms(void **state) {
        const char *args[] = { "--run-dir=/run/x", "--bridge",          "br1", "-v=5",
                               "--runtime-only",   "--node-ip=fd00::1", NULL };
        struct options o;

        assert_int_equal(parse(&o, NULL, args), 0);
        assert_string_equal(o.socket, "/run/x/nacelle.sock");
        assert_string_equal(o.bridge, "br1");
        assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
        assert_true(o.runtime_only);
        options_deinit(&o);
}

static void test_refusals(void **state) {
        static const struct {
                const char *args[3];
                const char *text;
        } cases[] = {
                { { "--nope" }, "unknown flag \"--nope\"; see --help" },
                { { "word" }, "unexpected argument \"word\"; see --help" },
                { { "--bridge" }, "--bridge wants a value; see --help" },
                { { "--root-dir", "rel" }, "--root-dir: \"rel\" is not an absolute path" },
                { { "--root-dir=" }, "--root-dir: the path is empty" },
                { { "--container-runtime-endpoint", "tcp://x" },
                  "--container-runtime-endpoint: \"tcp://x\" is not unix:// and an absolute path" },
                { { "--node-ip", "300.1.1.1" }, "--node-ip: \"300.1.1.1\" is not an address" },
                { { "--pod-cidr", "10.0.0.0" }, "--pod-cidr: \"10.0.0.0\" is not a network like 10.62.0.0/16" },
                { { "--pod-cidr", "10.0.0.0/33" }, "--pod-cidr: \"10.0.0.0/33\" is not a network like 10.62.0.0/16" },
                { { "--bridge", "a-name-too-long0" },
                  "--bridge: \"a-name-too-long0\" is not a network interface's name" },
                { { "--cgroup-root", "x" }, "--cgroup-root: \"x\" is not a cgroup's path like /nacelle" },
                { { "--cgroup-root", "/a/../b" }, "--cgroup-root: \"/a/../b\" is not a cgroup's path like /nacelle" },
                { { "--hostname-override", "Upper" },
                  "--hostname-override: \"Upper\" is not a lowercase RFC 1123 subdomain" },
                { { "--read-only-port", "65536" }, "--read-only-port: 65536 is not a port" },
                { { "--read-only-port", "x" }, "--read-only-port: \"x\" is not a number" },
                { { "--eviction-hard", "memory.available>1" }, "--eviction-hard: \"memory.available>1\" has no <" },
                { { "--eviction-soft-grace-period", "x=1s" },
                  "--eviction-soft-grace-period: unsupported eviction signal x" },
                { { "--eviction-max-pod-grace-period", "1s" },
                  "--eviction-max-pod-grace-period: \"1s\" is not a number" },
                { { "--minimum-image-ttl-duration", "2" },
                  "--minimum-image-ttl-duration: \"2\" is not a duration like 1m30s" },
                { { "--log-level", "loud" }, "--log-level: \"loud\" is none of error, warning, info, debug" },
                { { "--runtime-only", "--kubeconfig=/a" },
                  "--kubeconfig and --runtime-only: a runtime alone is no node; leave one of them out" },
                { { "--runtime-only=maybe" }, "--runtime-only: \"maybe\" is neither true nor false" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct options o;

                assert_true(parse(&o, &err, cases[i].args) < 0);
                assert_string_equal(err_text(err), cases[i].text);
        }
}

static char *write_config(const char *text) {
        char *path = strdup("/tmp/nacelle-config-XXXXXX");
        int fd = mkstemp(path);

        assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
        return path;
}

#define KIND "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"

static void test_config(void **state) {
        _cleanup_free_ char *path =
                write_config(KIND "staticPodPath: /m\npodCIDR: 10.1.0.0/16\ncontainerLogMaxSize: 1Mi\n"
                                  "containerLogMaxFiles: 3\nclusterDNS: [10.0.0.10]\nclusterDomain: c.local\n"
                                  "allowedUnsafeSysctls: [net.core.somaxconn, 'kernel.msg*']\n"
                                  "maxPods: 7\nserializeImagePulls: true\n"
                                  "crashLoopBackOff: {maxContainerRestartPeriod: 1m}\n"
                                  "evictionHard: {memory.available: 1Gi}\nevictionSoft: {pid.available: 5%}\n"
                                  "evictionSoftGracePeriod: {pid.available: 1m}\nevictionMaxPodGracePeriod: -1\n"
                                  "evictionPressureTransitionPeriod: 30s\nmergeDefaultEvictionSettings: true\n"
                                  "imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 60\n"
                                  "imageMinimumGCAge: 0s\nimageMaximumGCAge: 24h\nvolumeStatsAggPeriod: "
                                  "-1s\nsystemReserved: {pid: '100'}\n"
                                  "localStorageCapacityIsolation: false\nenforceNodeAllocatable: [none]\n"
                                  "tracing: {endpoint: 'collector:1', samplingRatePerMillion: 1000000}\n");
        const char *args[] = { "--pod-cidr", "10.2.0.0/16", "--config", path, NULL };
        struct options o;

        assert_int_equal(parse(&o, NULL, args), 0);
        assert_string_equal(o.manifest_dir, "/m");
        assert_string_equal(o.pod_cidr, "10.2.0.0/16"); /* the flag outranks the file, wherever it stands */
        assert_int_equal(o.log_max_size, 1 << 20);
        assert_int_equal(o.log_max_files, 3);
        assert_string_equal(o.cluster_dns[0], "10.0.0.10");
        assert_string_equal(o.unsafe_sysctls, "net.core.somaxconn,kernel.msg*");
        assert_int_equal(o.max_pods, 7);
        assert_string_equal(o.trace_endpoint, "collector:1");
        assert_int_equal(o.trace_per_million, 1000000);
        assert_int_equal(o.max_parallel_pulls, 1);
        assert_int_equal(o.crash_back_off_max, 60);
        assert_int_equal(quantity_units(o.eviction.hard[EVICTION_MEMORY].quantity), 1 << 30);
        assert_int_equal(o.eviction.hard[EVICTION_NODEFS].kind, AMOUNT_SHARE); /* merged */
        assert_int_equal(o.eviction.soft_grace_ms[EVICTION_PIDS], 60000);
        assert_int_equal(o.eviction.max_pod_grace, -1);
        assert_int_equal(o.eviction.transition_ms, 30000);
        assert_int_equal(o.eviction.image_high_percent, 70);
        assert_int_equal(o.eviction.image_min_age_ms, 120000); /* 0s is the default */
        assert_int_equal(o.eviction.image_max_age_ms, 24 * 3600 * 1000);
        assert_int_equal(eviction_reserved(&o.eviction, RESERVED_PIDS), 100);
        assert_int_equal(o.volume_stats_ms, -1000);
        assert_false(o.eviction.local_storage);
        assert_false(o.eviction.enforce);
        options_deinit(&o);
        unlink(path);
}

static void test_config_refusals(void **state) {
        static const struct {
                const char *text, *refusal;
        } cases[] = {
                { "apiVersion: v1\nkind: Pod\n",
                  "wants kind KubeletConfiguration and apiVersion kubelet.config.k8s.io/v1beta1, not Pod and v1" },
                { KIND "maxPods: many\n", "line 3: maxPods: wants a number, not a string" },
                { KIND "staticPodPath: 3\n", "line 3: staticPodPath: wants a string, not a number" },
                { KIND "runtimes: [{handler: runc, path: runc}]\n",
                  "line 3: runtimes: wants a handler's name and a program's absolute path" },
                { KIND "runtimes: x\n", "line 3: runtimes: wants a list, not a string" },
                { KIND "allowedUnsafeSysctls: x\n", "line 3: allowedUnsafeSysctls: wants a list, not a string" },
                { KIND "allowedUnsafeSysctls: ['a,b']\n", "line 3: allowedUnsafeSysctls: wants a name, not a string" },
                { KIND "clusterDNS: x\n", "line 3: clusterDNS: wants a list, not a string" },
                { KIND "containerLogMaxSize: big\n",
                  "line 3: containerLogMaxSize: wants a size like 10Mi, not a string" },
                { KIND "evictionHard: [x]\n", "line 3: evictionHard: wants a map, not a list" },
                { KIND "evictionHard: {memory.available: 5}\n",
                  "line 3: evictionHard: wants a string for each key, not a number" },
                { KIND "evictionSoft:\n  disk: 1Gi\n", "line 4: evictionSoft: unsupported eviction signal disk" },
                { KIND "evictionSoft: {memory.available: 1Gi}\n", "grace period must be specified for the soft" },
                { KIND "imageMinimumGCAge: 5\n",
                  "line 3: imageMinimumGCAge: wants a duration like 1m30s, not a number" },
                { KIND "imageGCHighThresholdPercent: 101\n", "101 must be between 0 and 100" },
                { KIND "mergeDefaultEvictionSettings: 1\n", "wants true or false, not a number" },
                { KIND "tracing: on\n", "line 3: tracing: wants a map, not " },
                { KIND "tracing: {endpoint: 1}\n", "line 3: tracing.endpoint: wants a string, not a number" },
                { KIND "tracing: {endpoint: 'http://x:1'}\n",
                  "line 3: tracing.endpoint: \"http://x:1\" is no endpoint" },
                { KIND "tracing:\n  samplingRatePerMillion: 1000001\n",
                  "line 4: tracing.samplingRatePerMillion: 1000001 is not within 0 to 1000000" },
                { KIND "tracing: {samplingRatePerMillion: -1}\n", "samplingRatePerMillion: -1 is not within" },
                { KIND "tracing: {samplingRatePerMillion: x}\n",
                  "samplingRatePerMillion: wants a number, not a string" },
                { KIND "tracing: {rate: 1}\n", "line 3: tracing.rate: unknown field" },
                { KIND "crashLoopBackOff: {maxContainerRestartPeriod: 1h}\n",
                  "line 3: crashLoopBackOff.maxContainerRestartPeriod: wants 1s to 300s" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *path = write_config(cases[i].text);
                const char *args[] = { "--config", path, NULL };
                _cleanup_err_ struct err *err = NULL;
                struct options o;

                assert_true(parse(&o, &err, args) < 0);
                assert_non_null(strstr(err_text(err), cases[i].refusal));
                unlink(path);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),        cmocka_unit_test(test_forms),
                cmocka_unit_test(test_refusals),        cmocka_unit_test(test_config),
                cmocka_unit_test(test_config_refusals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
