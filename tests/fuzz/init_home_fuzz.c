/* A container's /etc/passwd of any bytes: HOME fits, and is of one line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/init/init.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1), home[64];

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        for (uint32_t uid = 0; uid < 12; uid += 11) {
                init_home_find(text, uid, home, sizeof(home));
                if (strlen(home) == 0 || strpbrk(home, ":\n"))
                        abort();
        }
        free(text);
        return 0;
}
