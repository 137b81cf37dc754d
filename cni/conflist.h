/* A CNI network configuration list: which plugins make a pod's network, in order, and what each is told.
 *
 * CNI specification 1.1, section 1 "Network configuration format". Files of the configuration directory end in
 * .conflist (a list), .conf or .json (one plugin); the first by name is taken. Versions 0.1.0 to 1.1.0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct arena;
struct err;
struct value;

#define CONFLIST_FILE_MAX (1024 * 1024)
#define CONFLIST_PLUGINS_MAX 64

/* CNI versions in order: what may be done with a list depends on it. */
enum cni_version {
        CNI_0_1_0,
        CNI_0_2_0,
        CNI_0_3_0, /* from here: results with interfaces and ips */
        CNI_0_3_1,
        CNI_0_4_0, /* from here: CHECK, and prevResult for DEL */
        CNI_1_0_0,
        CNI_1_1_0, /* from here: GC and STATUS */
        CNI_VERSIONS
};

struct conflist {
        struct arena *arena;
        char *text; /* the file as it is, for the cache */
        size_t length;
        const char *path, *name;
        enum cni_version version;
        bool disable_check, disable_gc;
        const struct value *plugins[CONFLIST_PLUGINS_MAX]; /* maps with at least "type" */
        size_t n_plugins;
};

/* "1.1.0" */
const char *cni_version_text(enum cni_version version);

/* The first configuration of @directory; *ret_conflist is NULL when there is none, or no directory. -EINVAL names file
 * and field. */
int cni_conflist_load(const char *directory, struct conflist **ret_conflist, struct err **err);

/* What tells one state of a directory of configurations from another: its own and its chosen file's status. */
struct cni_conflist_stamp {
        struct timespec directory, file;
        uint64_t inode, size;
};

/* The stamp of @directory, whose configuration in use is @conflist or NULL. Zero where there is nothing. */
void cni_conflist_stamp(const char *directory, const struct conflist *conflist, struct cni_conflist_stamp *ret_stamp);

/* A configuration from its text; @path is for messages. */
int cni_conflist_parse(const char *path, const char *text, size_t length, struct conflist **ret_conflist,
                       struct err **err);

/* Returns NULL; NULL is fine. */
struct conflist *cni_conflist_free(struct conflist *conflist);

void cni_conflist_freep(struct conflist **conflist);
#define _cleanup_conflist_ __attribute__((cleanup(cni_conflist_freep)))

/* "bridge" */
const char *cni_conflist_type(const struct conflist *conflist, size_t plugin);
