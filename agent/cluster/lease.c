/* The node's Lease: that the node is there, told in the fewest bytes (pkg/kubelet/kubelet.go, nodeLeaseController). */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/time.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "kube/scalar.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static void post(struct cluster *c, bool make);

static void on_timer(uv_timer_t *timer) {
        post(timer->data, false);
}

static void later(struct cluster *c, unsigned ms) {
        uv_timer_start(c->lease.timer, on_timer, ms, 0);
}

/* Later by up to a 25th, as kubelet's: nodes that have begun together, when power or the service came back, do not
 * renew together for ever. */
static unsigned until_next(void) {
        unsigned random;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                return CLUSTER_LEASE_RENEW_MS;
        return CLUSTER_LEASE_RENEW_MS + random % (CLUSTER_LEASE_RENEW_MS / 25);
}

static void on_answer(void *data, const struct client_answer *answer) {
        struct cluster *c = data;

        c->lease.call = NULL;
        if (answer->code == 404 && !c->lease.makes)
                return post(c, true);
        if (client_succeeded(answer)) {
                c->lease.patience.ms = 0;
                cluster_report_denied(c);
                return later(c, until_next());
        }
        cluster_look_at(c, answer);
        log_debug("lease of node %s: %s", c->options->node_name, answer->message);
        later(c, cluster_back_off(&c->lease.patience));
}

static void write_lease(const struct cluster *c, bool make, struct json_writer *w) {
        char text[KUBE_TIME_TEXT_MAX];
        struct timeval now;

        gettimeofday(&now, NULL);
        kube_time_format(
                &(struct kube_time){ .seconds = now.tv_sec, .nanoseconds = (int32_t)now.tv_usec * 1000, .set = true },
                true, text);
        json_begin_map(w);
        if (make) {
                json_key(w, "metadata");
                json_begin_map(w);
                json_add_string(w, "name", c->options->node_name);
                json_end_map(w);
        }
        json_key(w, "spec");
        json_begin_map(w);
        json_add_string(w, "holderIdentity", c->options->node_name);
        json_add_int(w, "leaseDurationSeconds", CLUSTER_LEASE_S);
        json_add_string(w, "renewTime", text);
        json_end_map(w);
        json_end_map(w);
}

/* A patch is all that it takes, once there is one. */
static void post(struct cluster *c, bool make) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        struct client_request q = { .verb = make ? KUBE_VERB_CREATE : KUBE_VERB_PATCH,
                                    .kind = &cluster_leases,
                                    .namespace = CLUSTER_LEASES,
                                    .name = make ? NULL : c->options->node_name,
                                    .patch = CLIENT_PATCH_MERGE };

        c->lease.makes = make;
        write_lease(c, make, &w);
        if (json_writer_finish(&w, &text, &q.length) == 0) {
                q.body = text;
                if (client_ask(c->client, &q, on_answer, c, &c->lease.call) == 0)
                        return;
        }
        later(c, cluster_back_off(&c->lease.patience));
}

int cluster_lease_start(struct cluster *c) {
        if (!(c->lease.timer = handle_timer(c->loop, c)))
                return -ENOMEM;
        later(c, 0);
        return 0;
}

void cluster_lease_stop(struct cluster *c) {
        client_cancel(c->lease.call);
        c->lease.call = NULL;
        handle_free(c->lease.timer);
        c->lease.timer = NULL;
}
