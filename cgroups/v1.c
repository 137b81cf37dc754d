#include "cgroups/v1.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define USER_HZ 100
#define NS_PER_SECOND UINT64_C(1000000000)

static int set_number(struct cg_change *c, const struct hierarchy *h, const char *file, int64_t value,
                      struct err **err) {
        char text[32];

        snprintf(text, sizeof(text), "%" PRId64, value); /* v1 has -1 for "no limit" as well */
        return value ? cg_change_set(c, h, file, text, err) : 0;
}

/* The inverse of v1's linear scale, for those who give a v2 weight. */
static uint64_t shares_of_weight(uint64_t weight) {
        return 2 + (weight - 1) * 262142 / 9999;
}

static int set_quota(struct cg_change *c, const struct hierarchy *h, int64_t quota, struct err **err) {
        return set_number(c, h, "cpu.cfs_quota_us", quota, err);
}

/* Neither period nor quota alone may ask for more than the cgroup above has, or for less than one below: the one that
 * goes first is found by asking; should it be neither, there is no quota for a moment. */
static int set_bandwidth(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l,
                         struct err **err) {
        char period[32];
        int r;

        if (l->cpu_period_us == 0)
                return set_quota(c, h, l->cpu_quota_us, err);
        snprintf(period, sizeof(period), "%" PRIu64, l->cpu_period_us);
        if (l->cpu_quota_us == 0)
                return cg_change_set(c, h, "cpu.cfs_period_us", period, err);
        r = cg_change_write(c, h, "cpu.cfs_period_us", period);
        if (r != -EINVAL)
                return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to cpu.cfs_period_us", c->rel, period) :
                               set_quota(c, h, l->cpu_quota_us, err);
        if (set_quota(c, h, l->cpu_quota_us, NULL) == 0)
                return cg_change_set(c, h, "cpu.cfs_period_us", period, err);
        if ((r = set_quota(c, h, CGROUP_UNLIMITED, err)) < 0 ||
            (r = cg_change_set(c, h, "cpu.cfs_period_us", period, err)) < 0)
                return r;
        return set_quota(c, h, l->cpu_quota_us, err);
}

int cg_v1_set_cpu(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        uint64_t shares = l->cpu_shares ?: l->cpu_weight ? shares_of_weight(l->cpu_weight) : 0;
        int r = set_number(c, h, "cpu.shares", (int64_t)shares, err);

        if (r < 0 || ((l->cpu_period_us || l->cpu_quota_us) && (r = set_bandwidth(c, h, l, err)) < 0) ||
            (r = set_number(c, h, "cpu.cfs_burst_us", (int64_t)l->cpu_burst_us, err)) < 0)
                return r;
        return l->cpu_idle ? cg_change_set(c, h, "cpu.idle", "1", err) : 0;
}

static int write_swap(struct cg_change *c, const struct hierarchy *h, int64_t swap, struct err **err) {
        char text[32];
        int r;

        snprintf(text, sizeof(text), "%" PRId64, swap);
        r = swap ? cg_change_write(c, h, "memory.memsw.limit_in_bytes", text) : 0;
        if (r == -ENOENT) /* a kernel that does not account swap */
                return 0;
        return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to memory.memsw.limit_in_bytes", c->rel, text) : 0;
}

/* The limit of memory may not pass that of memory and swap at any moment: growing, the latter goes first. */
static int set_max(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        int64_t swap = l->memory_swap ?: l->memory_max == CGROUP_UNLIMITED ? CGROUP_UNLIMITED : 0, memory;
        char text[32];
        int r = 0;

        if (swap > 0)
                r = cg_swap_base(c, h, "memory.limit_in_bytes", l, &memory, err);
        if (r < 0 || l->memory_max == 0)
                return r < 0 ? r : write_swap(c, h, swap, err);
        snprintf(text, sizeof(text), "%" PRId64, l->memory_max);
        r = cg_change_write(c, h, "memory.limit_in_bytes", text);
        if (r == 0)
                return write_swap(c, h, swap, err);
        if (r == -EINVAL && swap == 0)
                return err_set(err, EINVAL,
                               "cgroup %s: limit of memory %s is above that of memory and swap, which has to be given "
                               "with it",
                               c->rel, text);
        if (r == -EBUSY)
                return err_set(err, EBUSY, "cgroup %s: limit of memory %s is below what is in use and cannot be freed",
                               c->rel, text);
        if (r != -EINVAL)
                return err_errno(err, -r, "cgroup %s: write \"%s\" to memory.limit_in_bytes", c->rel, text);
        r = write_swap(c, h, swap, err);
        return r < 0 ? r : cg_change_set(c, h, "memory.limit_in_bytes", text, err);
}

int cg_v1_set_memory(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        int r = set_max(c, h, l, err);

        if (r < 0 || (r = set_number(c, h, "memory.soft_limit_in_bytes", l->memory_low, err)) < 0 ||
            (l->oom_kill_disable && (r = cg_change_set(c, h, "memory.oom_control", "1", err)) < 0))
                return r;
        return l->memory_swappiness ? set_number(c, h, "memory.swappiness", l->memory_swappiness - 1, err) : 0;
}

