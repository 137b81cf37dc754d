/* How the rotated files of a log are called: NAME.20261121-104715, as kubelet names them, or with more behind that. */
#pragma once

#include <stdbool.h>
#include <string.h>

/* Rotated files of one log that are looked at, and that there are at most. */
#define LOGS_ROTATED_MAX 4096

static inline bool logs_is_rotated(const char *entry, const char *name) {
        static const char pattern[] = ".dddddddd-dddddd";
        size_t n = strlen(name);

        if (strncmp(entry, name, n) != 0)
                return false;
        for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
                char c = entry[n + i];

                if (pattern[i] == 'd' ? c < '0' || c > '9' : c != pattern[i])
                        return false;
        }
        return true;
}
