/* fileKeyRef: a variable from a file that a container wrote into an emptyDir. */
#pragma once

#include "kube/pod/env.h"

/* For struct pod_facts: @data is the pod's struct pod_files. The file is looked up inside the volume only, is a regular
 * one and at most ENV_FILE_BYTES_MAX long; -ENOENT also when there is no such file. */
int file_key_read(void *data, struct arena *arena, const struct kube_file_key_selector *ref, const char **ret_text,
                  struct err **err);
