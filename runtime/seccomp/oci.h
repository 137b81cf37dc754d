/* A profile's rules as OCI's linux.seccomp (runtime-spec, config-linux.md): for runtimes that build the filter
 * themselves. */
#pragma once

#include <seccomp.h>
#include <stdint.h>

struct json_writer;

void seccomp_oci_begin(struct json_writer *w, uint32_t action);
void seccomp_oci_rule(struct json_writer *w, uint32_t action, const char *name, const struct scmp_arg_cmp *conditions,
                      unsigned n);
/* @flags: SECCOMP_FILTER_FLAG_* */
void seccomp_oci_end(struct json_writer *w, uint32_t flags);
