/* The table of plugins, and what all of them use. */
#include "api/scheduler/plugin.h"

#include <string.h>

#include "lib/cleanup.h"

/* Filters in this order: the first that fails has the last word about a node. */
const struct sched_plugin *const sched_plugins[] = {
        &sched_node_unschedulable, &sched_node_name,         &sched_taint_toleration, &sched_node_affinity,
        &sched_node_ports,         &sched_resources,         &sched_volume_binding,   &sched_topology_spread,
        &sched_pod_affinity,       &sched_dynamic_resources, &sched_balanced,         &sched_image_locality,
};
const unsigned sched_plugins_count = ELEMENTS(sched_plugins);
_Static_assert(ELEMENTS(sched_plugins) <= SCHED_PLUGINS_MAX, "bits of a uint32_t");

void sched_reasons_add(struct sched_reasons *reasons, const char *text, uint32_t n) {
        if (n == 0)
                return;
        for (uint32_t i = 0; i < reasons->n; i++)
                if (reasons->all[i].text == text || strcmp(reasons->all[i].text, text) == 0) {
                        reasons->all[i].n += n;
                        return;
                }
        if (reasons->n == SCHED_REASONS_MAX)
                return;
        reasons->all[reasons->n].text = text;
        reasons->all[reasons->n++].n = n;
}

enum sched_verdict sched_refuse(struct sched_cycle *c, enum sched_verdict verdict, const char *text) {
        sched_reasons_add(&c->reasons, text, 1);
        return verdict;
}

void sched_normalize(struct sched_cycle *c, bool reverse) {
        int64_t most = 0;

        for (uint32_t i = 0; i < c->n_fitting; i++)
                most = c->scores[i] > most ? c->scores[i] : most;
        for (uint32_t i = 0; i < c->n_fitting; i++) {
                int64_t score = most == 0 ? 0 : 100 * c->scores[i] / most;

                c->scores[i] = reverse ? 100 - score : score;
        }
}

bool sched_helps(const struct sched_pod *pod, uint32_t failed, const struct sched_change *change) {
        for (unsigned i = 0; i < sched_plugins_count; i++) {
                const struct sched_plugin *p = sched_plugins[i];

                if (failed & 1U << i && p->events & change->event && (!p->helps || p->helps(pod, change)))
                        return true;
        }
        return false;
}
