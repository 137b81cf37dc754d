#include "agent/shutdown/drop_in.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/files.h"

int shutdown_write_drop_in(int64_t seconds, struct err **err) {
        char text[160];
        int length = snprintf(
                text, sizeof(text),
                "# Written by nacelle-agent: its shutdownGracePeriod.\n[Login]\nInhibitDelayMaxSec=%" PRId64 "\n",
                seconds);
        int r = files_make_dirs(SHUTDOWN_DROP_IN_DIR, 0755, err);

        return r < 0 ? r : files_replace_synced(SHUTDOWN_DROP_IN, text, (size_t)length, 0644, err);
}
