/* Libraries that are loaded when something asks for them, not linked: what most hosts do not use costs no memory. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/* A function and where its address belongs in the table of the library's. */
struct loaded_symbol {
        const char *name;
        size_t offset;
};

struct loaded_library {
        const char *file, *package; /* "libsystemd.so.0"; what to install for it */
        const struct loaded_symbol *symbols;
        size_t n;
        void *functions; /* the table */
        pthread_mutex_t lock;
        bool loaded;
};

/* Fills in the table the first time; any thread may ask. It stays loaded. -ENOENT or -ENOSYS with an error that says
 * what to install. */
int loaded_get(struct loaded_library *library, struct err **err);
