#include "lib/metrics.h"

#include <math.h>
#include <string.h>

#define OPEN_TYPE "application/openmetrics-text"
#define TOTAL "_total"

static void write_escaped(FILE *out, const char *text, bool quotes) {
        for (; *text; text++)
                switch (*text) {
                case '\\':
                        fputs("\\\\", out);
                        break;
                case '\n':
                        fputs("\\n", out);
                        break;
                case '"':
                        fputs(quotes ? "\\\"" : "\"", out);
                        break;
                default:
                        fputc(*text, out);
                }
}

/* The shortest text that reads as the same number. */
static void write_number(FILE *out, double number, bool point) {
        char text[32];

        if (!isfinite(number)) {
                fputs(isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf", out);
                return;
        }
        for (int digits = 15; digits <= 17; digits++) {
                double same = 0;

                snprintf(text, sizeof(text), "%.*g", digits, number);
                if (sscanf(text, "%lf", &same) == 1 && same == number)
                        break;
        }
        fputs(text, out);
        if (point && !strpbrk(text, ".en"))
                fputs(".0", out);
}

static void write_label(struct metrics_writer *w, const struct metrics_label *label, bool first) {
        fprintf(w->out, "%s%s=\"", first ? "{" : ",", label->name);
        write_escaped(w->out, label->value, true);
        fputc('"', w->out);
}

static void write_value(struct metrics_writer *w, const char *suffix, const struct metrics_label *labels, unsigned n,
                        double value) {
        fprintf(w->out, "%s%s", w->family, suffix);
        for (unsigned i = 0; i < n; i++)
                write_label(w, &labels[i], i == 0);
        fputs(n > 0 ? "} " : " ", w->out);
        write_number(w->out, value, false);
}

static void write_line(struct metrics_writer *w, const char *suffix, const struct metrics_label *labels, unsigned n,
                       double value) {
        write_value(w, suffix, labels, n, value);
        fputc('\n', w->out);
}

static bool is_total(const char *name) {
        size_t n = strlen(name);

        return n > strlen(TOTAL) && strcmp(name + n - strlen(TOTAL), TOTAL) == 0;
}

/* OpenMetrics calls the family of a counter by what stands before its "_total". */
void metrics_family(struct metrics_writer *w, const char *name, enum metrics_type type, const char *help) {
        static const char *const types[] = { "counter", "gauge", "histogram" };
        size_t n = strlen(name) - (w->open && type == METRICS_COUNTER && is_total(name) ? strlen(TOTAL) : 0);

        w->family = name;
        w->type = type;
        fprintf(w->out, "# HELP %.*s ", (int)n, name);
        write_escaped(w->out, help, w->open);
        fprintf(w->out, "\n# TYPE %.*s %s\n", (int)n, name, types[type]);
}

void metrics_sample(struct metrics_writer *w, const struct metrics_label *labels, unsigned n, double value) {
        bool lacks = w->open && w->type == METRICS_COUNTER && !is_total(w->family);

        write_line(w, lacks ? TOTAL : "", labels, n, value);
}

/* OpenMetrics has seconds where the older format has milliseconds. */
void metrics_sample_at(struct metrics_writer *w, const struct metrics_label *labels, unsigned n, double value,
                       int64_t ms) {
        bool lacks = w->open && w->type == METRICS_COUNTER && !is_total(w->family);

        write_value(w, lacks ? TOTAL : "", labels, n, value);
        if (w->open)
                fprintf(w->out, " %lld.%03d\n", (long long)(ms / 1000), (int)(ms % 1000));
        else
                fprintf(w->out, " %lld\n", (long long)ms);
}

static void write_bucket(struct metrics_writer *w, const struct metrics_label *labels, unsigned n, double end,
                         uint64_t count) {
        fprintf(w->out, "%s_bucket", w->family);
        for (unsigned i = 0; i < n; i++)
                write_label(w, &labels[i], i == 0);
        fprintf(w->out, "%sle=\"", n > 0 ? "," : "{");
        if (isinf(end))
                fputs("+Inf", w->out);
        else
                write_number(w->out, end, w->open);
        fprintf(w->out, "\"} %llu\n", (unsigned long long)count);
}

void metrics_sample_histogram(struct metrics_writer *w, const struct metrics_label *labels, unsigned n,
                              const struct metrics_buckets *buckets, const struct metrics_histogram *histogram) {
        uint64_t count = 0;

        for (unsigned i = 0; i <= buckets->n; i++) {
                count += histogram->counts[i];
                write_bucket(w, labels, n, i < buckets->n ? buckets->ends[i] : INFINITY, count);
        }
        write_line(w, "_sum", labels, n, histogram->sum);
        write_line(w, "_count", labels, n, (double)count);
}

void metrics_one(struct metrics_writer *w, const char *name, enum metrics_type type, const char *help, double value) {
        metrics_family(w, name, type, help);
        metrics_sample(w, NULL, 0, value);
}

void metrics_count(uint64_t *counter, int64_t more) {
        __atomic_store_n(counter, *counter + (uint64_t)more, __ATOMIC_RELAXED);
}

uint64_t metrics_read(const uint64_t *counter) {
        return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void metrics_observe(struct metrics_histogram *histogram, const struct metrics_buckets *buckets, double value) {
        double sum = histogram->sum + value;
        unsigned i = 0;

        while (i < buckets->n && value > buckets->ends[i])
                i++;
        metrics_count(&histogram->counts[i], 1);
        __atomic_store(&histogram->sum, &sum, __ATOMIC_RELAXED);
}

void metrics_add(struct metrics_histogram *to, const struct metrics_histogram *histogram) {
        double sum;

        for (unsigned i = 0; i < METRICS_BUCKETS_MAX; i++)
                to->counts[i] += metrics_read(&histogram->counts[i]);
        __atomic_load(&histogram->sum, &sum, __ATOMIC_RELAXED);
        to->sum += sum;
}

void metrics_end(struct metrics_writer *w) {
        if (w->open)
                fputs("# EOF\n", w->out);
}

bool metrics_wants_open(const char *accept) {
        return accept && strstr(accept, OPEN_TYPE);
}

const char *metrics_content_type(bool open) {
        return open ? OPEN_TYPE "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
}
