/* The controllers there are. */
#include "api/controllers/internal.h"
#include "api/controllers/kinds.h"
#include "lib/cleanup.h"

const struct controller_kind *const controller_kinds[] = {
        &controller_namespace,
        &controller_garbage,
        &controller_account,
        &controller_root_ca,
};
const unsigned controller_kinds_count = ELEMENTS(controller_kinds);
