/* Decompression of layers: gzip (also of several members), zstd (also of several frames), or none; told by the first
 * bytes, as media types are often wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct inflater;

#define INFLATE_TELL_MAX 16 /* bytes that tell the compression */

/* What the first @n bytes of data show it to be: "gzip", "zstd", "none", or one of those that are not supported, "xz"
 * say. */
const char *inflate_tell(const uint8_t *bytes, size_t n);

/* Returns NULL without memory. */
struct inflater *inflater_new(void);
void inflater_free(struct inflater *inflater);
void inflater_freep(struct inflater **inflater);

/* Turns input at *@in (@n_in bytes, both moved on) into output at *@out (@n_out bytes of room, both moved on), until
 * one of them is used up. The first input must be at least INFLATE_TELL_MAX bytes long, or all there is. Returns 0,
 * -EBADMSG for damaged data, -ENOTSUP for a compression that is not supported. */
int inflater_run(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                 struct err **err);

/* Call at the end of input: -EBADMSG when the data stops in the middle. */
int inflater_finish(const struct inflater *inflater, struct err **err);
