/* What is kept of an attachment that plugins made: all that CHECK and DEL need, whatever became of the configuration.
 *
 * A file ID.json a sandbox, of libcni's members (kind cniCacheV1: containerId, config in base64, ifName, networkName,
 * netns, cniArgs, capabilityArgs, result). It is there before ADD starts, so that an agent killed during ADD knows that
 * there may be something to DEL.
 */
#pragma once

#include <stddef.h>

struct arena;
struct conflist;
struct err;
struct value;

#define PLUGIN_RECORD_MAX (4 * 1024 * 1024)

struct plugin_record {
        const char *id, *netns, *interface;
        const char *arguments;            /* CNI_ARGS */
        const struct value *capabilities; /* a map; NULL: none */
        const struct value *result;       /* of ADD; NULL: it did not end */
        struct conflist *conflist;
};

/* Writes the record of record->id to @directory, which is made when missing. */
int cni_plugin_record_write(const char *directory, const struct plugin_record *record, struct err **err);

/* Reads the record of @id; its texts live in @arena, its conflist is the caller's to free. -ENOENT: there is none;
 * -EINVAL: it cannot be read. */
int cni_plugin_record_read(const char *directory, const char *id, struct arena *arena, struct plugin_record *ret_record,
                           struct err **err);

/* Removes the record; one that is not there is fine. */
int cni_plugin_record_remove(const char *directory, const char *id, struct err **err);

/* Calls @each for the id of each record; a negative return ends it. */
int cni_plugin_record_for_each(const char *directory, int (*each)(const char *id, void *data), void *data,
                               struct err **err);
