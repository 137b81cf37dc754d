/* WWW-Authenticate lines of any bytes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/challenge.h"

static size_t length(const char *text) {
        return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *lines = strndup((const char *)data, size);
        struct challenges list;
        size_t total = 0;

        if (challenges_parse(lines, &list) == 0) {
                for (size_t i = 0; i < list.count; i++)
                        total += strlen(list.items[i].scheme) + length(list.items[i].realm) +
                                 length(list.items[i].service) + length(list.items[i].scope);
                assert(list.count <= CHALLENGES_MAX && total <= strlen(lines));
                challenges_clear(&list);
        }
        free(lines);
        return 0;
}
