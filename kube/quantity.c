#include "kube/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* Every suffix as a power: the whole grammar is this table. */
static const struct suffix {
        char text[3];
        uint8_t base;
        int8_t power;
        uint8_t style;
} suffixes[] = {
        { "", 10, 0, QUANTITY_DECIMAL },   { "n", 10, -9, QUANTITY_DECIMAL }, { "u", 10, -6, QUANTITY_DECIMAL },
        { "m", 10, -3, QUANTITY_DECIMAL }, { "k", 10, 3, QUANTITY_DECIMAL },  { "M", 10, 6, QUANTITY_DECIMAL },
        { "G", 10, 9, QUANTITY_DECIMAL },  { "T", 10, 12, QUANTITY_DECIMAL }, { "P", 10, 15, QUANTITY_DECIMAL },
        { "E", 10, 18, QUANTITY_DECIMAL }, { "Ki", 2, 10, QUANTITY_BINARY },  { "Mi", 2, 20, QUANTITY_BINARY },
        { "Gi", 2, 30, QUANTITY_BINARY },  { "Ti", 2, 40, QUANTITY_BINARY },  { "Pi", 2, 50, QUANTITY_BINARY },
        { "Ei", 2, 60, QUANTITY_BINARY },
};

/* Amounts are worked out in billionths, the finest there is. An int64 of units with nine more digits takes 93 bits. */
typedef __int128 wide;

#define BILLION 1000000000

static const wide WIDE_LIMIT = (wide)1 << 120;

/* @number × @base^@power, rounded up; false when it would pass WIDE_LIMIT. */
static bool scale(wide *number, int base, int power) {
        bool rest = false;

        for (; power > 0; power--) {
                if (*number >= WIDE_LIMIT / base)
                        return false;
                *number *= base;
        }
        for (; power < 0 && *number > 0; power++) {
                rest |= *number % base != 0;
                *number /= base;
        }
        *number += rest;
        return true;
}

/* Reads digits with at most one point: @ret_digits without the point, @ret_places behind it. Returns what follows,
 * @p itself when there is no digit, NULL when they are too many. */
static const char *parse_decimal(const char *p, wide *ret_digits, int *ret_places) {
        const char *begin = p;
        wide digits = 0;
        int places = 0, n = 0;
        bool point = false;

        for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
                if (*p == '.') {
                        point = true;
                        continue;
                }
                if (digits >= WIDE_LIMIT / 10)
                        return NULL;
                digits = digits * 10 + (*p - '0');
                places += point;
                n++;
        }
        *ret_digits = digits;
        *ret_places = places;
        return n > 0 ? p : begin;
}

static const struct suffix *find_suffix(const char *text) {
        for (size_t i = 0; i < ELEMENTS(suffixes); i++)
                if (strcmp(suffixes[i].text, text) == 0)
                        return &suffixes[i];
        return NULL;
}

/* A decimal exponent, "e3" or "E-6", in place of a suffix. "E" alone is the suffix exa. */
static bool parse_exponent(const char *text, struct suffix *ret_suffix) {
        char *end;
        long power;

        if ((text[0] != 'e' && text[0] != 'E') || text[1] == '\0' || text[1] == ' ')
                return false;
        power = strtol(text + 1, &end, 10);
        if (end == text + 1 || *end != '\0' || power < -18 || power > 18)
                return false;
        *ret_suffix = (struct suffix){ .base = 10, .power = (int8_t)power, .style = QUANTITY_EXPONENT };
        return true;
}

/* The coarsest unit that holds @billionths exactly, or, rounded up, the finest whose count fits an int64. */
static bool pack(wide billionths, bool negative, uint8_t style, struct quantity *ret_quantity) {
        int8_t exponent = -9;

        while (exponent < 0 && (billionths % 1000 == 0 || billionths > INT64_MAX)) {
                billionths = billionths / 1000 + (billionths % 1000 != 0);
                exponent = (int8_t)(exponent + 3);
        }
        if (billionths > INT64_MAX)
                return false;
        *ret_quantity = (struct quantity){
                .value = (int64_t)(negative ? -billionths : billionths),
                .exponent = exponent,
                .style = style,
        };
        return true;
}

static const char *skip_digits(const char *p) {
        return p + strspn(p, "0123456789");
}

const char *quantity_in_go(const char *text) {
        const char *number = text + (*text == '-' || *text == '+'), *p = skip_digits(number);
        bool digits = p > number;
        struct suffix exponent;

        if (*p == '.') {
                digits |= skip_digits(p + 1) > p + 1;
                p = skip_digits(p + 1);
        }
        number = p;
        p += strspn(p, "eEinumkKMGTP");
        p = skip_digits(p + (*p == '-' || *p == '+'));
        if (!*text || *p)
                return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        if (!digits && (find_suffix(number) || parse_exponent(number, &exponent)))
                return "unable to parse numeric part of quantity";
        return "unable to parse quantity's suffix";
}

