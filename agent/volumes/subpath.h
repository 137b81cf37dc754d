/* subPath mounts: one file or directory inside a volume whose content a container may be changing meanwhile.
 *
 * The path is resolved once, below the volume, by the kernel (openat2, RESOLVE_BENEATH), and what was opened is
 * bind-mounted to a place that containers cannot write; that place goes to the runtime. Nothing is looked up by
 * name again after it was checked (CVE-2017-1002101, CVE-2021-25741).
 */
#pragma once

#include "lib/err.h"

/* Mounts @subpath of @volume (a directory) at @target, which is made with the folders above it; @target mounted
 * before is mounted anew. A @subpath that is missing is made as directories with the volume's mode. -EXDEV when it
 * leads out of the volume. Blocks. */
int subpath_mount(const char *volume, const char *subpath, const char *target, struct err **err);
