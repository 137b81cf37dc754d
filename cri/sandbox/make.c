/* Making and unmaking of a sandbox: what blocks. */
#include <limits.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "cni/files.h"
#include "cni/netns.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "lib/files.h"
#include "lib/pool.h"

#define HOSTS_MAX (1 << 20)

static int write_file(const char *dir, const char *name, const char *text, struct err **err) {
        char path[PATH_MAX];

        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
                return err_set(err, ENAMETOOLONG, "%s/%s: the path is too long", dir, name);
        return files_replace(path, text, strlen(text), 0644, err);
}

static int fill_list(struct dns_list *list, char *const *texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (cni_dns_list_add(list, texts[i]) < 0)
                        return -ENOMEM;
        return 0;
}

/* The text of resolv.conf: what the configuration says, or the node's own when it says nothing. */
static int resolv_conf(const Cri__DNSConfig *dns, char **ret_text, struct err **err) {
        _cleanup_dns_config_ struct dns_config config = { 0 };
        int r;

        if (!dns || dns->n_servers + dns->n_searches + dns->n_options == 0) {
                r = files_read("/etc/resolv.conf", RESOLV_CONF_MAX, ret_text, NULL, NULL);
                if (r < 0 && r != -ENOMEM)
                        *ret_text = strdup("");
                return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
        }
        if (fill_list(&config.servers, dns->servers, dns->n_servers) < 0 ||
            fill_list(&config.searches, dns->searches, dns->n_searches) < 0 ||
            fill_list(&config.options, dns->options, dns->n_options) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_text = cni_resolv_conf_format(&config);
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int make_hosts(const char *dir, const char *hostname, bool host_network, const char *const *ips,
                      struct err **err) {
        struct hosts_options options = { .ips = ips, .hostname = hostname };
        _cleanup_free_ char *node = NULL, *text = NULL;

        if (host_network && files_read("/etc/hosts", HOSTS_MAX, &node, NULL, NULL) == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (host_network && !node && !(node = strdup("")))
                return err_set(err, ENOMEM, "out of memory");
        options.node_hosts = node;
        text = cni_hosts_format(&options);
        return write_file(dir, "hosts", text, err);
}

int sandbox_make_files(const struct cri_sandbox *sandbox, const char *const *ips, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *dir = arena ? record_run_dir(sandbox->cri, arena, sandbox->id) : NULL;
        _cleanup_free_ char *dns = NULL, *hostname = NULL;
        char name[HOST_NAME_MAX + 1] = "";
        bool host = cri_sandbox_host_network(sandbox);
        int r;

        if (!dir)
                return err_set(err, ENOMEM, "out of memory");
        snprintf(name, sizeof(name), "%s", sandbox->config->hostname);
        if (host || !*name)
                gethostname(name, sizeof(name) - 1);
        hostname = cni_hostname_format(name);
        if ((r = files_make_private(dir, err)) < 0 || (r = resolv_conf(sandbox->config->dns_config, &dns, err)) < 0 ||
            (r = write_file(dir, "resolv.conf", dns, err)) < 0 || (r = write_file(dir, "hostname", hostname, err)) < 0)
                return r;
        return make_hosts(dir, name, host, ips, err);
}

/* The network that a pod is attached to while its shim is started. */
struct attachment {
        struct pool_side side; /* first */
        struct network *network;
        struct network_request request;
        struct network_result result;
        int r;
        struct err *err;
};

static void attach(struct pool_side *side) {
        struct attachment *attachment = (struct attachment *)side;

        attachment->r =
                network_attach(attachment->network, &attachment->request, &attachment->result, &attachment->err);
}

/* A pod's own sysctls may be meant for the interface that is to come; the namespace of a pod with users of its own has
 * to be made among those. */
static bool goes_beside(const struct cri_sandbox *sandbox, const struct sandbox_spec *spec) {
        const Cri__PodSandboxConfig *config = sandbox->config;

        return !spec->host_network && spec->mappings.n_uids == 0 && !(config->linux && config->linux->n_sysctls > 0);
}

/* Of a sandbox that was begun. */
static int make_beside(struct cri_sandbox *sandbox, struct span *span, struct sandbox_spec *spec,
                       const struct network_request *request, struct sandbox_made *made, struct err **err) {
        struct attachment attachment = { .side.work = attach, .network = sandbox->cri->network, .request = *request };
        _cleanup_close_ int netns = -EBADF;
        struct span *step;
        int r;

        if ((r = cni_netns_create(request->netns, err)) < 0 || (r = cni_netns_open(request->netns, &netns, err)) < 0)
                return r;
        spec->netns_fd = netns;
        step = span_child(span, "network_attach");
        pool_side_begin(sandbox->cri->pool, &attachment.side);
        r = SPAN_STEP(span, "sandbox_create",
                      sandbox_create(sandbox->cri->runtime, sandbox->id, spec, &made->info, err), err);
        pool_side_end(sandbox->cri->pool, &attachment.side);
        span_done(step, attachment.r, &attachment.err);
        made->network = attachment.result;
        if (r >= 0)
                return attachment.r < 0 ? err_move(err, attachment.err) : 0;
        err_free(attachment.err);
        return r;
}

/* Of a sandbox whose shim is there. */
static int attach_after(struct cri_sandbox *sandbox, struct span *span, const struct sandbox_spec *spec,
                        const struct network_request *request, struct sandbox_made *made, struct err **err) {
        if (spec->host_network)
                return 0;
        return SPAN_STEP(span, "network_attach", network_attach(sandbox->cri->network, request, &made->network, err),
                         err);
}

/* @beside: what is made at once with its network is only begun. */
static int begin(struct cri_sandbox *sandbox, struct span *span, const struct sandbox_spec *spec, bool beside,
                 struct sandbox_made *made, struct err **err) {
        if (beside)
                return sandbox_begin(sandbox->cri->runtime, sandbox->id, err);
        return SPAN_STEP(span, "sandbox_create",
                         sandbox_create(sandbox->cri->runtime, sandbox->id, spec, &made->info, err), err);
}

int sandbox_make(struct cri_sandbox *sandbox, struct span *span, struct sandbox_made *ret_made, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct network_request request = { 0 };
        const char **ips = NULL;
        struct sandbox_spec spec;
        bool beside;
        int r;

        *ret_made = (struct sandbox_made){ 0 };
        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = sandbox_fill_spec(sandbox, arena, &spec, err)) < 0 ||
            (!spec.host_network && (r = sandbox_fill_network(sandbox, arena, &request, err)) < 0))
                return r;
        beside = goes_beside(sandbox, &spec);
        if ((r = begin(sandbox, span, &spec, beside, ret_made, err)) < 0)
                return r;
        r = beside ? make_beside(sandbox, span, &spec, &request, ret_made, err) :
                     attach_after(sandbox, span, &spec, &request, ret_made, err);
        if (r >= 0) {
                ips = sandbox_ips(arena, &ret_made->network);
                r = ips ? sandbox_make_files(sandbox, ips, err) : err_set(err, ENOMEM, "out of memory");
        }
        if (r < 0)
                sandbox_unmake(sandbox, span, NULL);
        return r;
}

int sandbox_unmake(const struct cri_sandbox *sandbox, struct span *span, struct err **err) {
        struct cri *cri = sandbox->cri;
        char path[SANDBOX_PATH_MAX];
        int r = 0, q;

        sandbox_netns_path(cri->runtime, sandbox->id, path);
        if (!cri_sandbox_host_network(sandbox))
                r = SPAN_STEP(span, "network_detach", network_detach(cri->network, sandbox->id, path, err), err);
        q = SPAN_STEP(span, "sandbox_delete", sandbox_delete(cri->runtime, sandbox->id, r < 0 ? NULL : err),
                      r < 0 ? NULL : err);
        r = r < 0 ? r : q;
        q = record_remove_run_dir(cri, sandbox->id, r < 0 ? NULL : err);
        return r < 0 ? r : q;
}
