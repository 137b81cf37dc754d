/* Logind's longest delay, as a file of its configuration (logind.conf(5), InhibitDelayMaxSec=). */
#pragma once

#include <stdint.h>

struct err;

#define SHUTDOWN_DROP_IN_DIR "/etc/systemd/logind.conf.d"
#define SHUTDOWN_DROP_IN SHUTDOWN_DROP_IN_DIR "/99-nacelle.conf"

/* Writes it. Blocks. An error names the file. */
int shutdown_write_drop_in(int64_t seconds, struct err **err);
