/* How long a sandbox's network takes: built in, and by Debian's CNI plugins (bridge, host-local, portmap) in the same
 * run, on a host of its own. Root only. Usage: network_bench [sandboxes] */
#include "tests/unit/cni/host.h"

#include "cni/network.h"
#include "lib/files.h"

#define SANDBOXES_MAX 1000

static double attach_ms[SANDBOXES_MAX], detach_ms[SANDBOXES_MAX], create_ms[SANDBOXES_MAX];
static char conf_dir[256], cache_dir[256];

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void report(const char *name, double *times, int n) {
        qsort(times, (size_t)n, sizeof(*times), compare);
        printf("  %-18s median %8.3f ms   p90 %8.3f ms\n", name, times[n / 2], times[n * 9 / 10]);
}

static void require(int r, struct err *err) {
        if (r >= 0)
                return;
        fprintf(stderr, "%s\n", err_text(err));
        host_leave();
        exit(1);
}

static double timed(double *begin) {
        double now = host_now(), ms = (now - *begin) * 1000;

        *begin = now;
        return ms;
}

static void measure(struct network *network, const char *name, int n, bool with_port) {
        struct err *err = NULL;

        printf("%s\n", name);
        for (int i = 0; i < n; i++) {
                struct network_port port = { .protocol = IPPROTO_TCP,
                                             .host_port = (uint16_t)(2000 + i),
                                             .container_port = 80 };
                struct network_request request = { .ports = &port, .n_ports = with_port };
                struct network_result result;
                char id[32];
                double begin;

                snprintf(id, sizeof(id), "sandbox%d", i);
                request.id = id;
                request.netns = host_netns(id);
                begin = host_now();
                require(cni_netns_create(request.netns, &err), err);
                create_ms[i] = timed(&begin);
                require(network_attach(network, &request, &result, &err), err);
                attach_ms[i] = timed(&begin);
        }
        for (int i = 0; i < n; i++) {
                char id[32];
                double begin;

                snprintf(id, sizeof(id), "sandbox%d", i);
                begin = host_now();
                require(network_detach(network, id, host_netns(id), &err), err);
                detach_ms[i] = timed(&begin);
                host_netns_remove(id);
        }
        require(network_sweep(network, NULL, 0, &err), err);
        report("create namespace", create_ms, n);
        report("attach", attach_ms, n);
        report("detach", detach_ms, n);
}

static struct network *open_network(bool plugins) {
        struct network_options options = { .masquerade = true };
        struct err *err = NULL;
        struct network *network;
        struct ip_cidr cidr;

        require(ip_cidr_parse("10.88.0.0/16", &cidr, &err), err);
        if (plugins) {
                options.conf_dir = conf_dir;
                options.cache_dir = cache_dir;
        } else {
                options.pod_cidrs = &cidr;
                options.n_pod_cidrs = 1;
        }
        require(network_open(&options, &network, &err), err);
        require(network_status(network, &err), err);
        return network;
}

static void write_conflist(void) {
        char path[512], text[1024];

        snprintf(conf_dir, sizeof(conf_dir), "%s/net.d", host_directory);
        snprintf(cache_dir, sizeof(cache_dir), "%s/cache", host_directory);
        snprintf(path, sizeof(path), "%s/10-bench.conflist", conf_dir);
        snprintf(
                text, sizeof(text),
                "{\"cniVersion\":\"1.0.0\",\"name\":\"bench\",\"plugins\":[{\"type\":\"bridge\",\"bridge\":\"cni0\","
                "\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":"
                "\"%s/ipam\",\"subnet\":\"10.77.0.0/16\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
                "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}",
                host_directory);
        require(files_make_dirs(conf_dir, 0755, NULL), NULL);
        require(files_replace(path, text, strlen(text), 0644, NULL), NULL);
}

int main(int argc, char **argv) {
        int n = argc > 1 ? atoi(argv[1]) : 40;
        struct network *network;

        if (n < 1 || n > SANDBOXES_MAX || !host_enter()) {
                fprintf(stderr, "usage: network_bench [1..%d], as root\n", SANDBOXES_MAX);
                return 2;
        }
        network = open_network(false);
        measure(network, "built in", n, false);
        measure(network, "built in, one host port", n, true);
        network_free(network);
        write_conflist();
        network = open_network(true);
        measure(network, "CNI plugins", n, false);
        measure(network, "CNI plugins, one host port", n, true);
        network_free(network);
        host_leave();
        return 0;
}
