#include "lib/loaded.h"

#include <dlfcn.h>
#include <errno.h>

#include "lib/err.h"

static int fill(struct loaded_library *library, void *handle, struct err **err) {
        for (size_t i = 0; i < library->n; i++) {
                const struct loaded_symbol *symbol = &library->symbols[i];
                void *function = dlsym(handle, symbol->name);

                if (!function)
                        return err_set(err, ENOSYS, "%s has no %s(): a newer %s is needed", library->file, symbol->name,
                                       library->package);
                *(void **)((char *)library->functions + symbol->offset) = function;
        }
        library->loaded = true;
        return 0;
}

static int load(struct loaded_library *library, struct err **err) {
        void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

        if (!handle)
                return err_set(err, ENOENT, "cannot load %s (%s): install %s", library->file, dlerror(),
                               library->package);
        return fill(library, handle, err);
}

int loaded_get(struct loaded_library *library, struct err **err) {
        int r;

        pthread_mutex_lock(&library->lock);
        r = library->loaded ? 0 : load(library, err);
        pthread_mutex_unlock(&library->lock);
        return r;
}
