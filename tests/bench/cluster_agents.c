/* Agents that run nothing, as many as wanted, in one process: the agent's own client of a cluster (agent/cluster) with
 * its Node, Lease, watches and pods' statuses, a connection and a certificate each.
 *
 * cluster_agents SERVER CA.crt CA.key AGENTS PODS CHANGES
 *
 * It registers AGENTS nodes, makes PODS pods on each of them, says "ready" when all have been told to run, and from
 * then on tells of CHANGES other statuses a second until its input ends; then how many there were. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "api/pki/certificate.h"
#include "client/remote.h"
#include "lib/arena.h"
#include "lib/files.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "lib/openssl.h"

#define FILE_MAX ((size_t)64 << 10)
#define NAME_BYTES 64
#define MAKING_MAX 64 /* requests for pods under way */
#define TICK_MS 10
#define BEGIN_MAX 5 /* agents of a tick */
#define LOOK_MS 50
#define DAY_S ((int64_t)24 * 3600)

struct sim_pod {
        struct table_node by_uid;
        int64_t restarts;
        char uid[];
};

struct agent {
        struct cluster cluster;
        struct options options;
        char name[NAME_BYTES];
        struct table pods;
};

static struct {
        uv_loop_t loop;
        const char *server;
        char *ca;
        struct x509_st *issuer;
        struct evp_pkey_st *issuer_key;
        struct agent *agents;
        struct client *admin;
        unsigned n, begun, pods;
        unsigned making, made; /* pods */
        double rate, owed;
        unsigned turn; /* whose pods change next */
        long changes;
        bool ready;
} sim;

static void require(int r, struct err *err) {
        if (r >= 0)
                return;
        fprintf(stderr, "cluster_agents: %s\n", err ? err_text(err) : strerror(-r));
        exit(1);
}

/* -- who they are ------------------------------------------------------------------------------------------ */

static struct client *connect_as(const char *name, const char *group) {
        _cleanup_x509_ struct x509_st *certificate = NULL;
        _cleanup_key_ struct evp_pkey_st *key = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct pki_order order = { .common_name = name,
                                   .organizations = { &group, 1 },
                                   .begins = time(NULL) - DAY_S,
                                   .ends = time(NULL) + DAY_S,
                                   .uses = PKI_USE_CLIENT };
        struct client_remote_config config = { .server = sim.server, .authorities = sim.ca };
        struct client *client = NULL;

        require(pki_key_new(&key, &err), err);
        require(pki_certificate_new(&order, key, sim.issuer, sim.issuer_key, &certificate, &err), err);
        config.certificate = pki_certificate_pem(certificate);
        config.key = pki_key_pem(key);
        require(client_remote_new(&sim.loop, &config, &client, &err), err);
        free((char *)config.certificate);
        free((char *)config.key);
        return client;
}

/* -- what the room asks of an agent ------------------------------------------------------------------------ */

static struct sim_pod *find(struct agent *a, const char *uid) {
        return table_object(table_find(&a->pods, uid), struct sim_pod, by_uid);
}

static int on_node_status(void *data, struct arena *arena, struct kube_node_status *ret) {
        static struct resource_amount has[] = { { "cpu", { .value = 64 } },
                                                { "memory", { .value = (int64_t)256 << 30 } },
                                                { "pods", { .value = 1000 } } };

        *ret = (struct kube_node_status){ .capacity = { has, ELEMENTS(has) }, .allocatable = { has, ELEMENTS(has) } };
        ret->conditions.items = arena_alloc_array(arena, 1, sizeof(*ret->conditions.items)); /* Ready */
        return ret->conditions.items ? 0 : -ENOMEM;
}

static void on_pod(void *data, struct pod *pod) {
        struct agent *a = data;
        const char *uid = pod->metadata.uid;
        struct sim_pod *made = find(a, uid);

        if (!made) {
                made = calloc(1, sizeof(*made) + strlen(uid) + 1);
                require(made ? 0 : -ENOMEM, NULL);
                strcpy(made->uid, uid);
                require(table_add(&a->pods, &made->by_uid, made->uid), NULL);
        }
        cluster_pod_changed(&a->cluster, uid);
        pod_unref(pod);
}

static void on_end(void *data, const char *uid, int64_t grace) {
        struct agent *a = data;
        struct sim_pod *pod = find(a, uid);

        if (!pod)
                return;
        table_remove(&a->pods, &pod->by_uid);
        free(pod);
}

static void on_listed(void *data) {
}

static bool on_is_new(void *data) {
        return false;
}

static bool on_has(void *data, const char *uid) {
        return find(data, uid);
}

static int on_pod_status(void *data, const char *uid, struct arena *arena, struct kube_pod_status *ret) {
        static struct kube_pod_ip ip = { "10.0.0.1" };
        struct sim_pod *pod = find(data, uid);
        struct kube_container_status *c;
        struct kube_pod_condition *ready;

        if (!pod)
                return -ENOENT;
        if (!(c = arena_alloc_array(arena, 1, sizeof(*c))) || !(ready = arena_alloc_array(arena, 1, sizeof(*ready))))
                return -ENOMEM;
        *c = (struct kube_container_status){
                .name = "c", .image = "i", .image_id = "i", .ready = true, .restart_count = pod->restarts
        };
        *ready = (struct kube_pod_condition){ .type = "Ready", .status = "True" };
        *ret = (struct kube_pod_status){ .phase = "Running",
                                         .pod_ip = ip.ip,
                                         .pod_ips = { &ip, 1 },
                                         .conditions = { ready, 1 },
                                         .container_statuses = { c, 1 } };
        return 0;
}

