#include "lib/id.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int id_parse(const char *text, uint32_t *ret_id) {
        const char *digits = text + (*text == '-' || *text == '+');
        bool fits = true;
        uint64_t id = 0;

        if (!*digits || digits[strspn(digits, "0123456789")])
                return -EINVAL;
        for (; *digits; digits++) {
                id = id * 10 + (uint64_t)(*digits - '0');
                if (id > ID_MAX)
                        fits = false, id = ID_MAX;
        }
        if (!fits || (*text == '-' && id > 0))
                return -ERANGE;
        *ret_id = (uint32_t)id;
        return 0;
}

int id_parse_pair(const char *text, uint32_t *ret_uid, int64_t *ret_gid) {
        const char *colon = strchr(text, ':');
        uint32_t uid = 0, gid = 0;
        char user[32];
        int r = 0;

        if (colon && (size_t)(colon - text) >= sizeof(user))
                return -ERANGE;
        if (colon) {
                snprintf(user, sizeof(user), "%.*s", (int)(colon - text), text);
                r = id_parse(colon + 1, &gid);
        }
        if (r < 0 || (r = id_parse(colon ? user : text, &uid)) < 0)
                return r;
        *ret_uid = uid;
        *ret_gid = colon ? (int64_t)gid : -1;
        return 0;
}
