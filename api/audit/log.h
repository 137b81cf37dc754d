/* The file that audit events go to, a line each: written by a thread of its own, so that no loop waits for the disk
 * unless the disk is AUDIT_WAITING_MAX bytes behind; then who writes waits, since an event that is lost is one that
 * nobody sees.
 *
 * A file that would grow past its maximum is put aside under its name and the time, as kube-apiserver does:
 * audit-2026-11-29T05-21-35.123.log.
 */
#pragma once

#include <stddef.h>

struct err;
struct audit_log;

#define AUDIT_WAITING_MAX ((size_t)16 << 20)

struct audit_log_config {
        const char *path;   /* "-": the standard output */
        unsigned max_mib;   /* of a file; 0: no bound */
        unsigned max_files; /* put aside; 0: all are kept */
        unsigned max_days;  /* that they are kept; 0: for ever */
};

/* @config and its path live as long as the log. The file is made with mode 0600. */
int audit_log_open(const struct audit_log_config *config, struct audit_log **ret_log, struct err **err);

/* Writes what waits. NULL is fine. */
struct audit_log *audit_log_close(struct audit_log *log);

/* A line, without its newline. From any thread. 0; -ENOMEM: it is lost. */
int audit_log_write(struct audit_log *log, const char *line, size_t length);
