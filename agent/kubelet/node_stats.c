#include "agent/kubelet/node_stats.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

#define TEXT_MAX ((size_t)64 << 10) /* bytes of a file of /proc that are looked at */
#define SECOND UINT64_C(1000000000)

/* The text of @path, allocated; NULL when there is none. */
char *kubelet_read_text(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *text = malloc(TEXT_MAX);
        size_t size = 0;
        ssize_t n = 1;

        while (fd >= 0 && text && n > 0 && size < TEXT_MAX - 1)
                if ((n = read(fd, text + size, TEXT_MAX - 1 - size)) > 0)
                        size += (size_t)n;
        if (fd < 0 || !text || n < 0)
                return NULL;
        text[size] = '\0';
        return TAKE_PTR(text);
}

/* What stands behind the line's beginning @key; 0: there is none. */
static uint64_t number_of(const char *text, const char *key) {
        size_t n = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
                if (strncmp(line, key, n) == 0)
                        return strtoull(line + n, NULL, 10);
        return 0;
}

/* user, nice, system, irq, softirq, steal: guests' time is part of the first two. */
static uint64_t parse_cpu(const char *stat, long ticks) {
        uint64_t user, nice, system, idle, iowait, irq, softirq, steal;

        if (ticks <= 0 ||
            sscanf(stat,
                   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
                return 0;
        return (user + nice + system + irq + softirq + steal) * (SECOND / (uint64_t)ticks);
}

static void parse_memory(const char *meminfo, struct kubelet_node_stats *s) {
        uint64_t free_bytes = number_of(meminfo, "MemFree:") * 1024, can_go;

        s->memory_total = number_of(meminfo, "MemTotal:") * 1024;
        s->memory_usage = s->memory_total - free_bytes;
        can_go = number_of(meminfo, "Inactive(file):") * 1024;
        s->memory_working_set = s->memory_usage > can_go ? s->memory_usage - can_go : 0;
        s->memory_available = s->memory_total - s->memory_working_set;
        s->memory_rss = number_of(meminfo, "AnonPages:") * 1024;
        s->swap_total = number_of(meminfo, "SwapTotal:") * 1024;
        s->swap_usage = s->swap_total - number_of(meminfo, "SwapFree:") * 1024;
}

/* "  eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs ..." */
static bool parse_device(const char *line, struct kubelet_device *ret) {
        uint64_t n[11];
        const char *colon = strchr(line, ':');
        size_t length;

        line += strspn(line, " ");
        if (!colon || colon < line || (length = (size_t)(colon - line)) >= sizeof(ret->name))
                return false;
        if (sscanf(colon + 1,
                   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &n[10]) != 11)
                return false;
        memcpy(ret->name, line, length);
        ret->name[length] = '\0';
        ret->rx_bytes = n[0];
        ret->rx_errors = n[2];
        ret->tx_bytes = n[8];
        ret->tx_errors = n[10];
        return true;
}

/* Pods' ends of veth pairs are theirs to tell, and the loopback is nobody's network: as cAdvisor has it. Ours are "nv"
 * and more behind it (cni/bridge.h). */
static bool is_counted(const char *name) {
        return strcmp(name, "lo") != 0 && strncmp(name, "veth", 4) != 0 && strncmp(name, "docker", 6) != 0 &&
               (strncmp(name, "nv", 2) != 0 || strlen(name) != NODE_VETH_LENGTH);
}

static void parse_devices(const char *dev, struct kubelet_node_stats *s) {
        for (const char *line = dev; line && s->n_devices < NODE_DEVICES_MAX;
             line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
                char text[256];

                snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
                if (parse_device(text, &s->devices[s->n_devices]) && is_counted(s->devices[s->n_devices].name))
                        s->n_devices++;
        }
}

/* The one by which the default route leaves, in /proc/net/route. */
static int find_main(const char *routes, const struct kubelet_node_stats *s) {
        for (const char *line = routes; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
                char name[NODE_DEVICE_NAME_MAX];
                unsigned destination;

                if (sscanf(line, "%31s %x", name, &destination) != 2 || destination != 0)
                        continue;
                for (unsigned i = 0; i < s->n_devices; i++)
                        if (strcmp(s->devices[i].name, name) == 0)
                                return (int)i;
        }
        return -1;
}

static void read_rest(struct kubelet_node_stats *s) {
        _cleanup_free_ char *vmstat = kubelet_read_text("/proc/vmstat"), *dev = kubelet_read_text("/proc/net/dev"),
                            *routes = kubelet_read_text("/proc/net/route"),
                            *pid_max = kubelet_read_text("/proc/sys/kernel/pid_max");
        struct sysinfo info;

        if (vmstat) {
                s->page_faults = number_of(vmstat, "pgfault ");
                s->major_page_faults = number_of(vmstat, "pgmajfault ");
        }
        if (dev)
                parse_devices(dev, s);
        s->main_device = routes ? find_main(routes, s) : -1;
        s->pids_max = pid_max ? strtoll(pid_max, NULL, 10) : 0;
        if (sysinfo(&info) == 0)
                s->pids = info.procs;
}

void kubelet_node_stats_read(struct kubelet_node_stats *s) {
        _cleanup_free_ char *stat = kubelet_read_text("/proc/stat"), *meminfo = kubelet_read_text("/proc/meminfo");

        *s = (struct kubelet_node_stats){ .main_device = -1 };
        s->time_ns = clock_ns(CLOCK_REALTIME);
        if (stat) {
                s->cpu_ns = parse_cpu(stat, sysconf(_SC_CLK_TCK));
                s->start_ns = (int64_t)(number_of(stat, "btime ") * SECOND);
        }
        if (meminfo)
                parse_memory(meminfo, s);
        read_rest(s);
}

/* The first line of @path. */
static void read_line(const char *path, char *ret_line, size_t size) {
        _cleanup_free_ char *text = kubelet_read_text(path);

        snprintf(ret_line, size, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ?: "");
}

void kubelet_machine_read(struct kubelet_machine *m) {
        read_line("/etc/machine-id", m->machine_id, sizeof(m->machine_id));
        read_line("/sys/class/dmi/id/product_uuid", m->system_uuid, sizeof(m->system_uuid));
        if (!m->system_uuid[0])
                read_line("/etc/machine-id", m->system_uuid, sizeof(m->system_uuid));
        read_line("/proc/sys/kernel/random/boot_id", m->boot_id, sizeof(m->boot_id));
}

bool kubelet_fs_read(const char *path, struct kubelet_fs *ret) {
        struct statvfs st;

        if (statvfs(path, &st) < 0)
                return false;
        *ret = (struct kubelet_fs){
                .available = st.f_bavail * st.f_frsize,
                .capacity = st.f_blocks * st.f_frsize,
                .used = (st.f_blocks - st.f_bfree) * st.f_frsize,
                .inodes_free = st.f_ffree,
                .inodes = st.f_files,
                .inodes_used = st.f_files - st.f_ffree,
        };
        return true;
}
