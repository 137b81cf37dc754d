#include "lib/trail.h"

#include <stdarg.h>
#include <stdio.h>

size_t trail_enter(char *path, size_t size, size_t *length, const char *format, ...) {
        size_t before = *length, room = size - before;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(path + before, room, format, ap);
        va_end(ap);
        if (n > 0)
                *length += (size_t)n < room ? (size_t)n : room - 1;
        return before;
}

void trail_leave(char *path, size_t *length, size_t before) {
        *length = before;
        path[before] = '\0';
}
