/* What is known of pods. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/known.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define COST_ANNOTATION "controller.kubernetes.io/pod-deletion-cost"

const char known_pod_paths[] = "metadata.annotations spec.nodeName spec.hostname spec.subdomain "
                               "spec.containers.ports spec.initContainers.ports spec.initContainers.restartPolicy "
                               "status.phase status.conditions status.podIP status.podIPs "
                               "status.containerStatuses.restartCount status.initContainerStatuses.restartCount";

static const char *text_of(struct arena *arena, const struct value *value) {
        return arena_strdup(arena, value_string_or(value, ""));
}

static enum known_phase phase_of(const struct value *tree) {
        static const char *const names[] = { [KNOWN_UNKNOWN] = "Unknown",
                                             [KNOWN_RUNNING] = "Running",
                                             [KNOWN_SUCCEEDED] = "Succeeded",
                                             [KNOWN_FAILED] = "Failed" };
        const char *phase = value_string_or(value_find(tree, "status.phase"), "");

        for (unsigned i = 0; i < ELEMENTS(names); i++)
                if (names[i] && strcmp(names[i], phase) == 0)
                        return (enum known_phase)i;
        return KNOWN_PENDING;
}

static void read_ready(const struct value *conditions, struct known_pod *pod) {
        struct kube_time time;

        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const struct value *c = value_at(conditions, i);
                const char *since = value_string_or(value_get(c, "lastTransitionTime"), "");

                if (strcmp(value_string_or(value_get(c, "type"), ""), "Ready") != 0)
                        continue;
                pod->ready = strcmp(value_string_or(value_get(c, "status"), ""), "True") == 0;
                if (kube_time_parse(since, strlen(since), false, &time))
                        pod->ready_since = time.seconds;
        }
}

static unsigned restarts_of(const struct value *statuses) {
        int64_t most = 0, n;

        for (uint32_t i = 0; i < value_count(statuses); i++)
                if (value_integer(value_get(value_at(statuses, i), "restartCount"), &n) && n > most)
                        most = n;
        return (unsigned)most;
}

/* A number as Go writes it; what is none, or is too large, costs nothing. */
static int32_t cost_of(const struct value *tree) {
        const char *text = value_string_or(value_get(value_find(tree, "metadata.annotations"), COST_ANNOTATION), "");
        const char *digits = text + (*text == '-');
        char *end;
        long cost;

        if (digits[0] < '0' || digits[0] > '9' || (digits[0] == '0' && (digits[1] || *text == '-')))
                return 0;
        cost = strtol(text, &end, 10);
        return *end || cost > INT32_MAX || cost < INT32_MIN ? 0 : (int32_t)cost;
}

static int read_ips(struct arena *arena, const struct value *status, struct known_pod *pod) {
        const struct value *all = value_get(status, "podIPs");
        uint32_t n = value_count(all) < KNOWN_IPS_MAX ? value_count(all) : KNOWN_IPS_MAX;
        const char *only = value_string(value_get(status, "podIP")), **ips;

        ips = arena_alloc_array(arena, n + 1, sizeof(*ips));
        if (!ips)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
                if (!(ips[i] = text_of(arena, value_get(value_at(all, i), "ip"))))
                        return -ENOMEM;
        if (n == 0 && only && *only && !(ips[n++] = arena_strdup(arena, only)))
                return -ENOMEM;
        pod->ips = ips;
        pod->n_ips = n;
        return 0;
}

/* --- ports --- */

static uint32_t count_ports(const struct value *containers) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < value_count(containers); i++)
                n += value_count(value_get(value_at(containers, i), "ports"));
        return n;
}

static int read_port(struct arena *arena, const struct value *from, struct known_port *port) {
        int64_t number = 0;

        value_integer(value_get(from, "containerPort"), &number);
        *port = (struct known_port){ text_of(arena, value_get(from, "name")),
                                     arena_strdup(arena, value_string_or(value_get(from, "protocol"), "TCP")),
                                     (int32_t)number };
        return port->name && port->protocol ? 0 : -ENOMEM;
}

static int add_ports(struct arena *arena, const struct value *containers, bool sidecars, struct known_pod *pod,
                     struct known_port *to) {
        int r = 0;

        for (uint32_t i = 0; i < value_count(containers); i++) {
                const struct value *c = value_at(containers, i), *ports = value_get(c, "ports");

                if (sidecars && strcmp(value_string_or(value_get(c, "restartPolicy"), ""), "Always") != 0)
                        continue;
                for (uint32_t j = 0; r == 0 && j < value_count(ports) && pod->n_ports < KNOWN_PORTS_MAX; j++)
                        r = read_port(arena, value_at(ports, j), &to[pod->n_ports++]);
        }
        return r;
}

static int read_ports(struct arena *arena, const struct value *spec, struct known_pod *pod) {
        const struct value *containers = value_get(spec, "containers"), *inits = value_get(spec, "initContainers");
        uint32_t n = count_ports(containers) + count_ports(inits);
        struct known_port *ports = n > 0 ? arena_alloc_array(arena, n, sizeof(*ports)) : NULL;
        int r;

        if (n > 0 && !ports)
                return -ENOMEM;
        pod->ports = ports;
        if ((r = add_ports(arena, containers, false, pod, ports)) < 0)
                return r;
        return add_ports(arena, inits, true, pod, ports);
}

const struct known_pod *known_pod_read(struct arena *arena, const struct value *tree) {
        const struct value *spec = value_get(tree, "spec"), *status = value_get(tree, "status");
        struct known_pod *pod = arena_new_of(arena, struct known_pod);

        if (!pod)
                return NULL;
        pod->phase = phase_of(tree);
        read_ready(value_get(status, "conditions"), pod);
        pod->node = text_of(arena, value_get(spec, "nodeName"));
        pod->hostname = text_of(arena, value_get(spec, "hostname"));
        pod->subdomain = text_of(arena, value_get(spec, "subdomain"));
        pod->restarts = restarts_of(value_get(status, "containerStatuses"));
        pod->sidecar_restarts = restarts_of(value_get(status, "initContainerStatuses"));
        pod->deletion_cost = cost_of(tree);
        if (!pod->node || !pod->hostname || !pod->subdomain || read_ips(arena, status, pod) < 0 ||
            read_ports(arena, spec, pod) < 0)
                return NULL;
        return pod;
}

bool known_pod_differs(const struct known_pod *a, const struct known_pod *b) {
        return a->phase != b->phase || a->ready != b->ready || a->ready_since != b->ready_since;
}

/* --- what follows --- */

static bool has_ended(const struct known_object *pod) {
        return pod->pod->phase == KNOWN_SUCCEEDED || pod->pod->phase == KNOWN_FAILED;
}

bool known_is_active(const struct known_object *pod) {
        return !has_ended(pod) && !pod->deleting && !pod->leaving;
}

bool known_is_terminating(const struct known_object *pod) {
        return !has_ended(pod) && (pod->deleting || pod->leaving);
}

int64_t known_available_at(const struct known_object *pod, int32_t seconds) {
        if (!pod->pod->ready)
                return INT64_MAX;
        return seconds <= 0 || pod->pod->ready_since == 0 ? pod->pod->ready_since : pod->pod->ready_since + seconds;
}
