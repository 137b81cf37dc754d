/* Perl's regular expressions, by libpcre2 (pcre2api(3)), which is loaded when the first is asked for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pattern;

#define PATTERN_TEXT_MAX 4096 /* bytes of a pattern */

/* @ignore_case: letters match either case. Characters are UTF-8's; what is none matches nothing. -EINVAL: it is no
 * pattern, the error says what is wrong with it; -ENOENT: there is no libpcre2; -ENOMEM. */
int pattern_new(const char *text, bool ignore_case, struct pattern **ret_pattern, struct err **err);
void pattern_free(struct pattern *pattern); /* NULL is fine */

/* Whether some of @text matches. One that takes too many steps, or too long, does not. By one thread at a time. */
bool pattern_matches(struct pattern *pattern, const char *text, size_t length);
