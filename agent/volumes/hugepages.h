/* emptyDirs of huge pages: of the size that the medium names, or else the pod asks for. */
#pragma once

#include "agent/volumes/files.h"
#include "kube/quantity.h"

#define HUGEPAGES_OPTION_MAX (sizeof("pagesize=") + QUANTITY_TEXT_MAX)

/* What mount(2) is told for @medium, "HugePages" or "HugePages-2Mi" (emptydir, getPageSizeMountOption()). -EINVAL: no
 * container asks for such pages, or they ask for several sizes of which the medium names none. */
int hugepages_option(const struct pod *pod, const char *medium, char ret_option[HUGEPAGES_OPTION_MAX],
                     struct err **err);

/* Mounts one on the directory @path, unless something is mounted there. Blocks. */
int hugepages_make(const struct pod_files *files, const char *medium, const char *path, struct err **err);
