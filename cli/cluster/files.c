#include <errno.h>
#include <string.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/files.h"

struct cluster_places cli_cluster_places = { CLUSTER_CONFIG, CLUSTER_DATA, CLUSTER_ROOT, CLUSTER_RUN, NULL };

const char *cli_cluster_file(struct arena *arena, const char *name) {
        return arena_printf(arena, "%s/%s", cli_cluster_places.config, name);
}

int cli_cluster_write(const char *path, const char *text, mode_t mode, struct err **err) {
        int r = files_make_dirs(cli_cluster_places.config, 0755, err);

        return r < 0 ? r : files_replace_synced(path, text, strlen(text), mode, err);
}

/* systemd divides $VARIABLE at blanks, OpenRC's shell too: what would need quotes cannot be said. */
static int add(struct arena *arena, const char **text, const char *argument, struct err **err) {
        if (strpbrk(argument, " \t\n\"'\\$`"))
                return err_set(err, EINVAL,
                               "%s: blanks, quotes and $ cannot be in an argument; use the configuration file",
                               argument);
        *text = arena_printf(arena, "%s%s%s", *text, **text ? " " : "", argument);
        return *text ? 0 : -ENOMEM;
}

int cli_cluster_write_arguments(const char *name, const char *variable, const struct cli_values *arguments,
                                struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? cli_cluster_file(arena, name) : NULL, *line = "";
        int r = path ? 0 : err_set(err, ENOMEM, "out of memory");

        for (size_t i = 0; r == 0 && i < arguments->n; i++)
                r = add(arena, &line, arguments->values[i], err);
        if (r < 0)
                return r;
        line = arena_printf(arena, "# Written by `nacelle init` and `nacelle join`.\n%s=\"%s\"\n", variable, line);
        return line ? cli_cluster_write(path, line, 0644, err) : err_set(err, ENOMEM, "out of memory");
}
