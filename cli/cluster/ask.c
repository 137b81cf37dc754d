/* Requests of the API, each waited for. */
#include <errno.h>
#include <string.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/handle.h"
#include "lib/json.h"
#include "lib/value.h"

#define ASK_MS 20000
#define PROBE_MS 100

const struct kube_kind cli_cluster_secrets = {
        .group = "", .version = "v1", .kind = "Secret", .resource = "secrets", .namespaced = true
};
const struct kube_kind cli_cluster_maps = {
        .group = "", .version = "v1", .kind = "ConfigMap", .resource = "configmaps", .namespaced = true
};
const struct kube_kind cli_cluster_nodes = { .group = "", .version = "v1", .kind = "Node", .resource = "nodes" };
const struct kube_kind cli_cluster_leases = {
        .group = "coordination.k8s.io", .version = "v1", .kind = "Lease", .resource = "leases", .namespaced = true
};
const struct kube_kind cli_cluster_roles = {
        .group = "rbac.authorization.k8s.io", .version = "v1", .kind = "Role", .resource = "roles", .namespaced = true
};
const struct kube_kind cli_cluster_all_roles = {
        .group = "rbac.authorization.k8s.io", .version = "v1", .kind = "ClusterRole", .resource = "clusterroles"
};
const struct kube_kind cli_cluster_bindings = { .group = "rbac.authorization.k8s.io",
                                                .version = "v1",
                                                .kind = "RoleBinding",
                                                .resource = "rolebindings",
                                                .namespaced = true };
const struct kube_kind cli_cluster_all_bindings = { .group = "rbac.authorization.k8s.io",
                                                    .version = "v1",
                                                    .kind = "ClusterRoleBinding",
                                                    .resource = "clusterrolebindings" };

int cli_cluster_open(struct cli *cli, const struct client_remote_config *config, struct cluster_api *ret_api,
                     struct err **err) {
        struct client_remote_config own = *config;
        struct cluster_api api = { .cli = cli, .arena = arena_new() };
        int r = api.arena ? 0 : err_set(err, ENOMEM, "out of memory");

        own.agent = "nacelle/" NACELLE_VERSION;
        if (r == 0)
                r = client_remote_new(&cli->loop, &own, &api.client, err);
        if (r < 0) {
                arena_free(api.arena);
                return r;
        }
        *ret_api = api;
        return 0;
}

static int open_by(struct cli *cli, struct arena *arena, const char *path, struct cluster_api *ret_api,
                   struct err **err) {
        struct client_remote_config config = { 0 };
        int r = client_kubeconfig(arena, path, &config, err);

        if (r == -ENOENT)
                return err_wrap(err, r, "run this on the API service's host, or give --kubeconfig");
        if (r < 0)
                return err_wrap(err, r, "the administrator's kubeconfig (--kubeconfig)");
        return cli_cluster_open(cli, &config, ret_api, err);
}

static int open_here(struct cli *cli, struct cluster_api *ret_api, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? arena_printf(arena, "%s/admin.kubeconfig", cli_cluster_places.data) : NULL;

        return path ? open_by(cli, arena, path, ret_api, err) : err_set(err, ENOMEM, "out of memory");
}

int cli_cluster_open_admin(struct cli *cli, const char *kubeconfig, struct cluster_api *ret_api, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = kubeconfig ?: getenv("KUBECONFIG");

        if (!path || !*path)
                return open_here(cli, ret_api, err);
        return arena ? open_by(cli, arena, path, ret_api, err) : err_set(err, ENOMEM, "out of memory");
}

int cli_cluster_probe_here(struct cli *cli, struct cluster_api *api, struct err **err) {
        const struct value *object;
        struct err *why = NULL;
        int r;

        cli_cluster_close(api);
        if ((r = open_here(cli, api, &why)) == 0)
                r = cli_cluster_get(api, &cli_cluster_maps, "kube-system", "kube-root-ca.crt", &object, &why);
        if (r == 0)
                return 0;
        if ((r = cli_cluster_check(&cli_cluster_api, err)) < 0) {
                err_free(why);
                return r;
        }
        err_move(err, why);
        return -EAGAIN;
}

