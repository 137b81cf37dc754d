#include "agent/node.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/kubelet.h"
#include "agent/node/metrics.h"
#include "agent/pods/pods.h"
#include "cni/network.h"
#include "cri/cri.h"
#include "cri/server/server.h"
#include "cri/streaming/cri.h"
#include "images/credential_provider.h"
#include "images/transfer.h"
#include "lib/cleanup.h"
#include "lib/ip.h"
#include "lib/log.h"
#include "lib/pool.h"
#include "lib/trace/tracer.h"
#include "services/services.h"

struct node {
        uv_loop_t *loop;
        struct pool *pool;
        struct tracer *tracer;                             /* NULL: no traces are made */
        struct credential_providers *credential_providers; /* NULL: none */
        struct cri *cri;
        struct cri_server *server;
        struct streaming_cri *streaming;
        struct pods *pods;
        struct kubelet *kubelet;
};

/* Addresses of both families at most. */
#define CIDRS_MAX SERVICES_CIDRS_MAX

static int parse_cidrs(const char *text, struct ip_cidr *cidrs, size_t *ret_n, struct err **err) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *one;
        size_t n = 0;
        int r;

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        while ((one = strsep(&rest, ","))) {
                if (n == CIDRS_MAX)
                        return err_set(err, EINVAL, "--pod-cidr: more than one network a family");
                if ((r = ip_cidr_parse(one, &cidrs[n++], err)) < 0)
                        return err_wrap(err, r, "--pod-cidr");
        }
        *ret_n = n;
        return 0;
}

static int make_tracer(struct node *node, const struct options *o, struct err **err) {
        const struct tracer_options options = {
                .endpoint = o->trace_endpoint,
                .per_million = (unsigned)o->trace_per_million,
                .host_name = o->node_name,
        };

        return o->trace_endpoint ? tracer_new(node->loop, node->pool, &options, &node->tracer, err) : 0;
}

static int make_credential_providers(struct node *node, const struct options *o, struct err **err) {
        return o->provider_config ? image_credential_providers_new(o->provider_config, o->provider_bin_dir,
                                                                   &node->credential_providers, err) :
                                    0;
}

static int make_cri(struct node *node, const struct options *o, bool cni_shared, struct err **err) {
        const char *bin_dirs[] = { o->cni_bin_dir, "/usr/lib/cni", NULL };
        _cleanup_free_ char *cache = NULL, *shim = NULL;
        struct ip_cidr cidrs[CIDRS_MAX];
        struct services_cidrs kept;
        size_t n_cidrs = 0;
        int r;

        if (*o->pod_cidr && (r = parse_cidrs(o->pod_cidr, cidrs, &n_cidrs, err)) < 0)
                return r;
        if (!*o->pod_cidr) {
                services_kept_cidrs(o->root_dir, &kept);
                for (; n_cidrs < kept.n; n_cidrs++)
                        cidrs[n_cidrs] = kept.items[n_cidrs];
        }
        if (!o->kubeconfig)
                services_leave(o->bridge, o->root_dir);
        if (asprintf(&cache, "%s/cni", o->root_dir) < 0 ||
            (o->libexec_dir && asprintf(&shim, "%s/nacelle-shim", o->libexec_dir) < 0))
                return err_set(err, ENOMEM, "out of memory");

        struct network_options network = {
                .bridge = o->bridge,
                .pod_cidrs = cidrs,
                .n_pod_cidrs = n_cidrs,
                .masquerade = true,
                .conf_dir = o->cni_conf_dir,
                .bin_dirs = bin_dirs,
                .cache_dir = cache,
                .conf_dir_shared = cni_shared,
        };
        struct cri_options options = {
                .root_dir = o->root_dir,
                .run_dir = o->run_dir,
                .cgroup_root = o->cgroup_root,
                .shim_path = shim,
                .network = &network,
                .runtimes = o->runtimes,
                .registries = o->registries,
                .hosts_dir = o->registry_hosts_dir,
                .docker_config = o->auth_file,
                .credential_providers = node->credential_providers,
                .seccomp_dir = o->seccomp_dir,
                /* a kubelet above rotates by its own settings */
                .log_max_size = o->runtime_only ? 0 : (uint64_t)o->log_max_size,
                .log_max_files = (unsigned)o->log_max_files,
                .tracer = node->tracer,
        };
        return cri_new(node->loop, node->pool, &options, &node->cri, err);
}

