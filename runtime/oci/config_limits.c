#include <errno.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"

/* Any number below nothing is "no limit" where runc has it so. */
static int64_t or_unlimited(const struct member_number *number) {
        return number->i < 0 ? CGROUP_UNLIMITED : number->i;
}

static int read_hugetlb(struct oci *oci, const struct member_list *list, struct cgroup_limits *limits,
                        struct err **err) {
        struct cgroup_hugetlb *all = arena_alloc_array(oci->arena, list->n + 1, sizeof(*all));

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_document_hugetlb *from = MEMBER_AT(*list, struct oci_document_hugetlb, i);

                all[i] = (struct cgroup_hugetlb){ from->page_size ?: "", from->limit.u };
        }
        limits->hugetlb = all;
        limits->n_hugetlb = list->n;
        return 0;
}

static int read_unified(struct oci *oci, const struct member_list *map, struct cgroup_limits *limits,
                        struct err **err) {
        struct cgroup_unified *all = arena_alloc_array(oci->arena, map->n + 1, sizeof(*all));

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < map->n; i++) {
                const struct member_pair *pair = MEMBER_AT(*map, struct member_pair, i);

                all[i] = (struct cgroup_unified){ pair->key, pair->value };
        }
        limits->unified = all;
        limits->n_unified = map->n;
        return 0;
}

static struct cgroup_io *find_device(struct cgroup_io *all, size_t *n, const struct oci_document_io_device *device) {
        for (size_t i = 0; i < *n; i++)
                if (all[i].major == device->major.u && all[i].minor == device->minor.u)
                        return &all[i];
        if (*n == CGROUP_IO_DEVICES_MAX)
                return NULL;
        all[*n] = (struct cgroup_io){ .major = (uint32_t)device->major.u, .minor = (uint32_t)device->minor.u };
        return &all[(*n)++];
}

enum io_list { IO_READ_BPS, IO_WRITE_BPS, IO_READ_IOPS, IO_WRITE_IOPS, IO_WEIGHT };

static void set_io(struct cgroup_io *io, enum io_list list, const struct oci_document_io_device *from) {
        switch (list) {
        case IO_READ_BPS:
                io->rbps = from->rate.u;
                break;
        case IO_WRITE_BPS:
                io->wbps = from->rate.u;
                break;
        case IO_READ_IOPS:
                io->riops = from->rate.u;
                break;
        case IO_WRITE_IOPS:
                io->wiops = from->rate.u;
                break;
        case IO_WEIGHT:
                io->weight = (uint16_t)from->weight.u;
        }
}

static int read_io(struct oci *oci, const struct oci_document_io *from, struct cgroup_limits *limits,
                   struct err **err) {
        const struct member_list *lists[] = { [IO_READ_BPS] = &from->read_bps,
                                              [IO_WRITE_BPS] = &from->write_bps,
                                              [IO_READ_IOPS] = &from->read_iops,
                                              [IO_WRITE_IOPS] = &from->write_iops,
                                              [IO_WEIGHT] = &from->weights };
        struct cgroup_io *all = arena_alloc_array(oci->arena, CGROUP_IO_DEVICES_MAX, sizeof(*all));
        size_t n = 0;

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t k = 0; k < ELEMENTS(lists); k++)
                for (size_t i = 0; i < lists[k]->n; i++) {
                        const struct oci_document_io_device *device =
                                MEMBER_AT(*lists[k], struct oci_document_io_device, i);
                        struct cgroup_io *io = find_device(all, &n, device);

                        if (!io)
                                return err_set(err, EINVAL, "linux.resources.blockIO: more than %d devices",
                                               CGROUP_IO_DEVICES_MAX);
                        set_io(io, (enum io_list)k, device);
                }
        limits->io_weight = (uint16_t)from->weight.u;
        limits->io = all;
        limits->n_io = n;
        return 0;
}

int oci_config_limits(struct oci *oci, const struct oci_document_resources *from, struct cgroup_limits *limits,
                      struct err **err) {
        const struct oci_document_memory *memory = &from->memory;
        const struct oci_document_cpu *cpu = &from->cpu;
        int r;

        *limits = (struct cgroup_limits){
                .cpu_shares = cpu->shares.u,
                .cpu_quota_us = or_unlimited(&cpu->quota),
                .cpu_period_us = cpu->period.u,
                .cpu_burst_us = cpu->burst.u,
                .cpu_idle = cpu->idle.u == 1,
                .cpuset_cpus = cpu->cpus,
                .cpuset_mems = cpu->mems,
                .memory_max = memory->limit.i,
                .memory_low = memory->reservation.i,
                .memory_swap = memory->swap.i,
                .oom_kill_disable = memory->disable_oom_killer,
                .memory_swappiness = memory->swappiness.set ? (uint16_t)(memory->swappiness.u + 1) : 0,
                .pids_max = or_unlimited(&from->pids.limit),
        };
        if ((r = read_hugetlb(oci, &from->hugetlb, limits, err)) < 0 ||
            (r = read_unified(oci, &from->unified, limits, err)) < 0)
                return r;
        return read_io(oci, &from->io, limits, err);
}
