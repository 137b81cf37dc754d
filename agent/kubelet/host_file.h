/* Files of the host below /var/log: what a container can link to from there stays unreachable. */
#pragma once

#include <stdbool.h>

#define HOST_LOGS "/var/log"

/* Opens @path beneath HOST_LOGS to be read, or, to @look whether it is there, only found. Links that leave it, absolute
 * ones and paths that lead up are -EXDEV. A descriptor, of any kind of file, or a negative errno. May block. */
int kubelet_open_host_file(const char *path, bool look);

/* What Go's os.Root says of the negative errno @error. */
#define HOST_FILE_TEXT_MAX 64
const char *kubelet_host_file_error(int error, char ret_text[HOST_FILE_TEXT_MAX]);
