/* Times, sizes and ids as crictl prints them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define FORMAT_MAX 64
#define FORMAT_ID_LENGTH 13

/* "About a minute ago", "3 hours ago" for @then, both in ns since 1970. */
const char *format_age(int64_t then, int64_t now, char ret_text[FORMAT_MAX]);

/* "45s", "3m10s", "2h", "4d": as kubectl has ages. */
const char *format_duration(int64_t seconds, char ret_text[FORMAT_MAX]);

/* "1.24MB": three digits, powers of a thousand. */
const char *format_size(uint64_t bytes, char ret_text[FORMAT_MAX]);

/* The id's first characters, without "sha256:". */
const char *format_id(const char *id, char ret_text[FORMAT_MAX]);

/* "2026-11-21T10:00:00.1234Z", without zeros at the end; "" for 0. */
const char *format_time(int64_t ns, char ret_text[FORMAT_MAX]);

/* Reads "2026-11-21T10:00:00Z", "2026-11-21", or "42m", "1h30m": so long before @now. Returns 0 or -EINVAL. */
int format_parse_since(const char *text, int64_t now, int64_t *ret_ns);

/* Now, in ns since 1970. */
int64_t format_now_ns(void);
