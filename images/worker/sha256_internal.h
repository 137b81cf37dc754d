/* SHA-256's compression by the x86 SHA extensions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool sha256_x86_usable(void);

/* Adds @n whole blocks at @bytes to @state. */
void sha256_x86_blocks(uint32_t state[8], const uint8_t *bytes, size_t n);
/* The same for two streams, in turns of an instruction each. */
void sha256_x86_blocks_two(uint32_t state_a[8], const uint8_t *bytes_a, uint32_t state_b[8], const uint8_t *bytes_b,
                           size_t n);
