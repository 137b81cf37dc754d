#include "cgroups/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/change.h"
#include "cgroups/stats.h"
#include "cgroups/v1.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* A number as v2 writes it: "max" for CGROUP_UNLIMITED. */
static const char *number(int64_t value, char ret_text[32]) {
        if (value == CGROUP_UNLIMITED)
                return "max";
        snprintf(ret_text, 32, "%" PRId64, value);
        return ret_text;
}

static int set_number(struct cg_change *c, const struct hierarchy *h, const char *file, int64_t value,
                      struct err **err) {
        char text[32];

        return value ? cg_change_set(c, h, file, number(value, text), err) : 0;
}

/* Of quota and period, what is not given stays as it is. */
static int set_bandwidth(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l,
                         struct err **err) {
        char text[96], buffer[32] = "max";
        const char *quota = buffer;

        if (l->cpu_quota_us)
                quota = number(l->cpu_quota_us, buffer);
        else if (cg_read(h, c->rel, "cpu.max", buffer, sizeof(buffer)) == 0)
                buffer[strcspn(buffer, " \n")] = '\0';
        if (l->cpu_period_us)
                snprintf(text, sizeof(text), "%s %" PRIu64, quota, l->cpu_period_us);
        return cg_change_set(c, h, "cpu.max", l->cpu_period_us ? text : quota, err);
}

static int set_cpu(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        uint64_t weight = l->cpu_weight ?: cgroup_weight_of_shares(l->cpu_shares);
        int r = 0;

        if (!h->mount.v2)
                return cg_v1_set_cpu(c, h, l, err);
        if (weight)
                r = set_number(c, h, "cpu.weight", (int64_t)weight, err);
        if (r < 0 || ((l->cpu_quota_us || l->cpu_period_us) && (r = set_bandwidth(c, h, l, err)) < 0) ||
            (l->cpu_burst_us && (r = set_number(c, h, "cpu.max.burst", (int64_t)l->cpu_burst_us, err)) < 0))
                return r;
        return l->cpu_idle ? cg_change_set(c, h, "cpu.idle", "1", err) : 0;
}

static int set_cpuset(const struct cgroups *cgroups, struct cg_change *c, const struct hierarchy *h,
                      const struct cgroup_limits *l, struct err **err) {
        int r = h->mount.v2 ? 0 : cg_make_late(cgroups, h, c->rel, err);

        if (r < 0 ||
            (l->cpuset_cpus && *l->cpuset_cpus && (r = cg_change_set(c, h, "cpuset.cpus", l->cpuset_cpus, err)) < 0))
                return r;
        return l->cpuset_mems && *l->cpuset_mems ? cg_change_set(c, h, "cpuset.mems", l->cpuset_mems, err) : 0;
}

int cg_swap_base(const struct cg_change *c, const struct hierarchy *h, const char *file, const struct cgroup_limits *l,
                 int64_t *ret_memory, struct err **err) {
        int64_t memory = l->memory_max;
        uint64_t now;

        /* A change of the one goes by what there is of the other. */
        if (memory == 0 && cg_read_u64(h, c->rel, file, &now) == 0 && now != CGROUP_UNKNOWN)
                memory = (int64_t)now;
        if (memory <= 0)
                return err_set(err, EINVAL, "cgroup %s: a limit of memory and swap needs one of memory", c->rel);
        if (l->memory_swap < memory)
                return err_set(err, EINVAL,
                               "cgroup %s: limit of memory and swap %" PRId64 " is below that of memory %" PRId64,
                               c->rel, l->memory_swap, memory);
        *ret_memory = memory;
        return 0;
}

/* OCI counts memory and swap together, v2 swap alone. */
static int set_swap(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        int64_t swap = l->memory_swap, memory;
        char text[32];
        int r;

        if (swap == 0 && l->memory_max == CGROUP_UNLIMITED)
                swap = CGROUP_UNLIMITED;
        if (swap == 0)
                return 0;
        if (swap != CGROUP_UNLIMITED) {
                r = cg_swap_base(c, h, "memory.max", l, &memory, err);
                if (r < 0)
                        return r;
                swap -= memory;
        }
        r = cg_change_write(c, h, "memory.swap.max", number(swap, text));
        if (r == -ENOENT) /* a kernel that does not account swap */
                return 0;
        return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to memory.swap.max", c->rel, number(swap, text)) : 0;
}

static int set_memory(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        int r;

        if (!h->mount.v2)
                return cg_v1_set_memory(c, h, l, err);
        if ((r = set_swap(c, h, l, err)) < 0 || (r = set_number(c, h, "memory.max", l->memory_max, err)) < 0 ||
            (r = set_number(c, h, "memory.high", l->memory_high, err)) < 0 ||
            (r = set_number(c, h, "memory.low", l->memory_low, err)) < 0 ||
            (r = set_number(c, h, "memory.min", l->memory_min, err)) < 0)
                return r;
        return l->oom_group ? cg_change_set(c, h, "memory.oom.group", "1", err) : 0;
}

