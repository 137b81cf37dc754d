/* What the files of the quotas' controller share. */
#pragma once

#include "api/controllers/controller.h"
#include "api/quota/use.h"
#include "lib/table.h"

/* Of a kind whose objects quotas may count. */
struct quota_handler {
        struct informer_handler base;
        struct quotas *quotas;
        unsigned kind;          /* its number among all */
        struct quota_item item; /* without an object */
};

struct quotas {
        struct controller *controller;
        struct table tracked;  /* what each quota counts, by its key */
        struct arena *scratch; /* of one object */
        struct quota_handler handlers[CONTROLLER_KINDS_MAX];
        unsigned n;
};

/* How long a recount of the quota @key that met other writers waits for its next try, in ns: longer each time. */
uint64_t quota_gap(const struct quotas *q, const char *key);

int quota_count(struct task *task); /* controller_kind.reconcile */
