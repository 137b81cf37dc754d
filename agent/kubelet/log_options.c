#include "agent/kubelet/log_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kube/scalar.h"
#include "lib/http/message.h"

#define SECOND INT64_C(1000000000)

struct reading {
        struct arena *arena;
        const char *query;
};

static const char *get(const struct reading *r, const char *name) {
        return http_query(r->arena, r->query, name);
}

/* As apimachinery converts a parameter: "0" and "false" are false, all else is true. */
static bool get_bool(const struct reading *r, const char *name) {
        const char *text = get(r, name);

        return text && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0;
}

/* strconv.ParseInt() in decimal. -ENODATA: it is not there; -EBADMSG: it is no number. */
static int get_number(const struct reading *r, const char *name, int64_t *ret_number) {
        const char *text = get(r, name), *digits;
        char *end;

        if (!text)
                return -ENODATA;
        digits = text + (*text == '-' || *text == '+');
        errno = 0;
        *ret_number = strtoll(text, &end, 10);
        return *digits < '0' || *digits > '9' || *end || errno ? -EBADMSG : 0;
}

/* A number that has to be at least @least. */
static int get_least(const struct reading *r, const char *name, int64_t least, int64_t *number) {
        int64_t given;
        int e = get_number(r, name, &given);

        if (e < 0)
                return e == -ENODATA ? 0 : e;
        if (given < least)
                return -EINVAL;
        *number = given;
        return 0;
}

/* What stands behind the seconds of @text, a time: a log's times are that exact. */
static int64_t nanoseconds_of(const char *text) {
        const char *at = strchr(text, '.');
        int64_t ns = 0;

        for (int i = 0; at && i < 9; i++)
                ns = ns * 10 + (at[1] >= '0' && at[1] <= '9' ? *++at - '0' : 0);
        return ns;
}

/* "tail" is how it was once called. */
static int read_tail(const struct reading *r, int64_t *ret_lines) {
        const char *tail = get(r, "tail");

        if (tail && strcmp(tail, "all") == 0)
                return 0;
        return get_least(r, tail && *tail ? "tail" : "tailLines", 0, ret_lines);
}

static int read_since(const struct reading *r, int64_t now, int64_t *ret_ns) {
        const char *text = get(r, "sinceTime");
        struct kube_time time = { 0 };
        int64_t seconds = 0;
        int e = get_least(r, "sinceSeconds", 1, &seconds);

        if (text && *text && strcmp(text, "null") != 0 && !kube_time_parse(text, strlen(text), false, &time))
                return -EBADMSG;
        if (e < 0)
                return e;
        if (seconds > 0 && time.set)
                return -EINVAL;
        if (time.set)
                *ret_ns = time.seconds * SECOND + nanoseconds_of(text);
        else if (seconds > 0)
                *ret_ns = seconds < now / SECOND ? now - seconds * SECOND : 0;
        return 0;
}

static int read_stream(const struct reading *r, struct logs_options *options) {
        const char *stream = get(r, "stream");

        if (!stream || strcmp(stream, "All") == 0)
                return 0;
        options->no_stderr = strcmp(stream, "Stdout") == 0;
        options->no_stdout = strcmp(stream, "Stderr") == 0;
        if (!options->no_stderr && !options->no_stdout)
                return -EINVAL;
        return options->tail_lines >= 0 ? -EINVAL : 0;
}

int kubelet_log_options_read(struct arena *arena, const char *query, int64_t now,
                             struct kubelet_log_options *ret_options) {
        const struct reading reading = { arena, query };
        struct kubelet_log_options options = { .logs = LOGS_OPTIONS_ALL };
        int tail = read_tail(&reading, &options.logs.tail_lines),
            limit = get_least(&reading, "limitBytes", 1, &options.logs.limit_bytes),
            since = read_since(&reading, now, &options.logs.since_ns), stream = read_stream(&reading, &options.logs);

        if (tail == -EBADMSG || limit == -EBADMSG || since == -EBADMSG)
                return -EBADMSG;
        if (tail < 0 || limit < 0 || since < 0 || stream < 0)
                return -EINVAL;
        options.logs.follow = get_bool(&reading, "follow");
        options.logs.timestamps = get_bool(&reading, "timestamps");
        options.previous = get_bool(&reading, "previous");
        *ret_options = options;
        return 0;
}
