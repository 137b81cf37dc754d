/* What pods may ask of the node they run on. */
#pragma once

#include <stdint.h>

#include "lib/ip.h"

struct node_facts {
        int64_t memory_bytes, cpu_milli;
        char ip[IP_TEXT_MAX]; /* "": no default route */
};

/* @ip: the address given by the user, or NULL for the one that the default route leaves by. */
void node_facts_read(const char *ip, struct node_facts *ret_facts);
