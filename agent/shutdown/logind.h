/* Logind holds the host's shutdown back while somebody has a lock of the kind "delay", and tells when one begins:
 * org.freedesktop.login1(5), https://systemd.io/INHIBITOR_LOCKS. All is asked through the system bus, on the loop.
 *
 * A bus that is away, or goes, is tried again (LOGIND_RETRY_…); that is in the log once. Where logind grants less time
 * than is wanted a file of its configuration is written, and it is told to read it, as kubelet does; if that is not
 * possible the lock is taken for as long as it grants, and the log says what to do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct logind;
struct pool;

#define LOGIND_RETRY_MIN_MS 1000
#define LOGIND_RETRY_MAX_MS (60 * 1000)
#define LOGIND_RELOAD_MS 100  /* after which it is asked whether it has read its configuration, */
#define LOGIND_RELOAD_TRIES 5 /* that often, each time after twice as long */

struct logind_config {
        uv_loop_t *loop;
        struct pool *pool;
        int64_t seconds;                           /* that are wanted */
        void (*prepares)(void *data, bool begins); /* a shutdown begins; false: it was called off */
        void *data;
};

/* Begins. NULL without memory. */
struct logind *logind_new(const struct logind_config *config);

/* The host may go down. Without a lock nothing happens. */
void logind_release(struct logind *logind);

/* It is held back again. */
void logind_hold(struct logind *logind);

/* Memory goes when what is under way has ended, on the loop. NULL is fine. */
void logind_free(struct logind *logind);
