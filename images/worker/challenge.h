/* WWW-Authenticate (RFC 9110, 11.6.1): challenges in any number of lines, each a scheme with a token68 or with
 * parameters.
 */
#pragma once

#include <stddef.h>

#define CHALLENGES_MAX 16         /* of one answer; further ones do not count */
#define CHALLENGE_LINES_MAX 16384 /* bytes of an answer's lines together; a line past it does not count */

/* What registries' challenges say (distribution's "Token Authentication Specification"). Texts are the list's; NULL:
 * not said. Of a parameter that comes twice the last counts. */
struct challenge {
        const char *scheme; /* as it came; schemes are the same in any case */
        const char *realm, *service, *scope;
};

struct challenges {
        char *text;
        struct challenge items[CHALLENGES_MAX];
        size_t count;
};

/* Reads @lines, the field's values, each ended by '\n'. More is taken than the grammar has: blanks for a comma, and any
 * bytes but blanks, commas and quotes in a value without quotes. Where a line is none all the same (a quote without its
 * end), its rest does not count. Returns 0 or -ENOMEM; free with challenges_clear(). */
int challenges_parse(const char *lines, struct challenges *ret_challenges);
void challenges_clear(struct challenges *challenges);
#define _cleanup_challenges_ __attribute__((cleanup(challenges_clear)))
