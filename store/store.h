/* The state of an API service: an ordered map from keys to the bytes of objects, each with the revision of its last
 * change, that survives kill -9 and power cuts.
 *
 * Changes come from any thread (store_submit()) and are made by one writer, in the order in which they came and in
 * groups: a group is one transaction and one wait for the disk, however many changes came while the disk was busy with
 * the last. Each change that is made takes the next revision, a number that never goes back; a change says which
 * revision it expects to replace, and is refused where another stands there.
 *
 * What keeps the bytes is a backend (store/backend.h): SQLite in a directory, or memory. Only what is now is kept; who
 * watches the past keeps it himself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/list.h"

struct bytes;
struct err;
struct store;
struct store_backend;

#define STORE_KEY_MAX 1024                /* bytes, with the NUL */
#define STORE_VALUE_MAX ((size_t)3 << 20) /* as large as kube-apiserver takes a request */
#define STORE_QUEUE_MAX 65536             /* changes that wait for the writer; one more is refused with -EAGAIN */
#define STORE_GROUP_MAX 1024              /* changes of one group */
#define STORE_GROUP_BYTES_MAX ((size_t)8 << 20)
#define STORE_LAZY_MAX 65536 /* changes that are not on disk yet; then they are made so at once */
#define STORE_LAZY_MS 300000 /* the longest that they wait, unless the options say otherwise */

extern const struct store_backend store_sqlite, store_memory;

/* What a change expects to find; any other value is the revision of what it replaces. */
enum { STORE_ANY = -1, STORE_ABSENT = 0 };

struct store_result {
        int code;         /* 0: made. -EEXIST: there is one already; -ENOENT: there is none; -ESTALE: it has another
                           * revision; -ENOSPC, -EIO and the like: nothing was made, and may be tried again */
        int64_t revision; /* of the change; of what stands there now, 0 where nothing does, when it was refused */
        const char
                *text; /* what happened, for people, during the call; NULL with 0 and where another change came first */
};

struct store_change;
typedef void (*store_stamp)(struct store_change *change, int64_t revision);
typedef void (*store_done)(struct store_change *change, const struct store_result *result);

/* A change. It is the caller's, with all it points to, and stays as it is until @done, which may free it. */
struct store_change {
        const char *key;
        struct bytes *value; /* NULL: delete */
        int64_t expected;
        bool makes_room;   /* is made also on a full disk, out of what is kept for that; deletions always are */
        bool lazy;         /* made at once and on disk some time later: lost when power is, for what renews itself */
        store_stamp stamp; /* may be NULL: on the writer's thread, once it is known which revision the change will have
                            * if it is made, and before it is: may write it into @value, and change @expected. Again
                            * where it is tried again, and with 0 when it was not made */
        store_done done;   /* on the writer's thread, in the order of revisions, once a reader would see it after a
                            * power cut (unless @lazy). It must not wait; store_submit() may be called */
        struct list_node in_queue; /* the store's; zero */
};

struct store_options {
        const char *directory; /* of the SQLite backend, which makes it */
        unsigned lazy_ms;      /* 0: STORE_LAZY_MS */
};

/* Opens what is in the directory, or begins it. Blocks. -EBUSY: another process has it open; -EBADMSG: it is damaged or
 * another program's. The error says what to do. */
int store_open(const struct store_backend *backend, const struct store_options *options, struct store **ret_store,
               struct err **err);

/* Makes what was submitted, and lazy changes durable; then closes. Blocks. NULL is fine. */
void store_close(struct store *store);

/* Hands @change to the writer. 0, or a negative errno and @done is never called: -EINVAL for a key that is empty or too
 * long and a value that is too large, -EAGAIN when STORE_QUEUE_MAX wait. Any thread. */
int store_submit(struct store *store, struct store_change *change);

/* What stands at @key: one reference in *ret_value, or -ENOENT. Blocks for a read of the disk at most. Any thread. */
int store_get(struct store *store, const char *key, struct bytes **ret_value, int64_t *ret_revision, struct err **err);

/* @value lives during the call. What it returns but 0 ends the scan. */
typedef int (*store_visit)(void *data, const char *key, const void *value, size_t size, int64_t revision);

/* Calls @visit for all whose key begins with @prefix, in the order of their bytes, as they were at one moment. Lazy
 * changes that are not durable yet are made so before. Returns what @visit returned last, or a negative errno. */
int store_scan(struct store *store, const char *prefix, store_visit visit, void *data, struct err **err);

/* The revision of the last change. */
int64_t store_revision(struct store *store);

/* Writes a copy of the state at one moment, with all that was answered before the call, into file @path, which is
 * replaced as a whole or not at all. Changes go on meanwhile. Blocks. */
int store_backup(struct store *store, const char *path, struct err **err);

/* The same of the store in @directory, which another process may have open; lazy changes that it has not made durable
 * yet are left out. */
int store_backup_of(const char *directory, const char *path, struct err **err);

/* Makes @directory, where no process has a store open, hold what was backed up into file @path. What was there before
 * is replaced only once the copy was checked and is durable. It belongs to whom the directory belongs. */
int store_restore(const char *path, const char *directory, struct err **err);
