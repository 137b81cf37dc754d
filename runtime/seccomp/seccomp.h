/* Seccomp profiles compiled to filters, once for each profile and set of capabilities. Thread-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

/* One compiled filter; lives as long as the process. */
struct seccomp_filter {
        const void *program; /* struct sock_filter[] */
        size_t size;         /* bytes */
        uint32_t flags;      /* SECCOMP_FILTER_FLAG_* */
};

/* The largest profile file read, and the largest filter the kernel takes. */
#define SECCOMP_PROFILE_MAX (1024 * 1024)
#define SECCOMP_INSTRUCTIONS_MAX 4096

/* The RuntimeDefault profile that Kubernetes nodes give, for a container with the capabilities @bounding: rules for
 * mount, ptrace, bpf and so on follow the capabilities. */
int seccomp_runtime_default(uint64_t bounding, const struct seccomp_filter **ret_filter, struct err **err);

/* A Localhost profile: JSON of @length bytes as Docker and Kubernetes write it (defaultAction, architectures or
 * archMap, syscalls with names, action, args, includes, excludes), or the same inside an OCI config. @name for
 * messages. */
int seccomp_profile_compile(const char *name, const char *json, size_t length, uint64_t bounding,
                            const struct seccomp_filter **ret_filter, struct err **err);

/* As above, from the file at @path; its content is the cache's key, so a changed file counts at once. */
int seccomp_profile_load(const char *path, uint64_t bounding, const struct seccomp_filter **ret_filter,
                         struct err **err);

/* The profile as the text of OCI's linux.seccomp, for another runtime; @path NULL: RuntimeDefault. Allocated. */
int seccomp_oci(const char *path, uint64_t bounding, char **ret_oci, struct err **err);
