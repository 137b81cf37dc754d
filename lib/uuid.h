/* Random UUIDs (RFC 9562, version 4) as text. */
#pragma once

#include <stdint.h>

#define UUID_BYTES 16
#define UUID_SIZE 37 /* of its text, with the NUL */

/* The UUID that comes of @random. */
void uuid_text(const uint8_t random[UUID_BYTES], char ret_text[UUID_SIZE]);
