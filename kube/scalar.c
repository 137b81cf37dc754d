#include "kube/scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"

#define DAY 86400

/* Days since 1970 of a date in the proleptic Gregorian calendar; the era is 400 years that begin in March. */
static int64_t days_from_date(int64_t year, int month, int day) {
        int64_t era, of_era, of_year;

        year -= month <= 2;
        era = (year >= 0 ? year : year - 399) / 400;
        of_era = year - era * 400;
        of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
        int64_t era, of_era, year, of_year, month;

        days += 719468;
        era = (days >= 0 ? days : days - 146096) / 146097;
        of_era = days - era * 146097;
        year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        of_year = of_era - (365 * year + year / 4 - year / 100);
        month = (5 * of_year + 2) / 153;
        *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
        *ret_month = (int)(month < 10 ? month + 3 : month - 9);
        *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

static int days_of(int month, int year) {
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        return month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29 : days[month - 1];
}

/* @count digits at *@at, which passes them; false when they are not there. */
static bool digits(const char **at, const char *end, int count, int *ret_number) {
        int n = 0;

        if (end - *at < count)
                return false;
        for (; count > 0; count--, (*at)++) {
                if (**at < '0' || **at > '9')
                        return false;
                n = n * 10 + (**at - '0');
        }
        *ret_number = n;
        return true;
}

static bool is(const char **at, const char *end, char c) {
        if (*at == end || **at != c)
                return false;
        (*at)++;
        return true;
}

/* What stands behind the second: nanoseconds of up to nine digits, more are passed over. */
static bool fraction(const char **at, const char *end, bool micro, int32_t *ret_nanoseconds) {
        int32_t n = 0, unit = 100000000;
        int count = 0;

        if (!is(at, end, '.')) {
                *ret_nanoseconds = 0;
                return !micro;
        }
        for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, count++, unit /= 10)
                n += (**at - '0') * unit;
        *ret_nanoseconds = n;
        return micro ? count == 6 : count > 0;
}

static bool offset(const char **at, const char *end, int *ret_seconds) {
        int sign, hours, minutes;

        if (is(at, end, 'Z')) {
                *ret_seconds = 0;
                return true;
        }
        sign = is(at, end, '+') ? 1 : is(at, end, '-') ? -1 : 0;
        if (sign == 0 || !digits(at, end, 2, &hours) || !is(at, end, ':') || !digits(at, end, 2, &minutes) ||
            hours > 24 || minutes > 59)
                return false;
        *ret_seconds = sign * (hours * 3600 + minutes * 60);
        return true;
}

#define FIRST_SECOND INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */
#define GO_ZERO INT64_C(-62135596800)      /* 0001-01-01T00:00:00Z: no time for Go */

bool kube_time_settle(struct kube_time *time, bool micro) {
        if (time->seconds < FIRST_SECOND || time->seconds > LAST_SECOND || time->nanoseconds < 0 ||
            time->nanoseconds > 999999999)
                return false;
        time->nanoseconds = micro ? time->nanoseconds / 1000 * 1000 : 0;
        time->set = time->seconds != GO_ZERO || time->nanoseconds != 0;
        return true;
}

bool kube_time_parse(const char *text, size_t length, bool micro, struct kube_time *ret_time) {
        const char *at = text, *end = text + length;
        int year, month, day, hour, minute, second, shift;
        int32_t nanoseconds;

        if (!digits(&at, end, 4, &year) || !is(&at, end, '-') || !digits(&at, end, 2, &month) || !is(&at, end, '-') ||
            !digits(&at, end, 2, &day) || !is(&at, end, 'T') || !digits(&at, end, 2, &hour) || !is(&at, end, ':') ||
            !digits(&at, end, 2, &minute) || !is(&at, end, ':') || !digits(&at, end, 2, &second) ||
            !fraction(&at, end, micro, &nanoseconds) || !offset(&at, end, &shift) || at != end)
                return false;
        if (month < 1 || month > 12 || day < 1 || day > days_of(month, year) || hour > 23 || minute > 59 || second > 59)
                return false;
        *ret_time = (struct kube_time){
                .seconds = days_from_date(year, month, day) * DAY + hour * 3600 + minute * 60 + second - shift,
                .nanoseconds = nanoseconds,
        };
        return kube_time_settle(ret_time, micro);
}

static char *put_digits(char *to, int number, int count) {
        for (int i = count - 1; i >= 0; i--, number /= 10)
                to[i] = (char)('0' + number % 10);
        return to + count;
}

