/* Eviction settings as flags have them: what is taken can be decided upon. The first byte says which map it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eviction/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct eviction_observation seen[_EVICTION_SIGNALS];
        struct eviction_state state = { .first_met = { 0 } };
        struct eviction_settings settings;
        struct eviction_verdict verdict;
        char *text;

        if (size == 0)
                return 0;
        text = strndup((const char *)data + 1, size - 1);
        eviction_settings_init(&settings);
        if (eviction_settings_put_list(&settings, (enum eviction_map)(data[0] % _EVICTION_MAPS), text, NULL) >= 0 &&
            eviction_settings_finish(&settings, NULL) >= 0) {
                for (int i = 0; i < _EVICTION_SIGNALS; i++)
                        seen[i] = (struct eviction_observation){ true, (int64_t)size << (8 * i), INT64_MAX >> i };
                eviction_decide(&settings, seen, 1, &state, &verdict);
                eviction_rest(&settings, seen);
                eviction_resolved(&settings, seen);
                for (int i = 0; i < _RESERVED_RESOURCES; i++)
                        if (eviction_reserved(&settings, (enum reserved_resource)i) < 0)
                                abort();
        }
        free(text);
        return 0;
}
