/* Kubelet's API: what others may know of the node and have done with its pods.
 *
 *     RUN/kubelet.sock, --read-only-port   what changes nothing, to anybody who gets there
 *     --port, over TLS                     everything, to whom the API service lets
 *
 * One table of routes (routes.c) serves them all, over HTTP/1.1 and 2. A client of --port is who its certificate says,
 * by --client-ca-file, or whom the service names for its token (TokenReview), and may what the service says
 * (SubjectAccessReview of nodes/proxy, nodes/stats ...: KEP-2862). Paths, words and formats are kubelet 1.36's
 * (pkg/kubelet/server).
 *
 * All is on the loop; what blocks is on the pool.
 */
#pragma once

#include <uv.h>

#include "agent/config/options.h"

struct arena;
struct cgroups;
struct client;
struct cri;
struct json_writer;
struct kube_pod_status;
struct kubelet;
struct pod;
struct pool;
struct streaming;

#define KUBELET_READERS_MAX 64 /* connections of the socket and the read-only port; past it the idlest is closed */
/* Of the port: streams (STREAMING_CLIENTS_MAX) and logs (256) that are held open leave room for others. */
#define KUBELET_CLIENTS_MAX 1024
#define KUBELET_REQUESTS_MAX 4096               /* that are not answered yet, streams apart; one more gets 429 */
#define KUBELET_ANSWER_LARGE ((size_t)16 << 10) /* bytes: answers from there on are counted */
#define KUBELET_UNREAD_MAX                                                                                             \
        ((size_t)64 << 20) /* of large answers that clients have not read; past it 429, but for one */

/* A pod that is on the node. */
struct kubelet_pod {
        const struct pod *pod; /* lent: until the loop runs again */
        const char *sandbox;   /* its id; NULL: none yet */
};

/* What is known of pods: agent/pods has it. Without pods (--runtime-only) there is none of it. */
struct kubelet_host {
        int (*write_pods)(void *data, struct json_writer *w); /* a PodList; 0 or -ENOMEM, as the next three */
        int (*write_events)(void *data, struct json_writer *w);
        int (*write_files)(void *data, struct json_writer *w);
        int (*write_node)(void *data, struct json_writer *w);
        /* Calls @each for every pod until it returns false. */
        void (*each_pod)(void *data, bool (*each)(void *each_data, const struct kubelet_pod *pod), void *each_data);
        char *(*probes)(void *data); /* /metrics/probes: allocated; NULL without memory */
        /* What the pod is in. -ENOENT, -ENOMEM. */
        int (*pod_status)(void *data, const char *uid, struct arena *arena, struct kube_pod_status *ret_status);
};

/* All outlives it. */
struct kubelet_world {
        uv_loop_t *loop;
        struct pool *pool;
        struct cri *cri;
        const struct options *options;
        const struct cgroups *cgroups;   /* NULL: no pods */
        struct streaming *streaming;     /* of the loop */
        struct client *client;           /* of the API service; NULL: there is none to ask */
        const struct kubelet_host *host; /* NULL: no pods */
        char *(*metrics)(void *data);    /* /metrics: allocated; NULL without memory */
        void *data;                      /* of both */
};

/* Listens. For --port a port that is taken, or a certificate that is none, is an error with *@err; that nobody can read
 * elsewhere is told in the log. Blocks. */
int kubelet_new(const struct kubelet_world *world, struct kubelet **ret_kubelet, struct err **err);

/* New connections get this certificate, a chain in PEM, and its key; unless --tls-cert-file says otherwise. -EINVAL,
 * -ENOMEM: the old one stays. */
int kubelet_set_certificate(struct kubelet *kubelet, const char *certificate, const char *key, struct err **err);

/* Closes all; memory goes once the loop has closed the handles and what is under way has ended. NULL is fine. */
void kubelet_free(struct kubelet *kubelet);
