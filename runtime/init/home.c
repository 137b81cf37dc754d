/* HOME of a user, by the container's own /etc/passwd: of whatever bytes, and read with the container's root alone. */
#include "runtime/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

enum passwd_field { PASSWD_UID = 2, PASSWD_HOME = 5 };

/* Field @index of the line at @line; its length, 0 when it has none. */
static size_t field(const char *line, unsigned index, const char **ret_field) {
        *ret_field = "";
        for (; index > 0; index--) {
                line += strcspn(line, ":\n");
                if (*line != ':')
                        return 0;
                line++;
        }
        *ret_field = line;
        return strcspn(line, ":\n");
}

static bool is_number(const char *text, size_t n, uint32_t number) {
        uint64_t sum = 0;

        for (size_t i = 0; i < n && sum <= UINT32_MAX; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                sum = 10 * sum + (uint64_t)(text[i] - '0');
        }
        return n > 0 && sum == number;
}

void init_home_find(const char *text, uint32_t uid, char *ret_home, size_t size) {
        const char *at;
        size_t n;

        snprintf(ret_home, size, "/");
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                n = field(line, PASSWD_UID, &at);
                if (!is_number(at, n, uid))
                        continue;
                n = field(line, PASSWD_HOME, &at);
                if (n > 0 && n < size)
                        snprintf(ret_home, size, "%.*s", (int)n, at);
                return;
        }
}

/* Only a file: nothing that blocks, or that does something when it is opened. */
static int open_passwd(struct init *init) {
        _cleanup_close_ int found = init_open(init, "/etc/passwd", false);
        char path[64];
        struct stat st;

        if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode))
                return -EBADF;
        snprintf(path, sizeof(path), "self/fd/%d", found);
        return openat(init->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

int init_home(struct init *init, const struct plan_step *step) {
        char *text = init_room.passwd, *home = init_room.home;
        _cleanup_close_ int fd = open_passwd(init);
        size_t used = 0;
        ssize_t n = 1;

        while (fd >= 0 && n > 0 && used < INIT_PASSWD_MAX) {
                n = read(fd, text + used, INIT_PASSWD_MAX - used);
                used += n > 0 ? (size_t)n : 0;
        }
        text[used] = '\0';
        strcpy(home, "HOME=");
        init_home_find(text, (uint32_t)step->a, home + strlen("HOME="), INIT_HOME_MAX);
        init->home = home;
        return 0;
}
