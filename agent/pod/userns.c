/* User namespaces: each pod with hostUsers: false has 65536 ids of its own on the node, by block number. */

#include "agent/pod/internal.h"

static bool is_taken(const struct worker_node *node, int block) {
        return node->userns[block / 64] & (UINT64_C(1) << (block % 64));
}

bool worker_take_userns(struct worker *w, int wanted) {
        if (w->pod->spec.host_users != TRI_FALSE || w->sandbox.userns >= 0)
                return true;
        if (wanted < 0 || wanted >= WORKER_USERNS_MAX || is_taken(w->node, wanted))
                for (wanted = 0; wanted < WORKER_USERNS_MAX && is_taken(w->node, wanted); wanted++)
                        ;
        if (wanted == WORKER_USERNS_MAX)
                return false;
        w->node->userns[wanted / 64] |= UINT64_C(1) << (wanted % 64);
        w->sandbox.userns = wanted;
        return true;
}

void worker_give_userns(struct worker *w) {
        if (w->sandbox.userns >= 0)
                w->node->userns[w->sandbox.userns / 64] &= ~(UINT64_C(1) << (w->sandbox.userns % 64));
        w->sandbox.userns = -1;
}
