/* A kubeconfig. What servers answer goes to the readers of lists, watches and JSON, which have targets of their own. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/remote.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int fd = -1;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct client_remote_config config;
        char path[32];

        if (fd < 0)
                fd = memfd_create("kubeconfig", MFD_CLOEXEC);
        if (!arena || fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
                abort();
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (client_kubeconfig(arena, path, &config, NULL) == 0 && !config.server)
                abort();
        return 0;
}
