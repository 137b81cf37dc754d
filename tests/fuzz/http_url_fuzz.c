/* The Location of a redirect, any bytes: what it leads to is a path fit for a request line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct http_url url = { .port = 80, .path = "/a/b?c" };
        char *location = strndup((const char *)data, size);

        if (http_url_resolve(&url, "10.0.0.1", location) &&
            (url.path[0] != '/' || strpbrk(url.path, " \r\n\t") || url.port == 0))
                abort();
        free(location);
        return 0;
}
