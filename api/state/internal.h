/* What the files of the state share. */
#pragma once

#include <stdatomic.h>

#include "api/state/state.h"
#include "lib/table.h"

struct api_state {
        struct store *store;
        struct table resources; /* by key */
        _Atomic int64_t told;
        _Atomic int64_t compacted; /* as api_state_compacted() */
        int64_t next_compacted;    /* what the next api_state_compact() makes of it */
        struct api_turns *turns;
};
