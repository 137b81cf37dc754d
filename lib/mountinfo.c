#include "lib/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 32 /* 6, any number of optional ones, "-", 3 */

/* Undoes the octal escapes in place. */
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

static bool read_line(char *line, struct mountinfo *ret_mount) {
        char *fields[FIELDS_MAX], *save = NULL;
        bool shared = false, slave = false;
        size_t n = 0, separator = 6;

        for (char *field = strtok_r(line, " ", &save); field && n < FIELDS_MAX; field = strtok_r(NULL, " ", &save))
                fields[n++] = field;
        for (; separator < n && strcmp(fields[separator], "-") != 0; separator++) {
                shared |= strncmp(fields[separator], "shared:", 7) == 0;
                slave |= strncmp(fields[separator], "master:", 7) == 0;
        }
        if (separator + 1 >= n)
                return false;
        unescape(fields[3]);
        unescape(fields[4]);
        *ret_mount = (struct mountinfo){
                .id = atoi(fields[0]),
                .parent = atoi(fields[1]),
                .device = fields[2],
                .root = fields[3],
                .path = fields[4],
                .type = fields[separator + 1],
                .shared = shared,
                .slave = slave,
        };
        return true;
}

bool mountinfo_next(char **text, struct mountinfo *ret_mount) {
        while (**text) {
                char *line = *text;
                size_t n = strcspn(line, "\n");

                *text += n + (line[n] == '\n');
                line[n] = '\0';
                if (read_line(line, ret_mount))
                        return true;
        }
        return false;
}
