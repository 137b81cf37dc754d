/* Who a container runs as: names and groups looked up in the image's own /etc/passwd and /etc/group.
 *
 * The files are found in the image's layers as overlayfs would show them, without mounting it; an image is foreign
 * data, so links are resolved inside it, only regular files are read, and of those at most USER_FILE_MAX bytes. Rules:
 * OCI image-spec config.md "User"; CRI SupplementalGroupsPolicy (KEP-3619); what is open as containerd does it: a text
 * of digits is an id wherever it stands (lib/id.h), and an entry of passwd or group that has digits for a name is not
 * found by them.
 */
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "cri/api.pb-c.h"

struct arena;
struct err;

#define USER_FILE_MAX (4 << 20)
#define USER_GROUPS_MAX 65536
#define USER_LINKS_MAX 8

struct user {
        uint32_t uid, gid;
        uint32_t *groups; /* in the arena; the gid first, as `id -G` shows it */
        size_t n_groups;
        const char *home; /* in the arena; NULL: passwd has none */
};

/* What an image says of users. */
struct user_image {
        const char *user;    /* "", "1000", "name", "name:group" */
        char *const *layers; /* directories, topmost first: with its passwd and group */
        size_t n_layers;
};

/* Resolves @security's user, or the image's when it names none. -EINVAL with the name that is not there, the number
 * that is no id, or that the image's file cannot be used. */
int user_resolve(struct arena *arena, const Cri__LinuxContainerSecurityContext *security,
                 const struct user_image *image, struct user *ret_user, struct err **err);

/* -EINVAL when an id of the sandbox's is none. A sandbox has no process that they would be for. */
int user_check_sandbox(const Cri__LinuxSandboxSecurityContext *security, struct err **err);

/* Reads the regular file @path ("etc/passwd") out of layers. Returns 0 with *@ret_data allocated and NUL-terminated;
 * -ENOENT when the image has none; -EFBIG; -ELOOP. */
int layers_read_file(char *const *layers, size_t n_layers, const char *path, size_t max, char **ret_data,
                     struct err **err);
