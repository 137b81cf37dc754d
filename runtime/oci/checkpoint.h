/* What `checkpoint` and `restore` have in common: runc's options, and what criu is asked with. */
#pragma once

#include "runtime/criu/criu.h"
#include "runtime/oci/creation.h"

struct checkpoint_options {
        struct creation_options container;           /* restore: all of it; checkpoint: the id */
        const char *bundle, *image_path, *work_path; /* as given; NULL */
        bool restore, help;
        struct criu_request request; /* its flags; descriptors are none */
};

/* Options that would change what is asked of criu, and are not supported, are refused by name. */
int oci_checkpoint_parse(struct oci_call *call, bool restore, struct checkpoint_options *ret_options, struct err **err);

/* -ENOTSUP: a user's. */
int oci_checkpoint_allowed(struct err **err);

/* Finds criu, and opens (for a checkpoint: makes) the directories of its files and its log: ./checkpoint, and the same,
 * by default. */
int oci_checkpoint_open(struct oci *oci, struct checkpoint_options *options, struct err **err);
void oci_checkpoint_close(struct checkpoint_options *options);
