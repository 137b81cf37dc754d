/* Room on the disk for what makes room: a file that is given up when the disk is full, so that objects can be deleted.
 *
 * Others may write to the same disk, and take it first: then deletions wait for space as all changes do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "store/sqlite/internal.h"

/* The database grows by what is in the log when that is moved there, and only then the log begins anew: as much as the
 * log may hold, and as a group may add, is to be there. Of a small disk it is a part, and so is the log. */
#define RESERVE_BYTES ((uint64_t)32 << 20)
#define RESERVE_PART 4
#define LOG_PART 4 /* of the reserve */

/* How much is to be kept; 0: there is no space for it, and half as much again. */
static off_t find_space(const struct sqlite_store *s) {
        struct statvfs disk;
        uint64_t part, bytes;

        if (statvfs(s->directory, &disk) < 0)
                return 0;
        part = (uint64_t)disk.f_blocks * disk.f_frsize / RESERVE_PART;
        bytes = part < RESERVE_BYTES ? part : RESERVE_BYTES;
        return (uint64_t)disk.f_bavail * disk.f_frsize > bytes + bytes / 2 ? (off_t)bytes : 0;
}

/* Of one that a process before this one has left. */
static off_t find_file(const struct sqlite_store *s) {
        struct stat status;

        return lstat(s->reserve, &status) == 0 && S_ISREG(status.st_mode) && status.st_blocks > 0 ? status.st_size : 0;
}

/* Has its name once it is whole: what a process that was killed has begun is no reserve, and takes up space. */
static bool make_file(const struct sqlite_store *s) {
        _cleanup_close_ int fd = -EBADF;
        off_t bytes;

        unlink(s->reserve_new);
        bytes = find_space(s);
        fd = bytes ? open(s->reserve_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -EBADF;
        if (fd < 0)
                return false;
        if (posix_fallocate(fd, 0, bytes) == 0 && rename(s->reserve_new, s->reserve) == 0)
                return true;
        unlink(s->reserve_new);
        return false;
}

bool sqlite_keep(void *backend) {
        struct sqlite_store *s = backend;
        off_t bytes;

        if (s->has_reserve)
                return true;
        bytes = find_file(s);
        if (!bytes && (!make_file(s) || !(bytes = find_file(s))))
                return false;
        s->has_reserve = true;
        s->log_pages_max = (int)(bytes / LOG_PART / SQLITE_PAGE);
        if (s->log_pages_max > SQLITE_LOG_PAGES_MAX)
                s->log_pages_max = SQLITE_LOG_PAGES_MAX;
        return true;
}

bool sqlite_empty_log(struct sqlite_store *s, int wait_ms) {
        int in_log = 0, moved = 0, r;

        sqlite3_busy_timeout(s->writer.db, wait_ms);
        r = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_RESTART, &in_log, &moved);
        sqlite3_busy_timeout(s->writer.db, SQLITE_BUSY_MS);
        return r == SQLITE_OK && in_log == moved;
}

/* One that somebody has removed is given, too. */
static bool remove_file(struct sqlite_store *s) {
        if (!s->has_reserve || (unlink(s->reserve) < 0 && errno != ENOENT))
                return false;
        s->has_reserve = false;
        return true;
}

bool sqlite_give(void *backend) {
        struct sqlite_store *s = backend;
        bool gives = remove_file(s), emptied = sqlite_empty_log(s, gives ? 0 : SQLITE_BUSY_MS);

        if (gives)
                log_warning("%s: the disk is full: only what makes room is changed until there is space", s->path);
        return gives || emptied;
}
