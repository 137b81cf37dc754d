#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
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
static int check(const char *argument, struct err **err) {
        if (strpbrk(argument, " \t\n\"'\\$`"))
                return err_set(err, EINVAL,
                               "%s: blanks, quotes and $ cannot be in an argument; use the configuration file",
                               argument);
        return 0;
}

int cli_cluster_check_arguments(const char *option, const struct cli_values *arguments, struct err **err) {
        int r;

        for (size_t i = 0; i < arguments->n; i++) {
                if (strncmp(arguments->values[i], "--", 2) != 0)
                        return err_set(err, EINVAL, "%s \"%s\": give a flag, --FLAG=VALUE", option,
                                       arguments->values[i]);
                if ((r = check(arguments->values[i], err)) < 0)
                        return err_wrap(err, r, "%s", option);
        }
        return 0;
}

static int add(struct arena *arena, const char **text, const char *argument, struct err **err) {
        int r = check(argument, err);

        if (r < 0)
                return r;
        *text = arena_printf(arena, "%s%s%s", *text, **text ? " " : "", argument);
        return *text ? 0 : -ENOMEM;
}

/* The file's text in @arena. */
static int make_text(struct arena *arena, const char *variable, const struct cli_values *arguments,
                     const char **ret_text, struct err **err) {
        const char *line = "";
        int r;

        for (size_t i = 0; i < arguments->n; i++)
                if ((r = add(arena, &line, arguments->values[i], err)) < 0)
                        return r;
        *ret_text = arena_printf(arena, "# Written by `nacelle init` and `nacelle join`.\n%s=\"%s\"\n", variable, line);
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

static bool has_flag(const struct cli_values *all, const char *argument) {
        size_t n = strcspn(argument, "=");

        for (size_t i = 0; i < all->n; i++)
                if (strncmp(all->values[i], argument, n) == 0 && (all->values[i][n] == '=' || !all->values[i][n]))
                        return true;
        return false;
}

/* Flags that were given before, or written by hand, and are not said again. */
static void tell_lost(struct arena *arena, const struct cluster_program *program, const struct cli_values *now) {
        struct cli_values before = { .n = 0 };

        if (cli_cluster_arguments(arena, program, &before, NULL) < 0)
                return;
        for (size_t i = 0; i < before.n; i++)
                if (!has_flag(now, before.values[i]))
                        fprintf(stderr,
                                "nacelle: warning: %s/%s had %s, which is not said again: %s goes on without it\n",
                                cli_cluster_places.config, program->file, before.values[i], program->name);
}

int cli_cluster_write_arguments(const struct cluster_program *program, const struct cli_values *arguments,
                                struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? cli_cluster_file(arena, program->file) : NULL, *text;
        int r = path ? make_text(arena, program->variable, arguments, &text, err) :
                       err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        tell_lost(arena, program, arguments);
        return cli_cluster_write(path, text, 0644, err);
}

/* Into the blocks that the file has. Cut off before its end is cut, a rest of the old line follows, which is none. */
static int write_over(const char *path, const char *text, struct err **err) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        size_t length = strlen(text);
        ssize_t n = fd < 0 ? -1 : pwrite(fd, text, length, 0);

        if (n >= 0 && (size_t)n < length)
                errno = ENOSPC;
        if (n != (ssize_t)length || ftruncate(fd, n) < 0 || fsync(fd) < 0)
                return err_errno(err, errno, "%s", path);
        return 0;
}

int cli_cluster_rewrite_arguments(const struct cluster_program *program, const struct cli_values *arguments,
                                  struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? cli_cluster_file(arena, program->file) : NULL, *text;
        int r = path ? make_text(arena, program->variable, arguments, &text, err) :
                       err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        r = cli_cluster_write(path, text, 0644, NULL);
        return r < 0 ? write_over(path, text, err) : r;
}
