/* A manifest's path, and the Location of a redirect, any bytes: what they lead to can be written, and reads the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "probes/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *arena, const struct url *url) {
        const char *target = probe_url_request_target(arena, url), *text = probe_url_format(arena, url, false);
        struct url again;

        if (strpbrk(url->path, " \r\n\t?#") || strpbrk(target, "\r\n") || (url->host[0] && target[0] != '/'))
                abort();
        if (url->host[0] && probe_url_parse(arena, text, &again, NULL) == 0 &&
            strcmp(probe_url_request_target(arena, &again), target) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct probe_url_server server = { false, "10.0.0.1", 80 };
        struct arena *arena = arena_new();
        char *text = strndup((const char *)data, size);
        struct url base, url;

        if (probe_url_of_path(arena, &server, "/a/b?c", &base, NULL) < 0)
                abort();
        if (probe_url_of_path(arena, &server, text, &url, NULL) == 0)
                check(arena, &url);
        if (probe_url_resolve(arena, &base, text, &url, NULL) == 0)
                check(arena, &url);
        arena_free(arena);
        free(text);
        return 0;
}
