/* Kernel settings of the calling thread's network namespace. */
#pragma once

struct err;

/* Writes @value to /proc/sys/@name (net/ipv4/ip_forward) unless that is what it holds: a read-only /proc/sys with the
 * right value is no failure. A setting that does not exist is -ENOENT. */
int cni_sysctl_set(const char *name, const char *value, struct err **err);

/* Reads /proc/sys/@name without its newline. */
int cni_sysctl_get(const char *name, char *ret_value, unsigned size, struct err **err);
