/* What the files of the state share. */
#pragma once

#include <stdatomic.h>

#include "api/state/state.h"
#include "lib/table.h"

struct api_state {
        struct store *store;
        struct table resources; /* by key */
        _Atomic int64_t told;
        struct api_turns *turns;
};