void cli_cluster_close(struct cluster_api *api) {
        client_remote_free(api->client);
        arena_free(api->arena);
        *api = (struct cluster_api){ 0 };
}

struct asking {
        struct cluster_api *api;
        bool done, late;
        int code;
        const char *message;
        const struct value *object;
};

static void on_answer(void *data, const struct client_answer *answer) {
        struct asking *a = data;

        a->done = true;
        a->code = answer->code;
        a->message = arena_strdup(a->api->arena, answer->message);
        if (client_succeeded(answer) &&
            json_parse(a->api->arena, (const char *)answer->body->data, answer->body->size, NULL, &a->object, NULL) < 0)
                a->code = -EPROTO;
}

static void on_late(uv_timer_t *timer) {
        ((struct asking *)timer->data)->late = true;
}

static int errno_of(int code) {
        return code < 0 ? -code : code == 404 ? ENOENT : code == 401 || code == 403 ? EACCES : EIO;
}

/* Has the loop run until there is an answer, or none in time. */
static int wait_for_answer(struct cluster_api *api, const struct client_request *request, uv_timer_t *timer,
                           struct asking *a) {
        struct client_call *call = NULL;
        int r = client_ask(api->client, request, on_answer, a, &call);

        if (r < 0)
                return r;
        uv_timer_start(timer, on_late, ASK_MS, 0);
        while (!a->done && !a->late)
                uv_run(&api->cli->loop, UV_RUN_ONCE);
        if (!a->done)
                client_cancel(call);
        return 0;
}

int cli_cluster_ask(struct cluster_api *api, const struct client_request *request, const struct value **ret_object,
                    struct err **err) {
        struct asking a = { .api = api };
        uv_timer_t *timer = handle_timer(&api->cli->loop, &a);
        int r = timer ? wait_for_answer(api, request, timer, &a) : -ENOMEM;

        handle_free(timer);
        if (r < 0)
                return err_errno(err, -r, "cannot ask the API service");
        if (!a.done)
                return err_set(err, ETIMEDOUT, "the API service does not answer");
        if (a.code < 200 || a.code > 299)
                return err_set(err, errno_of(a.code), "%s",
                               a.message && *a.message ? a.message : "the API service refused it");
        if (ret_object)
                *ret_object = a.object;
        return 0;
}

int cli_cluster_get(struct cluster_api *api, const struct kube_kind *kind, const char *namespace, const char *name,
                    const struct value **ret_object, struct err **err) {
        const struct client_request q = { .verb = KUBE_VERB_GET, .kind = kind, .namespace = namespace, .name = name };

        return cli_cluster_ask(api, &q, ret_object, err);
}

int cli_cluster_apply(struct cluster_api *api, const struct kube_kind *kind, const char *namespace, const char *name,
                      const char *json, struct err **err) {
        const struct client_request q = { .verb = KUBE_VERB_PATCH,
                                          .kind = kind,
                                          .namespace = namespace,
                                          .name = name,
                                          .body = json,
                                          .length = strlen(json),
                                          .patch = CLIENT_PATCH_APPLY,
                                          .manager = "nacelle",
                                          .force = true };
        int r = cli_cluster_ask(api, &q, NULL, err);

        return r < 0 ? err_wrap(err, r, "%s %s", kind->kind, name) : 0;
}

static void on_tick(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

static void pause_for(struct cli *cli, unsigned ms) {
        bool over = false;
        uv_timer_t *timer = handle_timer(&cli->loop, &over);

        if (!timer)
                return;
        uv_timer_start(timer, on_tick, ms, 0);
        while (!over)
                uv_run(&cli->loop, UV_RUN_ONCE);
        handle_free(timer);
}

int cli_cluster_wait(struct cli *cli, unsigned seconds, int (*probe)(void *data, struct err **err), void *data,
                     struct err **err) {
        uint64_t end = uv_hrtime() + (uint64_t)seconds * 1000000000;

        for (;;) {
                struct err *why = NULL;
                int r = probe(data, &why);

                if (r == 0 || (r != -EAGAIN) || uv_hrtime() > end)
                        return r == 0 ? (err_free(why), 0) : err_move(err, why);
                err_free(why);
                pause_for(cli, PROBE_MS);
        }
}