static int set_io_weight(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l,
                         struct err **err) {
        char text[16];
        int r;

        if (l->io_weight < 10 || l->io_weight > 1000)
                return err_set(err, EINVAL, "cgroup %s: block io weight %u is not from 10 to 1000", c->rel,
                               l->io_weight);
        snprintf(text, sizeof(text), "%u", l->io_weight);
        r = cg_change_write(c, h, "blkio.bfq.weight", text);
        if (r == -ENOENT)
                r = cg_change_write(c, h, "blkio.weight", text);
        /* Neither is there unless an IO scheduler with weights is in the kernel: as good as no controller. */
        return r < 0 && r != -ENOENT ? err_errno(err, -r, "cgroup %s: write \"%s\" as block io weight", c->rel, text) :
                                       0;
}

int cg_v1_set_io(struct cg_change *c, const struct hierarchy *h, const struct cgroup_limits *l, struct err **err) {
        int r = l->io_weight ? set_io_weight(c, h, l, err) : 0;

        for (size_t i = 0; i < l->n_io && r == 0; i++) {
                const struct cgroup_io *io = &l->io[i];
                const struct {
                        const char *file;
                        uint64_t value;
                } limits[] = {
                        { "blkio.throttle.read_bps_device", io->rbps },
                        { "blkio.throttle.write_bps_device", io->wbps },
                        { "blkio.throttle.read_iops_device", io->riops },
                        { "blkio.throttle.write_iops_device", io->wiops },
                };

                for (size_t j = 0; j < ELEMENTS(limits) && r == 0; j++) {
                        char text[64];

                        snprintf(text, sizeof(text), "%u:%u %" PRIu64, io->major, io->minor, limits[j].value);
                        if (limits[j].value)
                                r = cg_change_set(c, h, limits[j].file, text, err);
                }
        }
        return r;
}

static void format_number(int64_t number, char ret_text[24]) {
        if (number < 0)
                strcpy(ret_text, "*");
        else
                snprintf(ret_text, 24, "%" PRId64, number);
}

static bool within(int64_t number, int64_t range) {
        return range < 0 || number == range;
}

static bool overlap(int64_t a, int64_t b) {
        return a < 0 || b < 0 || a == b;
}

/* Takes @deny away from @allow. False when what is left cannot be said: "1:* without 1:3". */
static bool subtract(struct cgroup_device *allow, const struct cgroup_device *deny) {
        bool common = (allow->read && deny->read) || (allow->write && deny->write) || (allow->mknod && deny->mknod);

        if ((deny->type != 'a' && deny->type != allow->type) || !common || !overlap(allow->major, deny->major) ||
            !overlap(allow->minor, deny->minor))
                return true;
        if (!within(allow->major, deny->major) || !within(allow->minor, deny->minor))
                return false;
        allow->read &= !deny->read;
        allow->write &= !deny->write;
        allow->mknod &= !deny->mknod;
        return true;
}

/* What @rules allow in the end, each of one type. Returns the number, or a negative errno. */
static ssize_t effective(const struct cgroup_device *rules, size_t n_rules, struct cgroup_device *ret_allowed,
                         struct err **err) {
        size_t n = 0;

        for (size_t i = 0; i < n_rules; i++) {
                if (!rules[i].allow) {
                        for (size_t j = 0; j < n; j++)
                                if (!subtract(&ret_allowed[j], &rules[i]))
                                        return err_set(err, EOPNOTSUPP,
                                                       "device filter: rule %zu denies a part of what an earlier one "
                                                       "allows, which cgroup v1 cannot express",
                                                       i + 1);
                        continue;
                }
                for (const char *type = "bc"; *type; type++)
                        if (rules[i].type == 'a' || rules[i].type == *type) {
                                ret_allowed[n] = rules[i];
                                ret_allowed[n++].type = *type;
                        }
        }
        return (ssize_t)n;
}

/* v1 keeps a default, here "deny all", and exceptions from it. */
int cg_v1_set_devices(const struct hierarchy *h, const char *rel, const struct cgroup_device *rules, size_t n_rules,
                      struct err **err) {
        _cleanup_free_ struct cgroup_device *allowed = calloc(2 * n_rules + 1, sizeof(*allowed));
        ssize_t n = allowed ? effective(rules, n_rules, allowed, err) : err_errno(err, ENOMEM, "cgroup %s", rel);
        int r = n < 0 ? (int)n : cg_set(h, rel, "devices.deny", "a", err);

        for (ssize_t i = 0; i < n && r == 0; i++) {
                const struct cgroup_device *d = &allowed[i];
                char text[64], major[24], minor[24];

                if (!d->read && !d->write && !d->mknod)
                        continue;
                format_number(d->major, major);
                format_number(d->minor, minor);
                snprintf(text, sizeof(text), "%c %s:%s %s%s%s", d->type, major, minor, d->read ? "r" : "",
                         d->write ? "w" : "", d->mknod ? "m" : "");
                r = cg_set(h, rel, "devices.allow", text, err);
        }
        return r;
}

