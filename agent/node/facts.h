/* What pods may ask of the node they run on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"

struct node_facts {
        int64_t memory_bytes, cpu_milli, disk_bytes;
        char ip[IP_TEXT_MAX];  /* "": no default route */
        char ip6[IP_TEXT_MAX]; /* its other address, of IPv6: "" where the user has given one, or no default route */
        char arch[32];         /* "amd64": as Kubernetes calls it */
        bool apparmor;         /* the kernel runs it */
};

/* @ip: the address given by the user, or NULL for the one that the default route leaves by. @root_dir: on the file
 * system that pods share. */
void node_facts_read(const char *ip, const char *root_dir, struct node_facts *ret_facts);

/* The sizes of huge pages that the kernel has, those of which there are none too; in the order of their names. */
#define NODE_HUGE_SIZES_MAX 8
struct node_huge_pages {
        char name[32];           /* "hugepages-2Mi" */
        int64_t page, all_bytes; /* of one; of all */
};
unsigned node_huge_pages_read(const char *directory, struct node_huge_pages ret_sizes[NODE_HUGE_SIZES_MAX]);
#define NODE_HUGE_PAGES "/sys/kernel/mm/hugepages"

/* Bytes of the host's huge pages for resource @name ("hugepages-2Mi"), at this moment; 0: it has none of that size. */
int64_t node_huge_pages(const char *name);