size_t kube_time_format(const struct kube_time *time, bool micro, char ret_text[KUBE_TIME_TEXT_MAX]) {
        int64_t seconds = time->seconds, days, rest;
        int year, month, day;
        char *to = ret_text;

        if (seconds < FIRST_SECOND)
                seconds = FIRST_SECOND;
        if (seconds > LAST_SECOND)
                seconds = LAST_SECOND;
        days = seconds / DAY - (seconds % DAY < 0);
        rest = seconds - days * DAY;
        date_from_days(days, &year, &month, &day);
        to = put_digits(to, year, 4);
        *to++ = '-';
        to = put_digits(to, month, 2);
        *to++ = '-';
        to = put_digits(to, day, 2);
        *to++ = 'T';
        to = put_digits(to, (int)(rest / 3600), 2);
        *to++ = ':';
        to = put_digits(to, (int)(rest / 60 % 60), 2);
        *to++ = ':';
        to = put_digits(to, (int)(rest % 60), 2);
        if (micro) {
                *to++ = '.';
                to = put_digits(to, time->nanoseconds / 1000, 6);
        }
        *to++ = 'Z';
        *to = '\0';
        return (size_t)(to - ret_text);
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool kube_quantity_parse(const char *text, size_t length, struct quantity *ret_quantity) {
        char copy[KUBE_QUANTITY_TEXT_MAX + 1];

        while (length > 0 && is_blank(text[0])) {
                text++;
                length--;
        }
        while (length > 0 && is_blank(text[length - 1]))
                length--;
        if (length > KUBE_QUANTITY_TEXT_MAX)
                return false;
        memcpy(copy, text, length);
        copy[length] = '\0';
        return strlen(copy) == length && quantity_parse(copy, ret_quantity, NULL) == 0;
}

static size_t skip_line_ends(const char *text, size_t at, size_t length) {
        while (at < length && (text[at] == '\n' || text[at] == '\r'))
                at++;
        return at;
}

/* Behind the padding, of which the first character is at @at and @wanted have to be there. */
static size_t stop_behind_padding(const char *text, size_t at, size_t length, unsigned wanted) {
        size_t next = skip_line_ends(text, at + 1, length);

        if (wanted == 1 || next == length)
                return next;
        return text[next] == '=' ? skip_line_ends(text, next + 1, length) : next - 1;
}

size_t kube_base64_stop(const char *text, size_t length) {
        unsigned taken = 0; /* of four */

        for (size_t i = 0; i < length; i++) {
                char c = text[i];

                if (c == '\n' || c == '\r')
                        continue;
                if (c == '=' && taken >= 2)
                        return stop_behind_padding(text, i, length, 4 - taken);
                if (!isalnum((unsigned char)c) && c != '+' && c != '/')
                        return i;
                taken = (taken + 1) % 4;
        }
        return length - taken;
}

bool kube_base64_parse(const char *text, size_t length, uint8_t *ret_data, uint32_t *ret_length) {
        struct base64_decoder decoder = { 0 };
        size_t characters = 0, size = 0;

        for (size_t i = 0; i < length;) {
                size_t run = i;
                int64_t n;

                while (run < length && text[run] != '\n' && text[run] != '\r')
                        run++;
                n = base64_decode(&decoder, text + i, run - i, ret_data + size);
                if (n < 0)
                        return false;
                characters += run - i;
                size += (size_t)n;
                for (i = run; i < length && (text[i] == '\n' || text[i] == '\r');)
                        i++;
        }
        *ret_length = (uint32_t)size;
        return characters % 4 == 0;
}

/* Go writes 1e-7 and 1e+21 where C has 1e-07 and 1e+21. */
static size_t trim_exponent(char *text) {
        char *e = strchr(text, 'e'), *digit;

        if (e && e[1] == '-') {
                digit = e + 2;
                if (digit[0] == '0' && digit[1] != '\0')
                        memmove(digit, digit + 1, strlen(digit));
        }
        return strlen(text);
}

/* "1.25e+4" as "12500": Go fills up with zeros behind the digits that matter. @text is rewritten. */
static void write_whole(char *text, int zeros) {
        char *to = text;

        for (const char *p = text; *p != 'e'; p++)
                if (*p != '.')
                        *to++ = *p;
        memset(to, '0', (size_t)zeros);
        to[zeros] = '\0';
}

size_t kube_double_format(double number, char ret_text[KUBE_DOUBLE_TEXT_MAX]) {
        double size = fabs(number);
        bool plain = number == 0 || (size >= 1e-6 && size < 1e21);

        for (int precision = 0; precision <= 17; precision++) {
                snprintf(ret_text, KUBE_DOUBLE_TEXT_MAX, "%.*e", precision, number);
                if (strtod(ret_text, NULL) != number)
                        continue;
                if (plain) { /* as many places as the exponent leaves of the digits */
                        int places = precision - atoi(strchr(ret_text, 'e') + 1);

                        if (places < 0)
                                write_whole(ret_text, -places);
                        else
                                snprintf(ret_text, KUBE_DOUBLE_TEXT_MAX, "%.*f", places, number);
                }
                break;
        }
        return trim_exponent(ret_text);
}
