/* What the worker tells its starter: progress, the result, or the error. To the agent as messages on a socket, to a
 * person as lines on the terminal. Safe for several threads. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct report;

#define REPORT_INTERVAL_MS 200 /* between two figures of one blob */

/* @socket: a SOCK_SEQPACKET descriptor, or negative for the terminal. Returns NULL without memory. */
struct report *report_new(int socket);
void report_free(struct report *report);

/* @phase is one of those of struct image_progress, a constant. Figures that come too fast are left out, a phase never.
 */
void report_progress(struct report *report, const char *digest, const char *phase, uint64_t done, uint64_t total);

/* Adds a reference that was set to the result. */
void report_reference(struct report *report, const char *reference);

/* What the image is; the last one counts. */
void report_image(struct report *report, const char *image_id, const char *manifest);

/* Sends the result, or @err. Once, last. */
void report_end(struct report *report, const struct err *err);
