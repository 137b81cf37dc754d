#include "agent/kubelet/journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/kubelet/journal_entry.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/mapping_guard.h"
#include "lib/pattern.h"

#define MATCH_MAX (LOG_QUERY_SERVICE_MAX + 64) /* NAME=VALUE, with a NUL */
#define BOOT_MATCH "_BOOT_ID="
#define BOOT_TEXT_MAX (sizeof(BOOT_MATCH) + 32)

/* A journal that is open, and what of it is asked for. */
struct reader {
        const struct systemd *library;
        sd_journal *journal;
        const struct kubelet_log_query *query;
        struct pattern *pattern; /* NULL: none */
        struct journal_place *place;
        int64_t began; /* ms, monotonic */
        FILE *out;
        struct mapping_guard guard; /* the library maps files, which their writers cut when they are full */
};

static bool is_late(const struct reader *r) {
        return atomic_load(&r->place->unwanted) ||
               r->place->spent + clock_ms(CLOCK_MONOTONIC) - r->began > JOURNAL_QUERY_MS;
}

/* -- units ------------------------------------------------------------------------------------------------- */

/* A name without a type of unit is a service's. */
static const char *unit_suffix(const char *name) {
        static const char *const types[] = { ".service", ".socket", ".mount", ".timer",  ".slice",    ".scope",
                                             ".target",  ".path",   ".swap",  ".device", ".automount" };
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && i < ELEMENTS(types); i++)
                if (strcmp(dot, types[i]) == 0)
                        return "";
        return ".service";
}

static void add(const struct reader *r, const char *field, const char *name) {
        char match[MATCH_MAX];

        snprintf(match, sizeof(match), "%s=%s%s", field, name, unit_suffix(name));
        r->library->journal_add_match(r->journal, match, 0);
}

static void add_fixed(const struct reader *r, const char *match) {
        r->library->journal_add_match(r->journal, match, 0);
}

/* What it has written, and what others who may have written of it. */
static void add_unit(const struct reader *r, const char *name) {
        add(r, "_SYSTEMD_UNIT", name);
        r->library->journal_add_disjunction(r->journal);
        add_fixed(r, "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1"); /* a core dump */
        add_fixed(r, "_UID=0");
        add(r, "COREDUMP_UNIT", name);
        r->library->journal_add_disjunction(r->journal);
        add_fixed(r, "_PID=1");
        add(r, "UNIT", name);
        r->library->journal_add_disjunction(r->journal);
        add_fixed(r, "_UID=0");
        add(r, "OBJECT_SYSTEMD_UNIT", name);
        r->library->journal_add_disjunction(r->journal);
        if (strlen(name) > 6 && strcmp(name + strlen(name) - 6, ".slice") == 0) {
                add(r, "_SYSTEMD_SLICE", name);
                r->library->journal_add_disjunction(r->journal);
        }
}

static bool open_journal(struct reader *r) {
        mapping_guard_enter(&r->guard);
        if (!(r->library = systemd_load(NULL)) || r->library->journal_open(&r->journal, SD_JOURNAL_LOCAL_ONLY) < 0)
                return false;
        r->library->journal_set_data_threshold(r->journal, JOURNAL_MESSAGE_MAX + MATCH_MAX);
        return true;
}

static void close_journal(struct reader *r) {
        if (r->library && r->journal)
                r->library->journal_close(r->journal);
        pattern_free(r->pattern);
        mapping_guard_leave(&r->guard);
}

bool journal_has_service(const char *service) {
        struct reader r = { 0 };
        bool has = false;

        if (open_journal(&r)) {
                add(&r, "_SYSTEMD_UNIT", service);
                has = r.library->journal_seek_head(r.journal) >= 0 && r.library->journal_next(r.journal) > 0;
        }
        close_journal(&r);
        return has;
}

/* -- boots ------------------------------------------------------------------------------------------------- */

static void boot_match(sd_id128_t boot, char ret_match[BOOT_TEXT_MAX]) {
        strcpy(ret_match, BOOT_MATCH);
        for (size_t i = 0; i < sizeof(boot.bytes); i++)
                sprintf(ret_match + strlen(BOOT_MATCH) + 2 * i, "%02x", boot.bytes[i]);
}

