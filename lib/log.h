/* The program's own log, on standard error: one line a message, `2026-11-21T10:00:00.000Z warning agent: text`;
 * under systemd (JOURNAL_STREAM set) it goes to the journal with fields (lib/journal.h), or, where its socket is not to
 * be had, to standard error with the level in front as sd-daemon(3) has it and without the time. A message is one
 * write(2), so lines of several threads never mix; control characters in it are blanks or `?` there. What a line is
 * about (pod, container) belongs into its text.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The longest line, with its newline; a longer text is cut. */
#define LOG_LINE_MAX 4096

/* "error", "warning", "info", "debug" as a level; false for another text. */
bool log_level_parse(const char *text, enum log_level *ret_level);

/* Sets the program's name in each line (kept, not copied) and the most detailed level written. Call once, first. */
void log_init(const char *program, enum log_level most);

/* From now on messages go to the journal's socket at @path. 0 or a negative errno; then nothing has changed. */
int log_to_journal(const char *path);

/* Whether a message would have to wait for whoever reads standard error. */
bool log_is_blocked(void);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
