/* References of any bytes: what is taken is normal, and reads as itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *)data, size), normal[IMAGE_REFERENCE_MAX + 1];
        struct image_reference reference, again = { .host_length = 0 };

        if (image_reference_parse(text, &reference, NULL) == 0) {
                image_reference_format(&reference, normal);
                if (strstr(normal, "..") && strstr(normal, "/../"))
                        abort();
                if (image_reference_parse(normal, &again, NULL) < 0 || memcmp(&reference, &again, sizeof(again)) != 0)
                        abort();
        }
        free(text);
        return 0;
}
