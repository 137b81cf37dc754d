/* Numbers and sizes of the command line. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "runtime/oci/oci.h"

int oci_parse_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret_number,
                     struct err **err) {
        const char *digits = text[0] == '-' ? text + 1 : text;
        long long n;

        errno = 0;
        n = strtoll(text, NULL, 10);
        if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0' || errno != 0 || n < min || n > max)
                return err_set(err, EINVAL, "--%s \"%s\": a whole number from %" PRId64 " to %" PRId64 " is expected",
                               option, text, min, max);
        *ret_number = n;
        return 0;
}

/* "", "k", "kb", "kib" and so on, in either case: the power of 1024, -1: none of them. */
static int power_of(const char *suffix) {
        static const char units[] = "bkmgtp";
        const char *unit = suffix[0] ? strchr(units, tolower((unsigned char)suffix[0])) : units;
        const char *rest = suffix[0] ? suffix + 1 : suffix;

        if (!unit || (unit == units && rest[0] != '\0'))
                return -1;
        if (rest[0] != '\0' && strcasecmp(rest, "b") != 0 && strcasecmp(rest, "ib") != 0)
                return -1;
        return (int)(unit - units);
}

int oci_parse_size(const char *option, const char *text, int64_t *ret_bytes, struct err **err) {
        size_t whole = strspn(text, "0123456789"), n = whole;
        int power;
        double size;

        if (strcmp(text, "-1") == 0) {
                *ret_bytes = -1;
                return 0;
        }
        if (text[n] == '.')
                n += 1 + strspn(text + n + 1, "0123456789");
        power = power_of(text[n] == ' ' ? text + n + 1 : text + n);
        size = ldexp(strtod(text, NULL), 10 * power);
        /* Doubles hold whole numbers up to 2^53 only: what has neither fraction nor unit is read as what it is. */
        if (whole > 0 && text[whole] == '\0')
                return oci_parse_number(option, text, 0, INT64_MAX, ret_bytes, err);
        if (whole == 0 || power < 0 || size >= 0x1p63)
                return err_set(err, EINVAL, "--%s \"%s\": a size such as 512m, 1.5g or 65536, or -1, is expected",
                               option, text);
        *ret_bytes = (int64_t)size;
        return 0;
}
