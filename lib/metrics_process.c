#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/metrics.h"

#define PROC_MAX 4096

static unsigned count_open_files(void) {
        _cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (dir && readdir(dir))
                n++;
        return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

/* When the process began, in seconds since 1970; @ticks after the boot. */
static double start_time(unsigned long long ticks, long per_second) {
        struct timespec wall, boot;

        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_BOOTTIME, &boot);
        return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) * 1e-9 +
               (double)ticks / (double)per_second;
}

void metrics_process(struct metrics_writer *w) {
        unsigned long user = 0, kernel = 0, size = 0;
        unsigned long long begun = 0;
        _cleanup_free_ char *text = NULL;
        struct rlimit limit = { 0 };
        long pages = 0, threads = 0, hz = sysconf(_SC_CLK_TCK);
        char *p;

        if (files_read("/proc/self/stat", PROC_MAX, &text, NULL, NULL) < 0 || !(p = strrchr(text, ')')) ||
            sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %llu %lu %ld",
                   &user, &kernel, &threads, &begun, &size, &pages) != 6)
                return;
        getrlimit(RLIMIT_NOFILE, &limit);
        metrics_one(w, "process_cpu_seconds_total", METRICS_COUNTER, "CPU time of the process.",
                    (double)(user + kernel) / (double)hz);
        metrics_one(w, "process_max_fds", METRICS_GAUGE, "Descriptors that the process may open.",
                    (double)limit.rlim_cur);
        metrics_one(w, "process_open_fds", METRICS_GAUGE, "Open descriptors of the process.", count_open_files());
        metrics_one(w, "process_resident_memory_bytes", METRICS_GAUGE, "Resident memory of the process.",
                    (double)pages * (double)sysconf(_SC_PAGESIZE));
        metrics_one(w, "process_start_time_seconds", METRICS_GAUGE, "When the process started, since 1970.",
                    start_time(begun, hz));
        metrics_one(w, "process_threads", METRICS_GAUGE, "Threads of the process.", (double)threads);
        metrics_one(w, "process_virtual_memory_bytes", METRICS_GAUGE, "Address space of the process.", (double)size);
}
