/* Base64 (RFC 4648): standard alphabet with padding; base64url, its alphabet for names, without. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Characters that @size bytes take, without a NUL. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)

/* Writes BASE64_LENGTH(size) characters and a NUL. */
void base64_encode(const void *data, size_t size, char *ret_text);

/* Decodes as it comes: up to three characters are kept in @decoder for later. Zeroed is a decoder at its beginning. */
struct base64_decoder {
        uint32_t bits;
        uint8_t n_bits;
        uint8_t ended; /* padding was seen */
};

/* Decodes @n characters into @ret_data (room for n * 3 / 4 + 1 bytes, may be @text itself). Returns the number of
 * bytes, or -EINVAL for a character that does not belong there. */
int64_t base64_decode(struct base64_decoder *decoder, const void *text, size_t n, void *ret_data);

/* Characters that @size bytes take in base64url, without a NUL. */
#define BASE64_URL_LENGTH(size) (((size)*4 + 2) / 3)

/* Writes BASE64_URL_LENGTH(size) characters and a NUL. */
void base64_url_encode(const void *data, size_t size, char *ret_text);

/* Decodes all @n characters into @ret_data (room for n * 3 / 4 bytes). There is one text for each data: padding, blanks
 * and bits that no byte has are refused. Returns the number of bytes, or -EINVAL. */
int64_t base64_url_decode(const char *text, size_t n, void *ret_data);
