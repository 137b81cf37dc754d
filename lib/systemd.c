#include "lib/systemd.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define LIBRARY "libsystemd.so.0"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct systemd functions;
static bool loaded;

static const struct symbol {
        const char *name;
        size_t offset;
} symbols[] = {
#define SYMBOL(name) { "sd_" #name, offsetof(struct systemd, name) },
        SYSTEMD_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

static int find(void *library, const struct symbol *symbol, struct err **err) {
        void *function = dlsym(library, symbol->name);

        if (!function)
                return err_set(err, ENOSYS, "%s has no %s(): a newer one is needed (systemd 252)", LIBRARY,
                               symbol->name);
        *(void **)((char *)&functions + symbol->offset) = function;
        return 0;
}

static int load(struct err **err) {
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        int r;

        if (!library)
                return err_set(err, ENOENT, "cannot load %s (%s): install libsystemd0", LIBRARY, dlerror());
        for (size_t i = 0; i < ELEMENTS(symbols); i++)
                if ((r = find(library, &symbols[i], err)) < 0)
                        return r;
        return 0;
}

const struct systemd *systemd_load(struct err **err) {
        pthread_mutex_lock(&lock);
        loaded = loaded || load(err) == 0;
        pthread_mutex_unlock(&lock);
        return loaded ? &functions : NULL;
}
