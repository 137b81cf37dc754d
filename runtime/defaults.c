#include "runtime/defaults.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

const char *const defaults_masked_paths[] = {
        "/proc/asound",
        "/proc/acpi",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
        NULL,
};

const char *const defaults_readonly_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

const struct mount_spec defaults_mounts[] = {
        { .type = "proc", .source = "proc", .destination = "/proc", .attributes = QUIET, .source_fd = -EBADF },
        { .type = "tmpfs",
          .source = "tmpfs",
          .destination = "/dev",
          .options = "mode=755,size=65536k",
          .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
          .source_fd = -EBADF },
        { .type = "devpts",
          .source = "devpts",
          .destination = "/dev/pts",
          .options = "newinstance,ptmxmode=0666,mode=0620,gid=5",
          .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
          .source_fd = -EBADF },
        { .type = "shm", .destination = "/dev/shm", .attributes = QUIET, .source_fd = -EBADF },
        { .type = "mqueue",
          .source = "mqueue",
          .destination = "/dev/mqueue",
          .attributes = QUIET,
          .source_fd = -EBADF },
        { .type = "sysfs",
          .source = "sysfs",
          .destination = "/sys",
          .attributes = QUIET | MOUNT_ATTR_RDONLY,
          .source_fd = -EBADF },
        { .type = "cgroup",
          .source = "cgroup",
          .destination = "/sys/fs/cgroup",
          .attributes = QUIET | MOUNT_ATTR_RDONLY,
          .source_fd = -EBADF },
};
const size_t defaults_mounts_n = ELEMENTS(defaults_mounts);
