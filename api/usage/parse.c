#include "api/usage/parse.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define TIME_MAX_MS INT64_C(253402300800000) /* the year 10000 */

static const struct family {
        const char *name;
        enum usage_metric metric;
        bool of_container;
} families[] = {
        { "node_cpu_usage_seconds_total", USAGE_CPU, false },
        { "node_memory_working_set_bytes", USAGE_MEMORY, false },
        { "container_cpu_usage_seconds_total", USAGE_CPU, true },
        { "container_memory_working_set_bytes", USAGE_MEMORY, true },
        { "container_start_time_seconds", USAGE_START, true },
};

static const struct family *find(const char *name, size_t n) {
        for (size_t i = 0; i < ELEMENTS(families); i++)
                if (strlen(families[i].name) == n && memcmp(families[i].name, name, n) == 0)
                        return &families[i];
        return NULL;
}

static char *skip_blanks(char *at) {
        return at + strspn(at, " \t");
}

/* The text between quotes, unescaped where it stands. NULL: it has no end. */
static char *read_quoted(char *at, char **ret_text) {
        char *out = at;

        *ret_text = at;
        for (; *at != '"'; at++) {
                bool escaped = *at == '\\';

                at += escaped;
                if (*at == '\0')
                        return NULL;
                *out++ = escaped && *at == 'n' ? '\n' : *at;
        }
        *out = '\0';
        return at + 1;
}

static void take_label(struct usage_sample *sample, const char *name, size_t n, const char *value) {
        const struct {
                const char *name;
                const char **at;
        } wanted[] = { { "namespace", &sample->namespace },
                       { "pod", &sample->pod },
                       { "container", &sample->container } };

        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                if (strlen(wanted[i].name) == n && memcmp(wanted[i].name, name, n) == 0)
                        *wanted[i].at = value;
}

/* {NAME="VALUE",...}, behind the brace. NULL: it is none. */
static char *read_labels(char *at, struct usage_sample *sample) {
        for (unsigned n = 0; n <= USAGE_LABELS_MAX; n++) {
                char *name = at = skip_blanks(at), *value;
                size_t length;

                if (*at == '}')
                        return at + 1;
                length = strcspn(at, "= \t\",{}");
                at = skip_blanks(at + length);
                if (length == 0 || *at != '=')
                        return NULL;
                at = skip_blanks(at + 1);
                at = *at == '"' ? read_quoted(at + 1, &value) : NULL;
                if (!at)
                        return NULL;
                take_label(sample, name, length, value);
                at = skip_blanks(at);
                if (*at == ',')
                        at++;
                else if (*at != '}')
                        return NULL;
        }
        return NULL;
}

/* VALUE [TIME]. Whether it is; *@ret_counts: a number that something may have used. */
static bool read_numbers(char *at, struct usage_sample *sample, bool *ret_counts) {
        char *end;
        double time = 0;

        at = skip_blanks(at);
        if (strpbrk(at, "xXpP"))
                return false;
        sample->value = strtod(at, &end);
        if (end == at || (*end && !strchr(" \t", *end)))
                return false;
        at = skip_blanks(end);
        if (*at) {
                time = strtod(at, &end);
                if (end == at || *skip_blanks(end))
                        return false;
        }
        *ret_counts = isfinite(sample->value) && sample->value >= 0 && time >= 0 && time < (double)TIME_MAX_MS;
        sample->at_ms = *ret_counts ? (int64_t)time : 0;
        return true;
}

/* 0, -EINVAL, or what @sampled says. */
static int parse_line(char *line, usage_sampled sampled, void *data) {
        struct usage_sample sample = { .namespace = "", .pod = "", .container = "" };
        size_t n = strcspn(line, "{ \t");
        const struct family *family = find(line, n);
        bool counts = false;
        char *at = line + n;

        if (!family)
                return 0;
        sample.metric = family->metric;
        at = skip_blanks(at);
        if (*at == '{')
                at = read_labels(at + 1, &sample);
        if (!at || !read_numbers(at, &sample, &counts))
                return -EINVAL;
        if (family->of_container && (!*sample.namespace || !*sample.pod || !*sample.container))
                return -EINVAL;
        if (!family->of_container)
                sample.namespace = sample.pod = sample.container = "";
        return counts ? sampled(data, &sample) : 0;
}

int usage_parse(char *text, size_t length, usage_sampled sampled, void *data, struct err **err) {
        unsigned number = 1;
        int r;

        text[length] = '\0';
        if (strlen(text) != length)
                return err_set(err, EINVAL, "byte %zu of the metrics is NUL", strlen(text));
        for (char *line = text, *next; *line; line = next, number++) {
                size_t n = strcspn(line, "\n");

                next = line + n + (line[n] == '\n');
                line[n] = '\0';
                if (n > 0 && line[n - 1] == '\r')
                        line[n - 1] = '\0';
                r = parse_line(skip_blanks(line), sampled, data);
                if (r == -EINVAL)
                        return err_set(err, EINVAL, "line %u of the metrics: no sample: %.64s", number, line);
                if (r < 0)
                        return r;
        }
        return 0;
}
