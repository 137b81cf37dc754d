/* A connection to the system bus, driven by the agent's loop: sd_bus_get_fd(3), sd_bus_process(3). Never blocks. */
#pragma once

#include <uv.h>

#include "lib/systemd.h"

struct err;
struct bus;

/* @lost is called once, from the loop, when the connection has ended; the bus is still to be closed, which may be done
 * within it. -ENOENT: there is no libsystemd; else what the bus said. */
int shutdown_bus_open(uv_loop_t *loop, void (*lost)(void *data, int error), void *data, struct bus **ret_bus,
                      struct err **err);

/* Nothing is heard any more. Not within an answer or a signal. NULL is fine. */
void shutdown_bus_close(struct bus *bus);

/* For calls and matches; shutdown_bus_flush() is to follow. */
sd_bus *shutdown_bus_get(const struct bus *bus);
const struct systemd *shutdown_bus_library(const struct bus *bus);
void shutdown_bus_flush(struct bus *bus);

/* The error that @reply is, or NULL. */
const sd_bus_error *shutdown_bus_error(const struct bus *bus, sd_bus_message *reply);
