#include "lib/path.h"

#include <stddef.h>
#include <string.h>

#include "lib/arena.h"

const char *path_clean(struct arena *arena, const char *path) {
        char *clean = path ? arena_alloc(arena, strlen(path) + 2) : NULL;
        size_t used = 0;

        if (!clean)
                return NULL;
        for (size_t n; path += strspn(path, "/"), n = strcspn(path, "/"), n > 0; path += n) {
                if (n == 1 && path[0] == '.')
                        continue;
                if (n == 2 && strncmp(path, "..", 2) == 0) {
                        while (used > 0 && clean[--used] != '/')
                                ;
                        continue;
                }
                clean[used++] = '/';
                memcpy(clean + used, path, n);
                used += n;
        }
        clean[used] = '\0';
        return used > 0 ? clean : "/";
}

bool path_steps_back(const char *path) {
        for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
                if (strcspn(p, "/") == 2 && p[0] == '.' && p[1] == '.')
                        return true;
        return false;
}
