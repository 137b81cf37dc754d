/* Directories below which each directory is a thing of its own: a container's, a pod's.
 *
 * An ext4 without a journal gives no inode away that was deleted in the last five minutes, and to find one it looks at
 * each that was, in the group of blocks where the parent directory is. Where containers come and go that takes longer
 * than all the rest of a start. Below the top of a hierarchy (chattr(1), "T") it puts each directory into a group of
 * its own instead.
 */
#pragma once

#include <stdbool.h>

/* Marks @path as such a top, where that is of use: on an ext4 without a journal. Returns whether it is marked now;
 * there is no failure that anybody could do something about. */
bool spread_directory(const char *path);