int quantity_parse(const char *text, struct quantity *ret_quantity, struct err **err) {
        const struct suffix *suffix;
        struct suffix exponent;
        const char *p = text, *rest;
        bool negative = *p == '-';
        wide number;
        int places;

        if (*p == '-' || *p == '+')
                p++;
        rest = parse_decimal(p, &number, &places);
        if (!rest)
                return err_set(err, ERANGE, "quantity %.64s: too large", text);
        if (rest == p)
                return err_set(err, EINVAL, "quantity \"%.64s\": does not begin with a number", text);

        suffix = find_suffix(rest);
        if (!suffix && parse_exponent(rest, &exponent))
                suffix = &exponent;
        if (!suffix)
                return err_set(err, EINVAL,
                               "quantity \"%.64s\": unknown suffix \"%.64s\"; use m, k, M, G, Ki, Mi, Gi and so on",
                               text, rest);

        /* Up comes before down, so that only what is finer than a billionth is rounded. */
        if (!scale(&number, suffix->base, suffix->power > 0 ? suffix->power : 0) || !scale(&number, 10, 9) ||
            !scale(&number, 10, (suffix->power < 0 ? suffix->power : 0) - places) ||
            !pack(number, negative, suffix->style, ret_quantity))
                return err_set(err, ERANGE, "quantity %.64s: too large", text);
        return 0;
}

static wide billionths(struct quantity q) {
        wide n = q.value;

        for (int power = q.exponent; power > -9; power -= 3)
                n *= 1000;
        return n;
}

static int64_t saturate(wide n) {
        return n > INT64_MAX ? INT64_MAX : n < INT64_MIN ? INT64_MIN : (int64_t)n;
}

/* @n / @by, rounded away from zero. */
static wide divide_up(wide n, wide by) {
        if (n % by == 0)
                return n / by;
        return n / by + ((n > 0) == (by > 0) ? 1 : -1);
}

/* What does not fit at full precision (a saturated sum) keeps whole units. */
static struct quantity from_billionths(wide n, uint8_t style) {
        struct quantity q;

        if (!pack(n < 0 ? -n : n, n < 0, style, &q))
                q = (struct quantity){ .value = saturate(divide_up(n, BILLION)), .style = style };
        return q;
}

struct quantity quantity_from_units(int64_t units, enum quantity_style style) {
        return (struct quantity){ .value = units, .style = (uint8_t)style };
}

struct quantity quantity_from_milli(int64_t milli) {
        return from_billionths((wide)milli * (BILLION / 1000), QUANTITY_DECIMAL);
}

struct quantity quantity_restyle(struct quantity quantity, enum quantity_style style) {
        quantity.style = (uint8_t)style;
        return quantity;
}

int64_t quantity_units(struct quantity q) {
        return saturate(divide_up(billionths(q), BILLION));
}

int64_t quantity_milli(struct quantity q) {
        return saturate(divide_up(billionths(q), BILLION / 1000));
}

int quantity_compare(struct quantity a, struct quantity b) {
        wide x = billionths(a), y = billionths(b);

        return (x > y) - (x < y);
}

int quantity_sign(struct quantity q) {
        return (q.value > 0) - (q.value < 0);
}

struct quantity quantity_add(struct quantity a, struct quantity b) {
        return from_billionths(billionths(a) + billionths(b), a.value != 0 ? a.style : b.style);
}

int64_t quantity_divide(struct quantity q, struct quantity divisor) {
        return saturate(divide_up(billionths(q), divisor.value ? billionths(divisor) : BILLION));
}

/* The largest binary suffix that leaves whole digits; below 1024, and for fractions, the decimal one is used. */
static bool format_binary(struct quantity q, char text[QUANTITY_TEXT_MAX]) {
        static const char *const names[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
        int64_t value = q.value;
        size_t i = 0;

        if (q.exponent != 0 || (value < 1024 && value > -1024))
                return false;
        for (; value % 1024 == 0 && i + 1 < ELEMENTS(names); i++)
                value /= 1024;
        snprintf(text, QUANTITY_TEXT_MAX, "%" PRId64 "%s", value, names[i]);
        return true;
}

const char *quantity_format(struct quantity q, char ret_text[QUANTITY_TEXT_MAX]) {
        static const char *const names[] = { "n", "u", "m", "", "k", "M", "G", "T", "P", "E" };
        int64_t value = q.value;
        int power = q.exponent;

        if (value == 0) {
                memcpy(ret_text, "0", 2);
                return ret_text;
        }
        if (q.style == QUANTITY_BINARY && format_binary(q, ret_text))
                return ret_text;
        for (; value % 1000 == 0 && power < 18; power += 3)
                value /= 1000;
        if (q.style == QUANTITY_EXPONENT && power != 0)
                snprintf(ret_text, QUANTITY_TEXT_MAX, "%" PRId64 "e%d", value, power);
        else
                snprintf(ret_text, QUANTITY_TEXT_MAX, "%" PRId64 "%s", value, names[power / 3 + 3]);
        return ret_text;
}
