/* A kubeconfig, and what servers answer: lists, watches, Statuses come by the readers that have targets of their own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/remote.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char directory[] = "/tmp/nacelle-fuzz-XXXXXX", path[64];
        _cleanup_arena_ struct arena *arena = arena_new();
        struct client_remote_config config;

        if (!*path) {
                if (!mkdtemp(directory))
                        abort();
                strcpy(stpcpy(path, directory), "/k");
        }
        if (!arena || files_replace(path, data, size, 0600, NULL) < 0)
                abort();
        if (client_kubeconfig(arena, path, &config, NULL) == 0 && !*config.server)
                return 0;
        return 0;
}
