/* What a network is, for cni/network.c and cni/joined.c. Nobody else includes it. */
#pragma once

#include <pthread.h>

#include "cni/bridge.h"
#include "cni/conflist.h"
#include "cni/network.h"
#include "cni/plugins.h"

/* Directories for plugins, at most. */
#define BIN_DIRS_MAX 16

/* A configuration in use: a reload does not take it from those who run it. */
struct loaded {
        struct conflist *conflist;
        unsigned users; /* under the network's lock */
};

struct network {
        /* Held for writing while the bridge is exchanged: by those who use it, for reading. */
        pthread_rwlock_t bridge_lock;
        struct bridge *bridge; /* NULL: no pod CIDR */
        char bridge_name[IFNAMSIZ];
        uint32_t mtu;
        bool masquerade;
        char *conf_dir, *cache_dir; /* NULL: never plugins */
        char *bin_dirs[BIN_DIRS_MAX + 1];
        struct plugins_options plugins;
        pthread_mutex_t lock;            /* what follows */
        struct loaded *loaded;           /* NULL: built in */
        struct err *broken;              /* why the configuration that is there now is not in use */
        struct cni_conflist_stamp stamp; /* of what was read last */
        char descriptions[2][320];       /* the one told last, and the one before */
        unsigned described;
};

/* Writes anew what network_describe() tells; the caller holds the lock. */
void cni_network_describe(struct network *network);
