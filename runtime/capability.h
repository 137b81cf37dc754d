/* Capability names and sets (capabilities(7)). */
#pragma once

#include <stdint.h>

struct err;

/* Every capability that this kernel knows. */
uint64_t capability_all(void);

/* Those that containers get when nothing is said: CHOWN, DAC_OVERRIDE, FSETID, FOWNER, MKNOD, NET_RAW, SETGID, SETUID,
 * SETFCAP, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, KILL, AUDIT_WRITE. */
uint64_t capability_default(void);

/* The mask of "CAP_NET_ADMIN", "net_admin" or "ALL". -EINVAL: unknown to the library; a name that the library knows and
 * the kernel does not is an empty mask. */
int capability_parse(const char *name, uint64_t *ret_mask, struct err **err);

/* "CAP_NET_ADMIN" for 12; NULL when there is no such number. */
const char *capability_name(unsigned number);
