/* Files of environment variables, as fileKeyRef reads them (KEP-3721): NAME='value' lines.
 *
 * Values stand in single quotes and may span lines; "#" begins a comment; blanks before "=" are an error and blanks
 * behind it an empty value, as in a shell.
 */
#pragma once

#include <stddef.h>

struct arena;
struct err;

#define ENV_FILE_BYTES_MAX ((size_t)64 * 1024)

/* The value of @key in @text (NUL-terminated), in @arena. -ENOENT when it is not there or empty, -EINVAL with the line
 * of what is wrong before it, -ENOMEM. */
int env_file_find(struct arena *arena, const char *text, const char *key, const char **ret_value, struct err **err);
