/* The members of a tar archive by name, and the links among them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct archive_member {
        char *name;            /* clean */
        char *link;            /* NULL for a file; as it came */
        bool is_hard;          /* @link begins at the archive's root, not at the member's directory */
        uint64_t offset, size; /* of the content */
};

struct archive_members {
        struct archive_member *items; /* sorted by name, then by place */
        size_t count, room;
};

/* Reads those of the tar file @fd into @members, which is empty; what it holds after a failure too is freed by
 * archive_members_clear(). */
int archive_members_read(struct archive_members *members, int fd, struct err **err);
void archive_members_clear(struct archive_members *members);

/* The file that the clean @name is or leads to by links, whose directories may be links too; old `docker save` has one
 * for a layer that occurs twice. All stays within the archive. Of several members with one name the last counts.
 * -ENOENT, or -EBADMSG past LAYER_LINKS_MAX links. */
int archive_members_find(const struct archive_members *members, const char *name,
                         const struct archive_member **ret_member, struct err **err);
