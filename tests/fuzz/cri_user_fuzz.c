/* An image's passwd and group, whatever is in them: the first byte says where one ends and the other begins. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cri/container/user.h"
#include "lib/arena.h"
#include "lib/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char layer[] = "/tmp/nacelle-user-fuzz-XXXXXX";

static void remove_layer(void) {
        files_remove_tree(layer, NULL);
}

static const char *path_of(const char *name, char path[128]) {
        snprintf(path, 128, "%s/etc/%s", layer, name);
        return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const users[] = { "", "root", "0", "web:web", "1000:50000" };
        Cri__LinuxContainerSecurityContext security = CRI__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
        char *layers[] = { layer }, path[128];
        struct arena *arena;
        struct user user;
        size_t split;

        if (size == 0)
                return 0;
        if (layer[sizeof(layer) - 2] == 'X') {
                if (!mkdtemp(layer))
                        abort();
                atexit(remove_layer);
                snprintf(path, sizeof(path), "%s/etc", layer);
                mkdir(path, 0755);
        }
        split = 1 + (size - 1) * data[0] / 256;
        files_replace(path_of("passwd", path), data + 1, split - 1, 0644, NULL);
        files_replace(path_of("group", path), data + split, size - split, 0644, NULL);
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                arena = arena_new();
                if (arena)
                        user_resolve(arena, &security, &(struct user_image){ users[i], layers, 1 }, &user, NULL);
                arena_free(arena);
        }
        return 0;
}
