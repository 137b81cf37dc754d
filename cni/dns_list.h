/* Lists of DNS names and options as kubelet merges them; see cni/files.h. All return 0 or -ENOMEM. */
#pragma once

#include "cni/files.h"

/* Appends @text unless the list holds it. */
int cni_dns_list_add_new(struct dns_list *list, const char *text);

/* Puts the option "name" or "name:value" in the place of one with its name, else at the end. */
int cni_dns_list_set_option(struct dns_list *list, const char *option);

/* Removes what is behind the first @n. */
void cni_dns_list_cut(struct dns_list *list, size_t n);
