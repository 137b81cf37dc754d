/* Reading mapped files that somebody else may cut, or whose disk fails or is full: what cannot be read is zeros then,
 * where SIGBUS would end the process. For libraries that map files and know no better (sd-journal(3)). */
#pragma once

#include <signal.h>
#include <stdbool.h>

struct mapping_guard {
        sigset_t before;
        bool outer;
};

/* From here until mapping_guard_leave(), for this thread alone. They may be nested. A SIGBUS of anything else ends the
 * process as before. */
void mapping_guard_enter(struct mapping_guard *guard);
void mapping_guard_leave(struct mapping_guard *guard);
