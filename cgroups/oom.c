#include "cgroups/oom.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "cgroups/v1.h"
#include "lib/err.h"

int cgroup_oom_read(const struct cgroups *c, const char *path, struct cgroup_oom_state *ret_state, struct err **err) {
        const struct hierarchy *h = c->by_controller[CGROUP_MEMORY];
        struct cgroup_oom_state state = { .usage = CGROUP_UNKNOWN, .peak = CGROUP_UNKNOWN, .limit = CGROUP_UNKNOWN };
        char rel[CGROUP_PATH_MAX], text[512];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        if (!h) { /* nothing is limited, so nothing is killed for it */
                *ret_state = state;
                return 0;
        }
        if (!h->mount.v2) {
                r = cg_v1_get_oom(h, rel, ret_state);
                return r < 0 ? err_errno(err, -r, "cgroup %s: read memory.oom_control", rel) : 0;
        }
        r = cg_read(h, rel, "memory.events", text, sizeof(text));
        if (r < 0)
                return err_errno(err, -r, "cgroup %s: read memory.events", rel);
        state.kills = cg_field(text, "oom_kill");
        state.failcnt = cg_field(text, "max");
        cg_read_u64(h, rel, "memory.current", &state.usage);
        cg_read_u64(h, rel, "memory.peak", &state.peak);
        cg_read_u64(h, rel, "memory.max", &state.limit);
        *ret_state = state;
        return 0;
}

/* Bytes in the largest unit that keeps them whole, else in MiB with one digit. */
static const char *bytes(uint64_t n, char ret_text[32]) {
        static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti" };
        unsigned unit = 0;

        for (; n >= 1024 && n % 1024 == 0 && unit < 4; unit++)
                n /= 1024;
        if (n >= 100000 && unit < 2) {
                double mib = (double)n / (unit ? 1024 : 1024 * 1024);

                snprintf(ret_text, 32, "%.1fMi", mib);
        } else {
                snprintf(ret_text, 32, "%" PRIu64 "%s", n, units[unit]);
        }
        return ret_text;
}

const char *cgroup_oom_explain(const struct cgroup_oom_state *state, char ret_text[OOM_TEXT_MAX]) {
        uint64_t used = state->peak != CGROUP_UNKNOWN ? state->peak : state->usage;
        /* Some kernels with v1 count kills but not hits. */
        bool counted = state->failcnt > 0 && state->failcnt != CGROUP_UNKNOWN;
        char limit[32], peak[32], hits[64];

        snprintf(hits, sizeof(hits), ", limit hit %" PRIu64 " times", state->failcnt);
        if (state->limit == CGROUP_UNKNOWN)
                snprintf(ret_text, OOM_TEXT_MAX,
                         "no memory limit of its own, peak %s; the pod's or the node's memory was short",
                         used == CGROUP_UNKNOWN ? "unknown" : bytes(used, peak));
        else
                snprintf(ret_text, OOM_TEXT_MAX, "memory limit %s, peak %s%s", bytes(state->limit, limit),
                         used == CGROUP_UNKNOWN ? "unknown" : bytes(used, peak), counted ? hits : "");
        return ret_text;
}
