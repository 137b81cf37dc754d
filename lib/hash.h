/* A hash that whoever chooses the keys cannot make collide: SipHash-1-3 with a key that is drawn once per process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t size);