static bool this_boot(char ret_match[BOOT_TEXT_MAX]) {
        _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        char text[64], *to = ret_match + strlen(BOOT_MATCH);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

        strcpy(ret_match, BOOT_MATCH);
        for (ssize_t i = 0; i < n && to < ret_match + BOOT_TEXT_MAX - 1; i++)
                if (isxdigit((unsigned char)text[i]))
                        *to++ = text[i];
        *to = '\0';
        return n > 0;
}

static bool boot_of_entry(const struct reader *r, sd_id128_t *ret_boot) {
        uint64_t usec;

        return r->library->journal_get_monotonic_usec(r->journal, &usec, ret_boot) >= 0;
}

/* The boot of the entry before the first of @boot's. */
static bool boot_before(const struct reader *r, sd_id128_t *boot) {
        char match[BOOT_TEXT_MAX];
        sd_id128_t before;
        uint64_t first;
        bool found;

        boot_match(*boot, match);
        add_fixed(r, match);
        found = r->library->journal_seek_head(r->journal) >= 0 && r->library->journal_next(r->journal) > 0 &&
                r->library->journal_get_realtime_usec(r->journal, &first) >= 0;
        r->library->journal_flush_matches(r->journal);
        if (!found || r->library->journal_seek_realtime_usec(r->journal, first) < 0)
                return false;
        while (!is_late(r) && r->library->journal_previous(r->journal) > 0 && boot_of_entry(r, &before))
                if (memcmp(before.bytes, boot->bytes, sizeof(before.bytes)) != 0) {
                        *boot = before;
                        return true;
                }
        return false;
}

/* Before there are any other matches. False: the journal does not go back so far. */
static bool find_boot(const struct reader *r, int64_t offset, char ret_match[BOOT_TEXT_MAX]) {
        sd_id128_t boot;

        if (offset == 0)
                return this_boot(ret_match);
        if (offset < -JOURNAL_BOOTS_MAX || r->library->journal_seek_tail(r->journal) < 0 ||
            r->library->journal_previous(r->journal) <= 0 || !boot_of_entry(r, &boot))
                return false;
        for (; offset < 0; offset++)
                if (is_late(r) || !boot_before(r, &boot))
                        return false;
        boot_match(boot, ret_match);
        return true;
}

/* -- entries ----------------------------------------------------------------------------------------------- */

static bool add_matches(const struct reader *r) {
        const struct kubelet_log_query *q = r->query;
        char boot[BOOT_TEXT_MAX];

        if (q->options.has_boot) {
                if (!find_boot(r, q->options.boot, boot))
                        return false;
                add_fixed(r, boot);
                r->library->journal_add_conjunction(r->journal);
        }
        for (uint32_t i = 0; i < q->n_services; i++)
                add_unit(r, q->services[i]);
        r->library->journal_add_conjunction(r->journal);
        return true;
}

static bool matches(const struct reader *r) {
        struct journal_text text;

        return !r->pattern || (journal_entry_get(r->library, r->journal, "MESSAGE", &text) &&
                               pattern_matches(r->pattern, text.text, text.length));
}

static uint64_t realtime(const struct reader *r) {
        uint64_t usec = 0;

        r->library->journal_get_realtime_usec(r->journal, &usec);
        return usec;
}

/* To the first of the last entries that are wanted. Whether there is one. */
static bool go_to_tail(const struct reader *r) {
        const struct kubelet_log_query_options *o = &r->query->options;
        _cleanup_free_ char *first = NULL;
        int64_t n = 0;

        if (o->has_until)
                r->library->journal_seek_realtime_usec(r->journal, (uint64_t)o->until_usec + 1);
        else
                r->library->journal_seek_tail(r->journal);
        while (n < o->tail_lines && !is_late(r) && r->library->journal_previous(r->journal) > 0) {
                if (o->has_since && realtime(r) < (uint64_t)o->since_usec)
                        break;
                if (!matches(r))
                        continue;
                n++;
                free(TAKE_PTR(first));
                if (r->library->journal_get_cursor(r->journal, &first) < 0)
                        return false;
        }
        return first && r->library->journal_seek_cursor(r->journal, first) >= 0 &&
               r->library->journal_next(r->journal) > 0;
}

