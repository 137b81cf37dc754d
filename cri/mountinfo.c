#include "cri/mountinfo.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

/* Undoes the octal escapes of proc_pid_mountinfo(5) in place. */
static void unescape(char *text) {
        char *to = text;

        for (; *text; to++)
                if (text[0] == '\\' && text[1] && text[2] && text[3]) {
                        *to = (char)(((text[1] - '0') << 6) | ((text[2] - '0') << 3) | (text[3] - '0'));
                        text += 4;
                } else
                        *to = *text++;
        *to = '\0';
}

static bool covers(const char *mount, const char *path) {
        size_t n = strlen(mount);

        return n == 1 || (strncmp(mount, path, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

/* The fields of one line: "36 35 98:0 / /mnt rw,noatime shared:1 master:2 - ext4 ...". */
static bool read_line(char *line, char **ret_mount, bool *ret_shared, bool *ret_slave) {
        char *save = NULL, *field = strtok_r(line, " ", &save);

        *ret_shared = *ret_slave = false;
        for (unsigned n = 0; field; field = strtok_r(NULL, " ", &save), n++) {
                if (n == 4)
                        *ret_mount = field;
                if (n > 5 && strcmp(field, "-") == 0)
                        return true;
                if (n > 5 && strncmp(field, "shared:", 7) == 0)
                        *ret_shared = true;
                if (n > 5 && strncmp(field, "master:", 7) == 0)
                        *ret_slave = true;
        }
        return false;
}

int mountinfo_check(const char *path, bool want_shared, struct err **err) {
        _cleanup_free_ char *text = NULL, *real = realpath(path, NULL), *best = NULL;
        char *save = NULL, *mount = NULL;
        bool shared = false, slave = false, is_shared, is_slave;
        size_t longest = 0;
        int r;

        if (!real)
                return err_errno(err, errno, "mount of %s", path);
        r = files_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, err);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                if (!read_line(line, &mount, &is_shared, &is_slave))
                        continue;
                unescape(mount);
                if (!covers(mount, real) || strlen(mount) < longest)
                        continue;
                longest = strlen(mount); /* of two at one place the later one is on top */
                shared = is_shared;
                slave = is_slave;
                free(best);
                best = strdup(mount);
        }
        if (want_shared && !shared)
                return err_set(err, EINVAL, "path \"%s\" is mounted on \"%s\" but it is not a shared mount", path, best ? best : "/");
        if (!want_shared && !shared && !slave)
                return err_set(err, EINVAL, "path \"%s\" is mounted on \"%s\" but it is not a shared or slave mount", path,
                               best ? best : "/");
        return 0;
}
