#include "lib/systemd.h"

#include <stddef.h>

#include "lib/cleanup.h"
#include "lib/loaded.h"

static struct systemd functions;

static const struct loaded_symbol symbols[] = {
#define SYMBOL(name) { "sd_" #name, offsetof(struct systemd, name) },
        SYSTEMD_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

static struct loaded_library library = {
        .file = "libsystemd.so.0",
        .package = "libsystemd0",
        .symbols = symbols,
        .n = ELEMENTS(symbols),
        .functions = &functions,
        .lock = PTHREAD_MUTEX_INITIALIZER,
};

const struct systemd *systemd_load(struct err **err) {
        return loaded_get(&library, err) < 0 ? NULL : &functions;
}
