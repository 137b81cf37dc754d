/* What other firewalls on the node do to pods. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether a chain of somebody else drops forwarded packets by its policy (Docker's iptables, a hardened host): no rule
 * of ours can undo that, since every table's chains must let a packet through. @ret_text names table and chain. Looks
 * in the thread's network namespace; what cannot be read is taken as none. Rules of legacy iptables are not seen. */
bool cni_foreign_forward_drop(char *ret_text, size_t size);