static int set_pids(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        return set_number(c, h, "pids.max", l->pids_max, err);
}

/* blkio's 10 to 1000 on io.weight's 1 to 10000, as the OCI runtimes stretch it. */
static uint64_t io_weight(uint16_t weight) {
        return 1 + ((uint64_t)weight - 10) * 9999 / 990;
}

static int set_io_weight(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l,
                         struct err **err) {
        char text[64];
        int r;

        if (l->io_weight < 10 || l->io_weight > 1000)
                return err_set(err, EINVAL, "cgroup %s: block io weight %u is not from 10 to 1000", c->rel,
                               l->io_weight);
        snprintf(text, sizeof(text), "%u", l->io_weight);
        r = cg_change_write(c, h, "io.bfq.weight", text); /* BFQ has the old scale */
        if (r != -ENOENT)
                return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to io.bfq.weight", c->rel, text) : 0;
        snprintf(text, sizeof(text), "default %" PRIu64, io_weight(l->io_weight));
        return cg_change_set(c, h, "io.weight", text, err);
}

static int set_io_device(struct cg_change *c, const struct hierarchy *h, const struct cgroup_io *io, struct err **err) {
        const struct {
                const char *key;
                uint64_t value;
        } limits[] = { { "rbps", io->rbps }, { "wbps", io->wbps }, { "riops", io->riops }, { "wiops", io->wiops } };
        char text[160];
        int r = 0;

        if (io->weight) {
                snprintf(text, sizeof(text), "%u:%u %" PRIu64, io->major, io->minor, io_weight(io->weight));
                r = cg_change_set(c, h, "io.weight", text, err);
        }
        for (size_t i = 0; i < ELEMENTS(limits) && r == 0; i++) {
                if (!limits[i].value)
                        continue;
                snprintf(text, sizeof(text), "%u:%u %s=%" PRIu64, io->major, io->minor, limits[i].key, limits[i].value);
                r = cg_change_set(c, h, "io.max", text, err);
        }
        return r;
}

static int set_io(const struct cgroups *cgroups, struct cg_change *c, const struct hierarchy *h,
                  const struct cgroup_limits *l, struct err **err) {
        int r = 0;

        if (l->n_io > CGROUP_IO_DEVICES_MAX)
                return err_set(err, E2BIG, "cgroup %s: %zu block devices, at most %d are possible", c->rel, l->n_io,
                               CGROUP_IO_DEVICES_MAX);
        if (!h->mount.v2) {
                r = cg_make_late(cgroups, h, c->rel, err);
                return r == 0 ? cg_v1_set_io(c, h, l, err) : r;
        }
        if (l->io_weight)
                r = set_io_weight(c, h, l, err);
        for (size_t i = 0; i < l->n_io && r == 0; i++)
                r = set_io_device(c, h, &l->io[i], err);
        return r;
}

static int set_hugetlb(const struct cgroups *cgroups, struct cg_change *c, const struct cgroup_limits *l,
                       struct err **err) {
        const struct hierarchy *h = cgroups->by_controller[CGROUP_HUGETLB];
        int r;

        if (!h)
                return err_set(err, EOPNOTSUPP, "cgroup %s: this kernel limits no huge pages (no hugetlb controller)",
                               c->rel);
        r = cg_make(cgroups, h, c->rel, CG_BIT(CGROUP_HUGETLB), err);
        for (size_t i = 0; i < l->n_hugetlb && r == 0; i++) {
                char file[NAME_MAX + 1], value[32];

                if (strchr(l->hugetlb[i].page_size, '/') || strlen(l->hugetlb[i].page_size) > 16)
                        return err_set(err, EINVAL, "cgroup %s: huge page size \"%s\"", c->rel,
                                       l->hugetlb[i].page_size);
                snprintf(value, sizeof(value), "%" PRIu64, l->hugetlb[i].limit);
                snprintf(file, sizeof(file), "hugetlb.%s.%s", l->hugetlb[i].page_size,
                         h->mount.v2 ? "max" : "limit_in_bytes");
                r = cg_change_set(c, h, file, value, err);
                if (r < 0)
                        return r;
                /* Reserved pages count as well, where the kernel can. */
                snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", l->hugetlb[i].page_size,
                         h->mount.v2 ? "max" : "limit_in_bytes");
                cg_change_write(c, h, file, value);
        }
        return r;
}

