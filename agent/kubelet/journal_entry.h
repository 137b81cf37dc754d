/* One entry of the journal as a line of text: systemd's output_short() (src/shared/logs-show.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/systemd.h"

/* A field of the current entry, without its name, until the next is asked for. */
struct journal_text {
        const char *text;
        size_t length;
};

/* False: the entry has no such field. */
bool journal_entry_get(const struct systemd *library, sd_journal *journal, const char *field,
                       struct journal_text *ret_text);

/* Writes the current entry; those without a message are none. False: nothing was written. */
bool journal_entry_write(const struct systemd *library, sd_journal *journal, FILE *out);
