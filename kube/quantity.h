/* Resource quantities: amounts of CPU, memory and counts as Kubernetes writes them.
 *
 * "500m" is half a CPU, "1.5Gi" is 1.5 × 2^30 bytes, "2e3" is 2000. A quantity is kept exactly, as a whole number of
 * units or of 10^-3, 10^-6 or 10^-9 of them, never as a float: two spellings of one amount compare equal and an amount
 * never drifts by being read and written.
 *
 * Grammar, rounding and canonical form: Kubernetes API conventions, "Quantity" (resource.Quantity in apimachinery).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* The longest text quantity_format() writes, with its NUL. */
#define QUANTITY_TEXT_MAX 32

/* Which suffixes an amount is written with. */
enum quantity_style { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };

struct quantity {
        int64_t value;   /* in units of 10^exponent */
        int8_t exponent; /* 0: whole units (bytes, counts); -3, -6, -9: down to billionths */
        uint8_t style;   /* enum quantity_style of the text it came from */
};

/* Reads a quantity from @text (NUL-terminated, no blanks around it).
 *
 * Digits beyond a billionth (or, in large amounts, beyond what an int64 holds) round up, as the API server does: an
 * amount asked for is never less than the amount written. Returns 0, or -EINVAL with *@err naming the offending part of
 * @text (not a number, unknown suffix), or -ERANGE when the amount does not fit. On failure *@ret_quantity is
 * untouched.
 */
int quantity_parse(const char *text, struct quantity *ret_quantity, struct err **err);

/* What Go's resource.ParseQuantity() says of @text, which quantity_parse() refuses with -EINVAL. */
const char *quantity_in_go(const char *text);

struct quantity quantity_from_units(int64_t units, enum quantity_style style);
struct quantity quantity_from_milli(int64_t milli);

/* @quantity, to be written in @style. */
struct quantity quantity_restyle(struct quantity quantity, enum quantity_style style);

/* Whole units, rounded up (away from zero, as all rounding here): bytes for memory, CPUs for cpu. */
int64_t quantity_units(struct quantity quantity);

/* Thousandths, rounded up: milli-CPUs for cpu. Saturates at the ends of int64. */
int64_t quantity_milli(struct quantity quantity);

/* Negative, zero or positive as @a is less than, equal to or more than @b. "1" equals "1000m". */
int quantity_compare(struct quantity a, struct quantity b);

/* -1, 0 or 1. */
int quantity_sign(struct quantity quantity);

/* The sum, in @a's style; saturates. */
struct quantity quantity_add(struct quantity a, struct quantity b);

/* @quantity divided by @divisor, rounded up; a divisor of zero counts as one. */
int64_t quantity_divide(struct quantity quantity, struct quantity divisor);

/* Writes the canonical text ("1500m", "2", "64Mi") to @ret_text and returns @ret_text. */
const char *quantity_format(struct quantity quantity, char ret_text[QUANTITY_TEXT_MAX]);
