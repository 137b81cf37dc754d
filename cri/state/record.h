/* Records of sandboxes and containers on disk. Blocking, for the pool and for the start; safe from several threads on
 * different objects.
 *
 * ROOT/sandboxes/ID/sandbox.pb    ROOT/containers/ID/{container.pb,exit.pb,upper,work,volumes}
 * RUN/pods/ID/                    files that the pod's containers share: resolv.conf, hosts, hostname
 *
 * A record appears by rename and reaches the disk a little later (cri/state/sync.h); one that is not whole is set aside
 * at the next start.
 */
#pragma once

#include "cri/state/state.h"

enum record_kind { RECORD_SANDBOX, RECORD_CONTAINER, RECORD_EXIT };

/* The directory of a container's writable layer. */
void record_layer(const struct cri *cri, const char *id, char *ret_path, size_t size);

/* ROOT/sandboxes/ID and so on, in @arena; NULL without memory. */
char *record_dir(const struct cri *cri, struct arena *arena, enum record_kind kind, const char *id);
char *record_run_dir(const struct cri *cri, struct arena *arena, const char *id);

/* Makes the directories that all objects' ones lie in. */
int record_prepare(const struct cri *cri, struct err **err);
void record_finish(const struct cri *cri); /* gives back what holds nothing */

/* Makes the object's directory, without a record in it: what a creation that is cut off leaves is found by it. */
int record_begin(const struct cri *cri, enum record_kind kind, const char *id, struct err **err);

/* Writes @message (the record type of @kind) of the object @id, whose directory is made when missing. -E2BIG past
 * CRI_RECORD_MAX. */
int record_write(const struct cri *cri, enum record_kind kind, const char *id, const ProtobufCMessage *message,
                 struct err **err);

/* Reads it into @arena. -ENOENT: there is none; -EBADMSG: it is not whole. */
int record_read(const struct cri *cri, enum record_kind kind, const char *id, struct arena *arena, void *ret_message,
                struct err **err);

/* Moves the object's directory to ROOT/broken, where a person can look at it. */
void record_set_aside(const struct cri *cri, enum record_kind kind, const char *id);

/* The names in ROOT/sandboxes or ROOT/containers, in @arena, NULL-terminated. */
int record_ids(const struct cri *cri, enum record_kind kind, struct arena *arena, char ***ret_ids, struct err **err);

/* Removes the object's directory with all in it. One that is not there is fine. */
int record_remove(const struct cri *cri, enum record_kind kind, const char *id, struct err **err);
int record_remove_run_dir(const struct cri *cri, const char *id, struct err **err);

/* The record of the sandbox or container as it is now, in @arena, whole with config and resources. */
Record__Sandbox *record_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox);
Record__Container *record_of_container(struct arena *arena, const struct cri_container *container);
