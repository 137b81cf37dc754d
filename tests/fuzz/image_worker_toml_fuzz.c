/* Registry configuration of any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/toml.h"

static int each(void *data, const struct toml_entry *entry, struct err **err) {
        (void)err;
        for (size_t i = 0; i < entry->n_keys; i++)
                *(size_t *)data += strlen(entry->keys[i]);
        for (size_t i = 0; i < entry->n_values; i++)
                *(size_t *)data += strlen(entry->values[i]);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *)data, size);
        size_t total = 0;

        toml_parse(text, each, &total, NULL);
        free(text);
        return 0;
}
