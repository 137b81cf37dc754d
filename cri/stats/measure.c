#include "cri/stats/measure.h"

#include <inttypes.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "cri/state/record.h"
#include "lib/files.h"

#define NET_DEV_MAX (256 << 10)

static void measure_release(struct cri_call *call) {
        struct measure *measure = call->state;

        for (size_t i = 0; i < measure->n_containers; i++)
                cri_container_unref(measure->containers[i].container);
        for (size_t i = 0; i < measure->n_sandboxes; i++)
                cri_sandbox_unref(measure->sandboxes[i].sandbox);
        measure->n_containers = measure->n_sandboxes = 0;
}

struct measure *measure_new(struct cri_call *call) {
        struct measure *measure = call_alloc(call, sizeof(*measure));

        if (!measure)
                return NULL;
        measure->containers = call_alloc(call, (call->cri->containers.n + 1) * sizeof(*measure->containers));
        if (!measure->containers)
                return NULL;
        measure->sandboxes = call_alloc(call, (call->cri->sandboxes.n + 1) * sizeof(*measure->sandboxes));
        if (!measure->sandboxes)
                return NULL;
        call->state = measure;
        call->release = measure_release;
        return measure;
}

int measure_add_container(struct cri_call *call, struct measure *measure, struct cri_container *container) {
        struct container_measure *entry = &measure->containers[measure->n_containers];
        char *dir = record_dir(call->cri, call->arena, RECORD_CONTAINER, container->id);

        entry->layer = dir ? arena_printf(call->arena, "%s/upper", dir) : NULL;
        if (!entry->layer)
                return -ENOMEM;
        entry->container = cri_container_ref(container);
        entry->measure_layer = (uint64_t)cri_now() - container->layer_time >= MEASURE_LAYER_SECONDS * 1000000000ull;
        measure->n_containers++;
        return 0;
}

int measure_add_sandbox(struct cri_call *call, struct measure *measure, struct cri_sandbox *sandbox) {
        struct sandbox_measure *entry = &measure->sandboxes[measure->n_sandboxes++];
        int r = 0;

        entry->sandbox = cri_sandbox_ref(sandbox);
        entry->first = measure->n_containers;
        for (struct cri_container *c = sandbox->containers; c && r >= 0; c = c->next_in_sandbox)
                if (c->phase == CRI_PHASE_RUNNING) {
                        r = measure_add_container(call, measure, c);
                        entry->n++;
                }
        return r;
}

/* The lines of /proc/PID/net/dev: "  eth0: 1 2 3 4 5 6 7 8 9 ...". */
static int read_devices(pid_t pid, struct net_device devices[MEASURE_DEVICES_MAX], size_t *ret_n) {
        _cleanup_free_ char *text = NULL;
        char path[64], *save = NULL;
        size_t n = 0;
        int r;

        *ret_n = 0;
        snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
        if (pid <= 0)
                return 0;
        if ((r = files_read(path, NET_DEV_MAX, &text, NULL, NULL)) < 0)
                return r == -ENOMEM ? r : 0;
        for (char *line = strtok_r(text, "\n", &save); line && n < MEASURE_DEVICES_MAX;
             line = strtok_r(NULL, "\n", &save)) {
                struct net_device *d = &devices[n];

                if (sscanf(line,
                           " %31[^:]: %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64
                           " %" SCNu64 " %" SCNu64 " %" SCNu64,
                           d->name, &d->rx_bytes, &d->rx_packets, &d->rx_errors, &d->rx_dropped, &d->tx_bytes,
                           &d->tx_packets, &d->tx_errors, &d->tx_dropped) == 9 &&
                    strcmp(d->name, "lo") != 0)
                        n++;
        }
        *ret_n = n;
        return 0;
}

/* What cannot be read is not known, since it may have gone; without memory nothing is said: -ENOMEM. */
static int measure_container(struct cri_call *call, struct container_measure *c) {
        const struct measure *measure = call->state;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        r = cgroup_get_stats(call->cri->cgroups, c->container->cgroup, &c->stats, NULL);
        if (r == -ENOMEM)
                return r;
        c->known = r >= 0;
        if (measure->count_processes) {
                r = cgroup_pids(call->cri->cgroups, c->container->cgroup, true, &pids, &n, NULL);
                if (r == -ENOMEM)
                        return r;
                c->processes = r >= 0 ? n : 0;
        }
        if (!c->measure_layer)
                return 0;
        r = disk_usage_read(c->layer, 0, &c->layer_usage, NULL);
        c->layer_known = r >= 0;
        return r == -ENOMEM ? r : 0;
}

static int measure_sandbox(struct cri_call *call, struct sandbox_measure *s) {
        int r = cgroup_get_stats(call->cri->cgroups, s->sandbox->cgroup, &s->stats, NULL);

        if (r == -ENOMEM)
                return r;
        s->known = r >= 0;
        if (cri_sandbox_host_network(s->sandbox))
                return 0;
        return read_devices(s->sandbox->shim_pid, s->devices, &s->n_devices);
}

static int measure_work(struct cri_call *call, struct err **err) {
        struct measure *measure = call->state;

        for (size_t i = 0; i < measure->n_containers; i++)
                if (measure_container(call, &measure->containers[i]) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < measure->n_sandboxes; i++)
                if (measure_sandbox(call, &measure->sandboxes[i]) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        return 0;
}

static void measure_done(struct cri_call *call) {
        struct measure *measure = call->state;

        for (size_t i = 0; i < measure->n_containers; i++) {
                struct container_measure *c = &measure->containers[i];

                if (c->layer_known) {
                        c->container->layer_bytes = c->layer_usage.bytes;
                        c->container->layer_inodes = c->layer_usage.inodes;
                        c->container->layer_time = (uint64_t)cri_now();
                }
        }
        measure->then(call);
}

void measure_run(struct cri_call *call, void (*then)(struct cri_call *call)) {
        ((struct measure *)call->state)->then = then;
        call_run(call, measure_work, measure_done);
}
