/* Records on their way to the disk.
 *
 * A record counts for the running agent as soon as it is renamed; that it also outlives a power cut is worth a write to
 * the disk only for what lives longer than SYNC_DELAY_MS. So records are synced a little later, many with one job.
 */
#pragma once

#include "cri/state/record.h"

#define SYNC_DELAY_MS 500

struct cri_sync;

int sync_new(struct cri *cri, struct cri_sync **ret_sync, struct err **err);

/* The record of @id was written. On the loop. */
void sync_later(struct cri *cri, enum record_kind kind, const char *id);

/* Syncs what is left and ends; no job may be under way any more. NULL is fine. */
void sync_free(struct cri_sync *sync);
