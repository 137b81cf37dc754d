/* A pod's DNS configuration and /etc/hosts: cni/files.h fed from the pod's fields. Blocks: reads the node's files. */
#pragma once

#include <stddef.h>

#include "lib/err.h"

struct arena;
struct options;
struct pod;

struct dns_choice; /* opaque; see below */

int dns_choose(const struct pod *pod, const struct options *options, struct dns_choice **ret_choice, struct err **err);
void dns_choice_free(struct dns_choice *choice); /* NULL is fine */

/* What was chosen, the choice's. */
struct dns_lists {
        char **servers, **searches, **options;
        size_t n_servers, n_searches, n_options;
};
struct dns_lists dns_choice_lists(const struct dns_choice *choice);

/* What is left out of the choice, below DNS_WARNINGS: kubelet's event text in @arena; NULL: nothing, or no memory. */
#define DNS_WARNINGS 2
const char *dns_choice_warning(const struct dns_choice *choice, unsigned which, struct arena *arena);

/* The text of the pod's /etc/hosts; free it. @ips: NULL-ended. */
int dns_hosts_text(const struct pod *pod, const struct options *options, const char *const *ips, char **ret_text,
                   struct err **err);

/* The name of the sandbox's kernel: pod_hostname(), or the fully qualified one where setHostnameAsFQDN asks for it; in
 * @arena. -EINVAL when that is longer than the kernel's 64 bytes. */
int dns_kernel_hostname(struct arena *arena, const struct pod *pod, const struct options *options,
                        const char **ret_name, struct err **err);
