/* SHA-1 (FIPS 180-4), for the WebSocket handshake, which asks for it; not for anything that needs security. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20

void sha1(const void *data, size_t size, uint8_t ret_digest[SHA1_SIZE]);
