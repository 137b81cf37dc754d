/* Building one seccomp filter: rules go in, a BPF program comes out. For seccomp.c and profile.c. */
#pragma once

#include <seccomp.h>
#include <stdint.h>

struct arena;
struct err;
struct json_writer;
struct seccomp_filter;
struct value;

struct seccomp_build {
        scmp_filter_ctx context;
        int highest;      /* the largest native system call number that a rule names */
        uint32_t flags;   /* SECCOMP_FILTER_FLAG_* */
        const char *name; /* of the profile, for messages */
        struct json_writer *
                oci; /* gets OCI's linux.seccomp as it is built, up to seccomp_build_end_oci(); NULL: nobody wants it */
};

/* Begins a filter in which what no rule allows gets @action (SCMP_ACT_*). */
int seccomp_build_begin(struct seccomp_build *build, const char *name, uint32_t action, struct err **err);

/* Adds @name with @n conditions on its arguments, all of which must hold. A name that the library does not know is
 * passed over: profiles name calls of all architectures and of newer kernels. */
int seccomp_build_rule(struct seccomp_build *build, uint32_t action, const char *name,
                       const struct scmp_arg_cmp *conditions, unsigned n, struct err **err);

/* The program, in one allocation with its struct. A call newer than every one that the profile names is answered with
 * ENOSYS, so that programs fall back as on an older kernel, instead of failing with EPERM. */
int seccomp_build_end(struct seccomp_build *build, struct seccomp_filter **ret_filter, struct err **err);

/* Ends what build->oci got. */
void seccomp_build_end_oci(struct seccomp_build *build);

/* Frees what begin made; fine after a failed begin. */
void seccomp_build_free(struct seccomp_build *build);

/* Fills a filter from a profile's JSON, read strictly: profile.c. What is read stays in @arena. */
int seccomp_profile_rules(struct seccomp_build *build, const char *name, struct arena *arena,
                          const struct value *profile, uint64_t bounding, struct err **err);