void cg_v1_get_cpu(const struct hierarchy *cpu, const struct hierarchy *cpuacct, const char *rel,
                   struct cgroup_stats *s) {
        char text[CG_FILE_MAX];

        if (cpuacct && s->cpu_ns == CGROUP_UNKNOWN) {
                cg_read_u64(cpuacct, rel, "cpuacct.usage", &s->cpu_ns);
                if (cg_read(cpuacct, rel, "cpuacct.stat", text, sizeof(text)) == 0) {
                        s->cpu_user_ns = cg_field(text, "user") * (NS_PER_SECOND / USER_HZ);
                        s->cpu_system_ns = cg_field(text, "system") * (NS_PER_SECOND / USER_HZ);
                }
        }
        if (cpu && cg_read(cpu, rel, "cpu.stat", text, sizeof(text)) == 0) {
                s->cpu_periods = cg_field(text, "nr_periods");
                s->cpu_throttled_periods = cg_field(text, "nr_throttled");
                s->cpu_throttled_ns = cg_field(text, "throttled_time");
        }
}

/* With one limit for memory and for both, the counter of both is the one that hits. */
static uint64_t failcnt(const struct hierarchy *h, const char *rel) {
        uint64_t memory, both;

        cg_read_u64(h, rel, "memory.failcnt", &memory);
        cg_read_u64(h, rel, "memory.memsw.failcnt", &both);
        return both != CGROUP_UNKNOWN && (memory == CGROUP_UNKNOWN || both > memory) ? both : memory;
}

void cg_v1_get_memory(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        char text[CG_FILE_MAX];
        uint64_t with_swap, with_swap_limit;

        cg_read_u64(h, rel, "memory.usage_in_bytes", &s->memory_usage);
        cg_read_u64(h, rel, "memory.limit_in_bytes", &s->memory_limit);
        cg_read_u64(h, rel, "memory.max_usage_in_bytes", &s->memory_peak);
        s->memory_failcnt = failcnt(h, rel);
        if (cg_read_u64(h, rel, "memory.memsw.usage_in_bytes", &with_swap) == 0) {
                cg_read_u64(h, rel, "memory.memsw.limit_in_bytes", &with_swap_limit);
                s->swap_usage = cg_minus(with_swap, s->memory_usage);
                s->swap_limit = cg_minus(with_swap_limit, s->memory_limit);
        }
        if (cg_read(h, rel, "memory.stat", text, sizeof(text)) < 0)
                return;
        s->memory_working_set = cg_minus(s->memory_usage, cg_field(text, "total_inactive_file"));
        s->memory_rss = cg_field(text, "total_rss");
        s->memory_cache = cg_field(text, "total_cache");
        s->memory_mapped_file = cg_field(text, "total_mapped_file");
        s->page_faults = cg_field(text, "total_pgfault");
        s->major_page_faults = cg_field(text, "total_pgmajfault");
        cg_read_u64(h, rel, "memory.kmem.usage_in_bytes", &s->memory_kernel);
}

/* Lines "MAJOR:MINOR Read NUMBER". */
static void add_io(struct cgroup_stats *s, char *text, bool bytes) {
        for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                struct cgroup_io_stats *io = NULL;
                unsigned major, minor;
                uint64_t number;
                char what[16];

                if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, what, &number) != 4)
                        continue;
                for (uint32_t i = 0; i < s->n_io && !io; i++)
                        if (s->io[i].major == major && s->io[i].minor == minor)
                                io = &s->io[i];
                if (!io && s->n_io < CGROUP_IO_STATS_MAX) {
                        io = &s->io[s->n_io++];
                        *io = (struct cgroup_io_stats){ .major = major, .minor = minor };
                }
                if (io && strcmp(what, "Read") == 0)
                        *(bytes ? &io->read_bytes : &io->reads) += number;
                else if (io && strcmp(what, "Write") == 0)
                        *(bytes ? &io->written_bytes : &io->writes) += number;
        }
}

void cg_v1_get_io(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        char text[CG_FILE_MAX];

        if (cg_read(h, rel, "blkio.throttle.io_service_bytes_recursive", text, sizeof(text)) == 0)
                add_io(s, text, true);
        if (cg_read(h, rel, "blkio.throttle.io_serviced_recursive", text, sizeof(text)) == 0)
                add_io(s, text, false);
}

int cg_v1_get_oom(const struct hierarchy *h, const char *rel, struct cgroup_oom_state *ret_state) {
        struct cgroup_oom_state state;
        char text[256];
        int r = cg_read(h, rel, "memory.oom_control", text, sizeof(text));

        if (r < 0)
                return r;
        state.kills = cg_field(text, "oom_kill");
        if (state.kills == CGROUP_UNKNOWN) /* before Linux 4.13 */
                state.kills = 0;
        cg_read_u64(h, rel, "memory.usage_in_bytes", &state.usage);
        cg_read_u64(h, rel, "memory.max_usage_in_bytes", &state.peak);
        cg_read_u64(h, rel, "memory.limit_in_bytes", &state.limit);
        state.failcnt = failcnt(h, rel);
        *ret_state = state;
        return 0;
}
