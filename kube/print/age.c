#include "kube/print/age.h"

#include <stdio.h>

#define NANOSECONDS 1000000000
#define GO_ZERO_SECONDS INT64_C(-62135596800) /* 0001-01-01T00:00:00Z, which Go takes for no time */

/* A Go duration ends after 292 years, and stays there. */
#define LONGEST_SECONDS (INT64_MAX / NANOSECONDS)

struct age_form {
        int64_t below; /* hours */
        int64_t unit;  /* hours of the first number */
        char name;
        int64_t rest_unit, rest_modulo; /* of the second number, left out when it is 0; 0: there is none */
        char rest_name;
};

static const struct age_form forms[] = {
        { 48, 1, 'h', 0, 0, 0 },
        { 24 * 8, 24, 'd', 1, 24, 'h' },
        { 24 * 365 * 2, 24, 'd', 0, 0, 0 },
        { 24 * 365 * 8, 24 * 365, 'y', 24, 365, 'd' },
        { INT64_MAX, 24 * 365, 'y', 0, 0, 0 },
};

static void print_pair(int64_t first, char first_name, int64_t rest, char rest_name, char text[PRINT_AGE_MAX]) {
        if (rest == 0)
                snprintf(text, PRINT_AGE_MAX, "%lld%c", (long long)first, first_name);
        else
                snprintf(text, PRINT_AGE_MAX, "%lld%c%lld%c", (long long)first, first_name, (long long)rest, rest_name);
}

static void print_hours(int64_t hours, char text[PRINT_AGE_MAX]) {
        const struct age_form *form = forms;

        while (hours >= form->below)
                form++;
        print_pair(hours / form->unit, form->name, form->rest_unit ? hours / form->rest_unit % form->rest_modulo : 0,
                   form->rest_name, text);
}

const char *print_duration(int64_t seconds, char ret_text[PRINT_AGE_MAX]) {
        int64_t minutes = seconds / 60;

        if (seconds < -1)
                snprintf(ret_text, PRINT_AGE_MAX, "<invalid>");
        else if (seconds < 0)
                snprintf(ret_text, PRINT_AGE_MAX, "0s");
        else if (seconds < 120)
                snprintf(ret_text, PRINT_AGE_MAX, "%llds", (long long)seconds);
        else if (minutes < 10)
                print_pair(minutes, 'm', seconds % 60, 's', ret_text);
        else if (minutes < 180)
                snprintf(ret_text, PRINT_AGE_MAX, "%lldm", (long long)minutes);
        else if (minutes < 8 * 60)
                print_pair(minutes / 60, 'h', minutes % 60, 'm', ret_text);
        else
                print_hours(minutes / 60, ret_text);
        return ret_text;
}

const char *print_between(const struct kube_time *from, const struct kube_time *to, char ret_text[PRINT_AGE_MAX]) {
        int64_t seconds, nanoseconds = (int64_t)to->nanoseconds - from->nanoseconds;

        if (__builtin_sub_overflow(to->seconds, from->seconds, &seconds) || seconds > LONGEST_SECONDS ||
            seconds < -LONGEST_SECONDS)
                seconds = to->seconds > from->seconds ? LONGEST_SECONDS : -LONGEST_SECONDS;
        if (seconds > 0 && nanoseconds < 0)
                seconds--;
        else if (seconds < 0 && nanoseconds > 0)
                seconds++;
        return print_duration(seconds, ret_text);
}

const char *print_age(const struct kube_time *then, const struct kube_time *now, char ret_text[PRINT_AGE_MAX]) {
        if (!then->set || (then->seconds == GO_ZERO_SECONDS && then->nanoseconds == 0)) {
                snprintf(ret_text, PRINT_AGE_MAX, "<unknown>");
                return ret_text;
        }
        return print_between(then, now, ret_text);
}
