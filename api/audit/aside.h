/* A log file that is full, and those before it. */
#pragma once

struct err;

/* Renames @path, and removes what was put aside before that is more than @max_files (0: any) or older than @max_days
 * (0: any). 0 or a negative errno; that an old one stays is no error. */
int audit_put_aside(const char *path, unsigned max_files, unsigned max_days, struct err **err);
