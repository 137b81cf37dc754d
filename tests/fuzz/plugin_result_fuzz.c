/* Results of CNI plugins of any bytes, in every version: what is taken has an address. */
#include <stdint.h>
#include <stdlib.h>

#include "cni/plugin_result.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        const struct value *document;

        if (json_parse(arena, (const char *)data, size, NULL, &document, NULL) >= 0) {
                for (enum cni_version version = 0; version < CNI_VERSIONS; version++) {
                        struct network_result result;
                        struct err *err = NULL;
                        int r = cni_plugin_result_read(document, version, "eth0", &result, &err);

                        if (r < 0 ? !err : result.n_addresses == 0 || result.n_addresses > NETWORK_ADDRESSES_MAX)
                                abort();
                        err_free(err);
                }
        }
        arena_free(arena);
        return 0;
}
