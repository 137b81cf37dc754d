/* Ids of users and groups as texts: a text of digits is a number everywhere, and never the name of an entry of passwd
 * or group. */
#pragma once

#include <stdint.h>

/* (uid_t)-1 is no id: setresuid(2) and chown(2) take it for "leave as it is". */
#define ID_MAX (UINT32_MAX - 1)

/* Reads @text, decimal digits behind an optional sign. Returns 0; -EINVAL when it is no number (then it is a name);
 * -ERANGE when it is one outside 0..ID_MAX. */
int id_parse(const char *text, uint32_t *ret_id);

/* Reads "ID" or "ID:ID". Returns 0 with *@ret_gid = -1 when there is none; -EINVAL for anything else; -ERANGE. */
int id_parse_pair(const char *text, uint32_t *ret_uid, int64_t *ret_gid);
