#include "api/audit/aside.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/texts.h"

#define FILES_MAX 4096 /* that are looked at */
#define STAMP "%Y-%m-%dT%H-%M-%S"
#define STAMP_LENGTH 23 /* with .123 behind it */
#define DAY_S 86400

/* "/var/log/" + "audit" + "-STAMP" + ".log" */
struct name {
        int n_directory;
        const char *base;
        int n_base;
        const char *extension;
};

static struct name split(const char *path) {
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');

        dot = dot ?: base + strlen(base);
        return (struct name){ (int)(base - path), base, (int)(dot - base), dot };
}

static int rename_now(const char *path, const struct name *name, struct err **err) {
        char stamp[64], to[PATH_MAX];
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof(stamp), STAMP, &tm);
        if (snprintf(to, sizeof(to), "%.*s%.*s-%s.%03ld%s", name->n_directory, path, name->n_base, name->base, stamp,
                     now.tv_nsec / 1000000, name->extension) >= (int)sizeof(to))
                return err_set(err, ENAMETOOLONG, "%s: its name is too long to be put aside", path);
        if (rename(path, to) < 0 && errno != ENOENT)
                return err_errno(err, errno, "cannot put %s aside", path);
        return 0;
}

static bool was_put_aside(const char *file, const struct name *name) {
        size_t n = (size_t)name->n_base;

        return strncmp(file, name->base, n) == 0 && file[n] == '-' &&
               strlen(file) == n + 1 + STAMP_LENGTH + strlen(name->extension) &&
               strcmp(file + n + 1 + STAMP_LENGTH, name->extension) == 0;
}

static bool is_old(const char *file, const struct name *name, unsigned max_days) {
        struct tm tm = { 0 };

        return max_days > 0 && strptime(file + name->n_base + 1, STAMP, &tm) &&
               timegm(&tm) + (time_t)max_days * DAY_S < time(NULL);
}

/* The oldest first: their names have the order of their times. */
static size_t list(DIR *dir, const struct name *name, char **files) {
        struct dirent *entry;
        size_t n = 0;

        while (n < FILES_MAX && (entry = readdir(dir)))
                if (was_put_aside(entry->d_name, name) && (files[n] = strdup(entry->d_name)))
                        n++;
        qsort(files, n, sizeof(*files), texts_order);
        return n;
}

static void remove_some(DIR *dir, const struct name *name, unsigned max_files, unsigned max_days) {
        _cleanup_free_ char **files = calloc(FILES_MAX, sizeof(*files));
        size_t n = files ? list(dir, name, files) : 0;

        for (size_t i = 0; i < n; i++) {
                bool goes = (max_files > 0 && n - i > max_files) || is_old(files[i], name, max_days);

                if (goes && unlinkat(dirfd(dir), files[i], 0) < 0)
                        log_warning("cannot remove the old audit log %s: %s", files[i], strerror(errno));
                free(files[i]);
        }
}

int audit_put_aside(const char *path, unsigned max_files, unsigned max_days, struct err **err) {
        struct name name = split(path);
        _cleanup_closedir_ DIR *dir = NULL;
        char directory[PATH_MAX];
        int r = rename_now(path, &name, err);

        if (r < 0 || (max_files == 0 && max_days == 0))
                return r;
        snprintf(directory, sizeof(directory), "%.*s", name.n_directory, path);
        dir = opendir(*directory ? directory : ".");
        if (dir)
                remove_some(dir, &name, max_files, max_days);
        return 0;
}
