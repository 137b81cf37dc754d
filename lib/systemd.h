/* libsystemd, where the host has it and once something needs it: its bus (sd-bus(3)) and its journal (sd-journal(3)).
 *
 * It is loaded rather than linked: with what it needs itself it would be a megabyte and a half of each agent, of which
 * most agents use nothing, and a host without systemd has none.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-journal.h>

struct err;

/* Its functions, each under its name without "sd_". */
/* clang-format off */
#define SYSTEMD_FUNCTIONS(f)                                                                                           \
        f(bus_open_system) f(bus_get_fd) f(bus_get_events) f(bus_get_timeout) f(bus_process)                           \
        f(bus_close_unref) f(bus_call_method_async) f(bus_match_signal_async) f(bus_message_read)                \
        f(bus_message_is_method_error) f(bus_message_get_error)                                                        \
        f(journal_open) f(journal_close) f(journal_set_data_threshold)                                                 \
        f(journal_add_match) f(journal_add_disjunction) f(journal_add_conjunction) f(journal_flush_matches)            \
        f(journal_seek_head) f(journal_seek_tail) f(journal_seek_realtime_usec) f(journal_seek_cursor)                 \
        f(journal_next) f(journal_previous) f(journal_get_cursor) f(journal_test_cursor)                               \
        f(journal_get_data) f(journal_get_realtime_usec) f(journal_get_monotonic_usec)
/* clang-format on */

struct systemd {
#define SYSTEMD_MEMBER(name) __typeof__(sd_##name) *name;
        SYSTEMD_FUNCTIONS(SYSTEMD_MEMBER)
#undef SYSTEMD_MEMBER
};

/* Loads it the first time; any thread may ask. NULL with an error that says what to install. It stays loaded. */
const struct systemd *systemd_load(struct err **err);
