/* What a URL's path names: /api/v1/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE and its shorter forms. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct api_path {
        bool is_resource; /* else only @whole counts */
        bool watch;       /* /api/v1/watch/...: what was before ?watch=1 */
        bool proxy;       /* /api/v1/proxy/...: no more served, and still a verb of its own */
        const char *whole;
        const char *group, *version; /* "" is the core group */
        const char *namespace;       /* NULL: none; a namespace's own path: what @name points to */
        const char *resource, *name; /* name NULL: the collection */
        const char *sub, *rest;      /* NULL: none; what stands behind a subresource, for proxies */
};

/* Reads @path, @length bytes, whose segments are decoded into @arena. 0; -EINVAL for a path that is no encoding;
 * -EDOM for one that ends where its resource has to be (/api/v1/watch): @ret_path is none of a resource's; -ENOMEM. */
int api_path_parse(struct arena *arena, const char *path, size_t length, struct api_path *ret_path);
