/* What services have written to the host's journal, as `journalctl --output=short-precise --utc` shows it, which
 * kubelet runs. Read in pieces: between two of them nothing is open, however long the client takes.
 *
 * All functions block, and may be called from any thread, for one query by one at a time. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/kubelet/log_query.h"

#define JOURNAL_QUERY_MS (30 * 1000)  /* that a query may take in all, beside its client's time */
#define JOURNAL_MESSAGE_MAX (1 << 20) /* bytes that are read of one message */
#define JOURNAL_SHOWN_MAX (8 << 20)   /* and about that many are written of it, with what stands before its lines */
#define JOURNAL_BOOTS_MAX 10000       /* how far back boots are looked for */

/* How far a query has come; zeroed at first. */
struct journal_place {
        char *cursor;         /* of the entry that was shown last; owned. NULL: none was */
        uint8_t boot[16];     /* its boot */
        int64_t shown, spent; /* entries; ms */
        bool ended;           /* there is no more */
        atomic_bool unwanted; /* said by any thread: nobody waits for it, so that it ends soon */
};

/* Whether the service has written to the journal. Without libsystemd none has. */
bool journal_has_service(const char *service);

/* Writes entries to @out, until about @size bytes are written or place->ended. */
void journal_read(const struct kubelet_log_query *query, size_t size, struct journal_place *place, FILE *out);

void journal_place_clear(struct journal_place *place);
