/* A file of environment variables that a container wrote. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/env_file.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *text = strndup((const char *)data, size);
        const char *value;

        if (env_file_find(arena, text, "A", &value, NULL) >= 0 && strlen(value) > size)
                abort();
        free(text);
        arena_free(arena);
        return 0;
}
