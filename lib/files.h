/* Files and directories of our own: read whole, replaced by rename, made and removed with all in it.
 *
 * For paths that only root can change. What a container or user can change is opened with openat2 by whoever reads it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Directories nested deeper than this are removed in several goes: a descriptor is open for each level. */
#define FILES_DEPTH_MAX 64

/* Makes @path and what is missing above it. One that exists is fine, -ENOTDIR when it is something else. */
int files_make_dirs(const char *path, mode_t mode, struct err **err);

/* Makes @path for root alone (0700; what is missing above it 0755), and takes from one that exists what group and
 * others may: what containers leave behind in it, setuid programs among it, is nobody else's to reach. */
int files_make_private(const char *path, struct err **err);

/* Reads @fd to its end, at most @max bytes, into an allocated text with a NUL behind it. @ret_size may be NULL.
 * Returns 0, -EFBIG past @max, -ENOMEM, or what read(2) failed with. */
int files_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);

/* The same of the file at @path; an error names it. */
int files_read(const char *path, size_t max, char **ret_data, size_t *ret_size, struct err **err);

/* Writes all of @data where @fd stands, or at @offset. 0 or a negative errno. */
int files_write_all(int fd, const void *data, size_t size);
int files_write_at(int fd, const void *data, size_t size, uint64_t offset);

/* Puts @data in place of @path by rename, so that a reader sees the old or the new one whole. Not synced. */
int files_replace(const char *path, const void *data, size_t size, mode_t mode, struct err **err);

/* The same, synced: after a power cut it is the old or the new one, and after the return the new one. */
int files_replace_synced(const char *path, const void *data, size_t size, mode_t mode, struct err **err);

/* Removes @path and, when it is a directory, all in it, without following links and without leaving its file system's
 * mounts: a mount point in it is -EBUSY. One that is not there is fine. */
int files_remove_tree(const char *path, struct err **err);

/* The descriptor of a directory that is this process' until it is closed, by flock(2). -EBUSY: it is another's, and
 * @hint says what to do. */
int files_lock(const char *directory, const char *hint, int *ret_fd, struct err **err);