/* To the entry that is next. Whether there is one. */
static bool go_on(const struct reader *r) {
        const struct kubelet_log_query_options *o = &r->query->options;
        const char *last = r->place->cursor;

        if (last)
                return r->library->journal_seek_cursor(r->journal, last) >= 0 &&
                       r->library->journal_next(r->journal) > 0 &&
                       (r->library->journal_test_cursor(r->journal, last) <= 0 ||
                        r->library->journal_next(r->journal) > 0);
        if (o->tail_lines >= 0)
                return go_to_tail(r);
        if (o->has_since)
                r->library->journal_seek_realtime_usec(r->journal, (uint64_t)o->since_usec);
        else
                r->library->journal_seek_head(r->journal);
        return r->library->journal_next(r->journal) > 0;
}

static void tell_boot(const struct reader *r) {
        char match[BOOT_TEXT_MAX];
        sd_id128_t boot;

        if (!boot_of_entry(r, &boot))
                return;
        boot_match(boot, match);
        if (r->place->shown > 0 && memcmp(r->place->boot, boot.bytes, sizeof(boot.bytes)) != 0)
                fprintf(r->out, "-- Boot %s --\n", match + strlen(BOOT_MATCH));
        memcpy(r->place->boot, boot.bytes, sizeof(boot.bytes));
}

static void show(struct reader *r) {
        struct journal_text text;

        if (!journal_entry_get(r->library, r->journal, "MESSAGE", &text))
                return;
        tell_boot(r);
        r->place->shown += journal_entry_write(r->library, r->journal, r->out);
}

/* Whether the entry is none of those any more. */
static bool is_behind(const struct reader *r) {
        const struct kubelet_log_query_options *o = &r->query->options;

        return (o->has_until && realtime(r) > (uint64_t)o->until_usec) ||
               (o->tail_lines >= 0 && r->place->shown >= o->tail_lines);
}

static bool remember(const struct reader *r) {
        free(TAKE_PTR(r->place->cursor));
        return r->library->journal_get_cursor(r->journal, &r->place->cursor) >= 0;
}

/* Whether there is more. */
static bool read_entries(struct reader *r, size_t size) {
        for (bool there = go_on(r); there; there = r->library->journal_next(r->journal) > 0) {
                if (is_behind(r))
                        return false;
                if (matches(r))
                        show(r);
                if (is_late(r)) {
                        fprintf(r->out, "\nerror: the query has taken longer than %d s\n", JOURNAL_QUERY_MS / 1000);
                        return false;
                }
                if ((size_t)ftell(r->out) >= size)
                        return remember(r);
        }
        return false;
}

/* Capital letters are meant: without any, case does not matter, as for journalctl. */
static bool ignores_case(const char *pattern) {
        for (; *pattern; pattern++)
                if (isupper((unsigned char)*pattern))
                        return false;
        return true;
}

static bool begin(struct reader *r) {
        const char *pattern = r->query->options.pattern;

        if (!open_journal(r) || (pattern && pattern_new(pattern, ignores_case(pattern), &r->pattern, NULL) < 0)) {
                fprintf(r->out, "\nerror: journal output not available\n");
                return false;
        }
        if (add_matches(r))
                return true;
        fprintf(r->out, "Data from the specified boot (%+d) is not available: No such boot ID in journal\n",
                (int)r->query->options.boot);
        return false;
}

void journal_read(const struct kubelet_log_query *query, size_t size, struct journal_place *place, FILE *out) {
        struct reader r = { .query = query, .place = place, .began = clock_ms(CLOCK_MONOTONIC), .out = out };

        if (!begin(&r))
                place->ended = true;
        else if (!read_entries(&r, size)) {
                place->ended = true;
                if (place->shown == 0)
                        fputs("-- No entries --\n", out);
        }
        place->spent += clock_ms(CLOCK_MONOTONIC) - r.began;
        close_journal(&r);
}

void journal_place_clear(struct journal_place *place) {
        free(TAKE_PTR(place->cursor));
}