static char *write_metrics(void *data) {
        return metrics_text(((struct node *)data)->cri, NULL);
}

static int make_kubelet(struct node *node, const struct options *o, struct err **err) {
        struct kubelet_world world = { .loop = node->loop,
                                       .pool = node->pool,
                                       .cri = node->cri,
                                       .options = o,
                                       .streaming = streaming_cri_sessions(node->streaming),
                                       .metrics = write_metrics,
                                       .data = node };

        int r;

        if (node->pods)
                pods_tell_kubelet(node->pods, &world);
        if ((r = kubelet_new(&world, &node->kubelet, err)) == 0 && node->pods)
                pods_set_kubelet(node->pods, node->kubelet);
        return r;
}

static int make_parts(struct node *node, const struct options *o, bool cni_shared, struct err **err) {
        int r;

        if ((r = pool_new(node->loop, &node->pool)) < 0)
                return err_errno(err, -r, "cannot make the thread pool");
        if ((r = make_tracer(node, o, err)) < 0 || (r = make_credential_providers(node, o, err)) < 0 ||
            (r = make_cri(node, o, cni_shared, err)) < 0 ||
            (!o->runtime_only && (r = pods_new(node->loop, node->pool, node->cri, o, &node->pods, err)) < 0) ||
            (r = streaming_cri_new(node->loop, node->cri, NULL, &node->streaming, err)) < 0 ||
            (r = make_kubelet(node, o, err)) < 0)
                return r;
        return cri_server_new(node->loop, node->cri, o->socket, &node->server, err);
}

int node_new(uv_loop_t *loop, const struct options *o, bool cni_shared, struct node **ret_node, struct err **err) {
        struct node *node = calloc(1, sizeof(*node));
        int r;

        if (!node)
                return err_set(err, ENOMEM, "out of memory");
        node->loop = loop;
        if ((r = make_parts(node, o, cni_shared, err)) < 0) {
                node_free(node);
                return r;
        }
        if (node->pods)
                pods_start(node->pods);
        *ret_node = node;
        return 0;
}

struct drain {
        uv_timer_t timer;
        bool late, closed;
};

static void on_drain_timer(uv_timer_t *timer) {
        ((struct drain *)timer->data)->late = true;
}

static void on_drain_closed(uv_handle_t *handle) {
        ((struct drain *)handle->data)->closed = true;
}

/* Runs the loop while @busy, for at most @ms. */
static void drain(struct node *node, bool (*busy)(struct node *node), uint64_t ms) {
        struct drain d = { .late = false };

        uv_timer_init(node->loop, &d.timer);
        d.timer.data = &d;
        uv_timer_start(&d.timer, on_drain_timer, ms, 0);
        while (!d.late && busy(node))
                uv_run(node->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&d.timer, on_drain_closed);
        while (!d.closed)
                uv_run(node->loop, UV_RUN_NOWAIT);
}

/* The threads of calls under way still use cri. */
static bool calls_under_way(struct node *node) {
        return node->cri && (image_transfers_leave() || cri_calls_under_way(node->cri) > 0);
}

static bool spans_wait(struct node *node) {
        return tracer_flush(node->tracer);
}

void node_free(struct node *node) {
        if (!node)
                return;
        if (node->pods)
                pods_set_kubelet(node->pods, NULL);
        kubelet_free(node->kubelet);
        pods_stop(node->pods);
        cri_server_free(node->server);
        streaming_cri_free(node->streaming);
        drain(node, calls_under_way, NODE_DRAIN_SECONDS * 1000);
        if (calls_under_way(node)) {
                log_warning("%u calls have not ended in %d s and are left behind", cri_calls_under_way(node->cri),
                            NODE_DRAIN_SECONDS);
                return;
        }
        cri_free(node->cri);
        if (node->tracer)
                drain(node, spans_wait, NODE_SPANS_SECONDS * 1000);
        tracer_free(node->tracer);
        pool_free(node->pool);
        uv_run(node->loop, UV_RUN_NOWAIT);
        image_credential_providers_free(node->credential_providers);
        pods_free(node->pods);
        free(node);
}