static bool unified_name_ok(const char *name) {
        return *name && !strchr(name, '/') && strchr(name, '.') && name[0] != '.' && strlen(name) <= NAME_MAX &&
               (strncmp(name, "cgroup.", 7) != 0 || strncmp(name, "cgroup.max.", 11) == 0);
}

static int set_unified(const struct cgroups *cgroups, struct cg_change *c, const struct cgroup_limits *l,
                       struct err **err) {
        if (l->n_unified > CGROUP_UNIFIED_MAX)
                return err_set(err, E2BIG, "cgroup %s: %zu unified entries, at most %d are possible", c->rel,
                               l->n_unified, CGROUP_UNIFIED_MAX);
        for (size_t i = 0; i < l->n_unified; i++) {
                const struct cgroup_unified *u = &l->unified[i];
                _cleanup_free_ char *lines = NULL;

                if (!unified_name_ok(u->name))
                        return err_set(err, EINVAL, "cgroup %s: unified: \"%s\" is not a controller's file", c->rel,
                                       u->name);
                if (cgroups->mode == CGROUP_V1 || !cgroups->v2)
                        return err_set(err, EOPNOTSUPP, "cgroup %s: unified: %s needs cgroup v2", c->rel, u->name);
                lines = strdup(u->value);
                if (!lines)
                        return err_errno(err, ENOMEM, "cgroup %s", c->rel);
                /* A file with a line for each device takes one line a write. */
                for (char *save, *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                        int r = cg_change_write(c, cgroups->v2, u->name, line);

                        if (r == -ENOENT)
                                return err_set(
                                        err, EOPNOTSUPP,
                                        "cgroup %s: unified: %s: no such file; its controller is not on cgroup v2 here",
                                        c->rel, u->name);
                        if (r < 0)
                                return err_errno(err, -r, "cgroup %s: unified: write \"%s\" to %s", c->rel, line,
                                                 u->name);
                }
        }
        return 0;
}

static bool asks(const struct cgroup_limits *l, enum cgroup_controller controller) {
        switch (controller) {
        case CGROUP_CPU:
                return l->cpu_shares || l->cpu_weight || l->cpu_quota_us || l->cpu_period_us || l->cpu_burst_us ||
                       l->cpu_idle;
        case CGROUP_CPUSET:
                return (l->cpuset_cpus && *l->cpuset_cpus) || (l->cpuset_mems && *l->cpuset_mems);
        case CGROUP_MEMORY:
                return l->memory_max || l->memory_low || l->memory_min || l->memory_high || l->memory_swap ||
                       l->oom_group || l->oom_kill_disable || l->memory_swappiness;
        case CGROUP_PIDS:
                return l->pids_max;
        case CGROUP_IO:
                return l->io_weight || l->n_io;
        default:
                return false;
        }
}

static int set_controller(const struct cgroups *cgroups, struct cg_change *c, enum cgroup_controller controller,
                          const struct cgroup_limits *l, struct err **err) {
        const struct hierarchy *h = cgroups->by_controller[controller];

        switch (controller) {
        case CGROUP_CPU:
                return set_cpu(c, h, l, err);
        case CGROUP_CPUSET:
                return set_cpuset(cgroups, c, h, l, err);
        case CGROUP_MEMORY:
                return set_memory(c, h, l, err);
        case CGROUP_PIDS:
                return set_pids(c, h, l, err);
        case CGROUP_IO:
                return set_io(cgroups, c, h, l, err);
        default:
                return 0;
        }
}

static int apply(const struct cgroups *cgroups, struct cg_change *c, const struct cgroup_limits *l, struct err **err) {
        int r = 0;

        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX && r == 0; i++) {
                if (!asks(l, i))
                        continue;
                if (cgroups->by_controller[i])
                        r = set_controller(cgroups, c, i, l, err);
                else
                        cg_warn(cgroups, i, "the kernel does not have it");
        }
        if (r < 0 || (l->n_hugetlb > 0 && (r = set_hugetlb(cgroups, c, l, err)) < 0))
                return r;
        return l->n_unified > 0 ? set_unified(cgroups, c, l, err) : 0;
}

int cgroup_apply(const struct cgroups *cgroups, const char *path, const struct cgroup_limits *l, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        _cleanup_cg_change_ struct cg_change change = { .rel = rel };
        int r = cg_resolve(cgroups, path, rel, err);

        return r < 0 ? r : apply(cgroups, &change, l, err);
}

int cgroup_update(const struct cgroups *cgroups, const char *path, const struct cgroup_limits *l, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        _cleanup_cg_change_ struct cg_change change = { .rel = rel, .keeps = true };
        int r = cg_resolve(cgroups, path, rel, err);

        if (r < 0)
                return r;
        r = apply(cgroups, &change, l, err);
        if (r < 0)
                cg_change_undo(&change);
        return r;
}