static void begin(struct agent *a, unsigned i) {
        char user[NAME_BYTES + 16];

        snprintf(a->name, sizeof(a->name), "sim-%u", i);
        snprintf(user, sizeof(user), "system:node:%s", a->name);
        a->options = (struct options){ .node_name = a->name, .node_ip = (char *)"127.0.0.1", .pod_cidr = (char *)"" };
        a->cluster = (struct cluster){ .loop = &sim.loop,
                                       .options = &a->options,
                                       .client = connect_as(user, "system:nodes"),
                                       .events = { .node_status = on_node_status,
                                                   .is_new = on_is_new,
                                                   .pod = on_pod,
                                                   .end = on_end,
                                                   .listed = on_listed,
                                                   .has = on_has,
                                                   .pod_status = on_pod_status,
                                                   .data = a } };
        require(cluster_node_start(&a->cluster), NULL);
        require(cluster_lease_start(&a->cluster), NULL);
        require(cluster_mirrors_start(&a->cluster), NULL);
        require(cluster_pods_start(&a->cluster), NULL);
}

/* -- their pods -------------------------------------------------------------------------------------------- */

static void make_pods(void);

static void on_made(void *data, const struct client_answer *answer) {
        if (!client_succeeded(answer) && answer->code != 409)
                fprintf(stderr, "cluster_agents: pod: %d %s\n", answer->code, answer->message);
        sim.making--;
        make_pods();
}

static void make_pods(void) {
        char body[1024];

        for (; sim.making < MAKING_MAX && sim.made < sim.n * sim.pods; sim.made++) {
                struct client_request q = {
                        .verb = KUBE_VERB_CREATE, .kind = &cluster_pods, .namespace = "default", .body = body
                };

                q.length = (size_t)snprintf(body, sizeof(body),
                                            "{\"metadata\":{\"name\":\"sim-%u\"},\"spec\":{\"nodeName\":\"sim-%u\","
                                            "\"automountServiceAccountToken\":false,\"containers\":[{\"name\":\"c\","
                                            "\"image\":\"i\"}]}}",
                                            sim.made, sim.made % sim.n);
                if (client_ask(sim.admin, &q, on_made, NULL, NULL) < 0)
                        return;
                sim.making++;
        }
}

/* All are there, and the service knows that they run. */
static bool settled(void) {
        for (unsigned i = 0; i < sim.n; i++) {
                struct agent *a = &sim.agents[i];

                if (a->cluster.node.state != CLUSTER_NODE_THERE || a->cluster.pods_by_uid.n < sim.pods)
                        return false;
                LIST_EACH (cluster_all, pod, &a->cluster.pods)
                        if (!pod->told)
                                return false;
        }
        return true;
}

static void on_look(uv_timer_t *timer) {
        static bool registered;

        if (!registered) {
                for (unsigned i = 0; i < sim.n; i++)
                        if (sim.agents[i].cluster.node.state != CLUSTER_NODE_THERE)
                                return;
                registered = true;
                make_pods();
        }
        if (!settled())
                return;
        uv_timer_stop(timer);
        sim.ready = true;
        puts("ready");
        fflush(stdout);
}

/* A pod of one agent after the other. */
static void change_one(void) {
        struct agent *a = &sim.agents[sim.turn++ % sim.n];
        struct cluster_pod *told = cluster_all_pop(&a->cluster.pods);
        struct sim_pod *pod;

        if (!told)
                return;
        cluster_all_append(&a->cluster.pods, told);
        if (!(pod = find(a, told->uid)))
                return;
        pod->restarts++;
        sim.changes++;
        cluster_pod_changed(&a->cluster, pod->uid);
}

static void on_tick(uv_timer_t *timer) {
        for (unsigned i = 0; i < BEGIN_MAX && sim.begun < sim.n; i++, sim.begun++)
                begin(&sim.agents[sim.begun], sim.begun);
        if (!sim.ready)
                return;
        for (sim.owed += sim.rate * TICK_MS / 1000; sim.owed >= 1; sim.owed--)
                change_one();
}

static void on_input(uv_poll_t *poll, int status, int events) {
        printf("%ld\n", sim.changes);
        fflush(stdout);
        _exit(0); /* as a power cut would have it */
}

int main(int argc, char **argv) {
        _cleanup_err_ struct err *err = NULL;
        char *ca_key = NULL;
        uv_poll_t input;

        if (argc != 7) {
                fputs("usage: cluster_agents SERVER CA.crt CA.key AGENTS PODS CHANGES\n", stderr);
                return 2;
        }
        log_init("cluster_agents", LOG_LEVEL_ERROR); /* that a server is busy is no news here */
        sim.server = argv[1];
        require(files_read(argv[2], FILE_MAX, &sim.ca, NULL, &err), err);
        require(files_read(argv[3], FILE_MAX, &ca_key, NULL, &err), err);
        sim.n = (unsigned)atoi(argv[4]);
        sim.pods = (unsigned)atoi(argv[5]);
        sim.rate = atof(argv[6]);
        sim.issuer = pki_certificate_read(sim.ca);
        sim.issuer_key = pki_key_read(ca_key);
        require(sim.issuer && sim.issuer_key ? 0 : -EINVAL, NULL);
        require(uv_loop_init(&sim.loop), NULL);
        sim.admin = connect_as("admin", "system:masters");
        sim.agents = calloc(sim.n, sizeof(*sim.agents));
        require(sim.agents ? 0 : -ENOMEM, NULL);
        uv_timer_start(handle_timer(&sim.loop, NULL), on_look, LOOK_MS, LOOK_MS);
        uv_timer_start(handle_timer(&sim.loop, NULL), on_tick, TICK_MS, TICK_MS);
        uv_poll_init(&sim.loop, &input, STDIN_FILENO);
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
        return uv_run(&sim.loop, UV_RUN_DEFAULT);
}
