#include "agent/kubelet/journal_entry.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/kubelet/journal.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

#define SHOWN_MAX 300 /* what is longer of a host's, program's or process's name is not shown at all */

bool journal_entry_get(const struct systemd *library, sd_journal *journal, const char *field,
                       struct journal_text *ret_text) {
        size_t length, name = strlen(field) + 1;
        const void *data;

        if (library->journal_get_data(journal, field, &data, &length) < 0 || length < name)
                return false;
        *ret_text = (struct journal_text){ (const char *)data + name, length - name };
        return true;
}

/* -- characters -------------------------------------------------------------------------------------------- */

static bool is_control(int32_t rune) {
        return (rune < ' ' && rune != '\t' && rune != '\n') || (rune >= 0x7f && rune <= 0x9f);
}

/* UTF-8 without control characters. */
static bool is_printable(const char *text, size_t length) {
        for (size_t at = 0; at < length;) {
                int32_t rune;

                at += go_text_rune(text + at, length - at, &rune);
                if (rune < 0 || is_control(rune))
                        return false;
        }
        return true;
}

/* The bytes of a terminal's sequence at @text: colours, and links; 0: there is none. */
static size_t sequence_at(const char *text, size_t length) {
        bool colour = length > 1 && text[1] == '[', link = length > 1 && text[1] == ']';

        if (*text != '\033' || (!colour && !link))
                return 0;
        for (size_t i = 2; i < length; i++) {
                if (colour ? text[i] == 'm' : text[i] == '\a')
                        return i + 1;
                if (colour ? !strchr("0123456789;", text[i]) || !text[i] : text[i] < 32 || text[i] > 126)
                        return 0;
        }
        return 0;
}

/* Without sequences, and with blanks for tabs. NULL without memory. */
static char *plain(const char *text, size_t length, size_t *ret_length) {
        _cleanup_free_ char *copy = NULL;
        FILE *out = open_memstream(&copy, ret_length);

        if (!out)
                return NULL;
        for (size_t i = 0; i < length;) {
                size_t skipped = sequence_at(text + i, length - i);

                if (skipped == 0 && text[i] == '\t')
                        fputs("        ", out);
                else if (skipped == 0)
                        fputc(text[i], out);
                i += skipped ?: 1;
        }
        return fclose(out) == 0 ? TAKE_PTR(copy) : NULL;
}

/* -- what stands before the message ------------------------------------------------------------------------ */

static uint64_t time_of(const struct systemd *library, sd_journal *journal) {
        struct journal_text text;
        uint64_t usec = 0;
        char digits[32];

        if (journal_entry_get(library, journal, "_SOURCE_REALTIME_TIMESTAMP", &text) && text.length < sizeof(digits)) {
                memcpy(digits, text.text, text.length);
                digits[text.length] = '\0';
                usec = strtoull(digits, NULL, 10);
        }
        if (usec == 0 || usec > INT64_MAX)
                library->journal_get_realtime_usec(journal, &usec);
        return usec;
}

static size_t write_time(uint64_t usec, FILE *out) {
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t seconds = (time_t)(usec / 1000000);
        struct tm tm = { 0 };

        gmtime_r(&seconds, &tm);
        return (size_t)fprintf(out, "%.3s %02d %02d:%02d:%02d.%06" PRIu64, months + (size_t)tm.tm_mon * 3, tm.tm_mday,
                               tm.tm_hour, tm.tm_min, tm.tm_sec, usec % 1000000);
}

/* The first of the two fields that can be shown, between @before and @after. */
static size_t write_first(const struct systemd *library, sd_journal *journal, const char *const fields[2],
                          const char *const around[2], FILE *out) {
        struct journal_text text;

        for (int i = 0; i < 2; i++)
                if (fields[i] && journal_entry_get(library, journal, fields[i], &text) && text.length < SHOWN_MAX &&
                    is_printable(text.text, text.length))
                        return (size_t)fprintf(out, "%s%.*s%s", around[0], (int)text.length, text.text, around[1]);
        return 0;
}

static size_t write_head(const struct systemd *library, sd_journal *journal, FILE *out) {
        static const char *const host[2] = { "_HOSTNAME" }, *const program[2] = { "SYSLOG_IDENTIFIER", "_COMM" },
                                 *const process[2] = { "_PID", "SYSLOG_PID" };
        static const char *const blank[2] = { " ", "" }, *const brackets[2] = { "[", "]" };
        size_t width = write_time(time_of(library, journal), out), name;

        width += write_first(library, journal, host, blank, out);
        name = write_first(library, journal, program, blank, out);
        width += name ?: (size_t)fprintf(out, " unknown");
        width += write_first(library, journal, process, brackets, out);
        return width + (size_t)fprintf(out, ": ");
}

/* -- the message ------------------------------------------------------------------------------------------- */

/* As format_bytes() of systemd: 22B, 1.5K. */
static void write_size(size_t size, FILE *out) {
        static const char units[] = "KMG";
        size_t rest = size, below = 0;
        int unit = -1;

        for (; rest >= 1024 && unit < 2; unit++) {
                below = rest * 10 / 1024 % 10;
                rest /= 1024;
        }
        if (unit < 0)
                fprintf(out, "%zuB", size);
        else
                fprintf(out, "%zu.%zu%c", rest, below, units[unit]);
}

/* Further lines stand below the first. A message of line ends alone would be hundreds of times as long. */
static void write_lines(const char *text, size_t length, size_t width, FILE *out) {
        size_t at = 0, shown = 0;

        do {
                const char *end = at < length ? memchr(text + at, '\n', length - at) : NULL;
                size_t n = end ? (size_t)(end - text) - at : length - at;

                fprintf(out, "%*s", at > 0 ? (int)width : 0, "");
                fwrite(text + at, 1, n, out);
                fputc('\n', out);
                shown += width + n + 1;
                at += n + 1;
        } while (at < length && shown < JOURNAL_SHOWN_MAX);
}

bool journal_entry_write(const struct systemd *library, sd_journal *journal, FILE *out) {
        _cleanup_free_ char *message = NULL;
        struct journal_text text;
        size_t length, width;

        if (!journal_entry_get(library, journal, "MESSAGE", &text))
                return false;
        if (text.length > JOURNAL_MESSAGE_MAX)
                text.length = JOURNAL_MESSAGE_MAX;
        if (!(message = plain(text.text, text.length, &length)))
                return false;
        width = write_head(library, journal, out);
        if (is_printable(message, length)) {
                write_lines(message, length, width, out);
                return true;
        }
        fputc('[', out);
        write_size(length, out);
        fputs(" blob data]\n", out);
        return true;
}
