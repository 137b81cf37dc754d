#include "lib/scratch.h"

#include <dirent.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"

static bool is_empty(const char *dir) {
        _cleanup_closedir_ DIR *d = opendir(dir);
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        return false;
        return d;
}

static bool is_volatile(const char *dir) {
        struct statfs fs;

        return statfs(dir, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int scratch_make(const char *dir, struct err **err) {
        int r = files_make_private(dir, err);

        if (r < 0 || is_volatile(dir) || !is_empty(dir))
                return r;
        if (mount("nacelle", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700,size=" SCRATCH_BYTES) == 0)
                mount(NULL, dir, NULL, MS_PRIVATE, NULL);
        return 0;
}

bool scratch_drop(const char *dir) {
        if (!is_empty(dir))
                return false;
        umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW);
        return rmdir(dir) == 0;
}
