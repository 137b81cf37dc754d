#include "lib/uuid.h"

void uuid_text(const uint8_t random[UUID_BYTES], char ret_text[UUID_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        char *to = ret_text;

        for (unsigned i = 0; i < UUID_BYTES; i++) {
                uint8_t byte = random[i];

                if (i == 6)
                        byte = (uint8_t)((byte & 0x0f) | 0x40); /* the version */
                if (i == 8)
                        byte = (uint8_t)((byte & 0x3f) | 0x80); /* the variant */
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *to++ = '-';
                *to++ = digits[byte >> 4];
                *to++ = digits[byte & 0xf];
        }
        *to = '\0';
}
