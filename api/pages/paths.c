#include "api/pages/paths.h"

#include <errno.h>
#include <stdlib.h>

#include "api/discovery/groups.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/texts.h"

struct paths {
        struct arena *arena;
        const char **items;
        size_t n, room;
        int error;
};

static void add(struct paths *paths, const char *path) {
        if (!path || paths->n == paths->room)
                paths->error = -ENOMEM;
        else
                paths->items[paths->n++] = path;
}

static void add_group(struct paths *paths, const struct discovery_group *group) {
        bool core = !*group->name;

        if (!core)
                add(paths, arena_printf(paths->arena, "/apis/%s", group->name));
        for (size_t i = 0; i < group->n_versions; i++)
                add(paths, core ? arena_printf(paths->arena, "/api/%s", group->versions[i]->name) :
                                  arena_printf(paths->arena, "/apis/%s/%s", group->name, group->versions[i]->name));
}

static size_t count(const struct discovery_groups *groups) {
        size_t n = 0;

        for (size_t i = 0; i < groups->n; i++)
                n += 1 + groups->items[i].n_versions;
        return n;
}

static enum api_step write_paths(struct api_request *r, const struct paths *paths) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        _cleanup_bytes_ struct bytes *bytes = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;

        json_begin_map(&w);
        json_key(&w, "paths");
        json_begin_list(&w);
        for (size_t i = 0; i < paths->n; i++)
                json_string(&w, paths->items[i]);
        json_end_list(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) == 0)
                bytes = bytes_copy(text, length);
        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_bytes(r, 200, "application/json", bytes);
        return API_END;
}

enum api_step api_paths_show(struct api_request *r, const char *const *own, size_t n) {
        struct discovery_groups groups;
        struct paths paths = { .arena = r->arena };

        if (discovery_groups(r->arena, r->server->config.registry, &groups) < 0)
                return api_fail(r, -ENOMEM, NULL);
        paths.room = count(&groups) + n;
        paths.items = arena_alloc_array(r->arena, paths.room + 1, sizeof(*paths.items));
        if (!paths.items)
                return api_fail(r, -ENOMEM, NULL);
        for (size_t i = 0; i < n; i++)
                add(&paths, own[i]);
        for (size_t i = 0; i < groups.n; i++)
                add_group(&paths, &groups.items[i]);
        if (paths.error < 0)
                return api_fail(r, paths.error, NULL);
        qsort(paths.items, paths.n, sizeof(*paths.items), texts_order);
        return write_paths(r, &paths);
}
