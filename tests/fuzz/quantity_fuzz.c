/* A quantity of any text: its canonical form reads as the same amount. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char canonical[QUANTITY_TEXT_MAX];
        char *text = strndup((const char *)data, size);
        struct quantity q, again;

        if (quantity_parse(text, &q, NULL) >= 0) {
                quantity_milli(q);
                quantity_units(q);
                if (quantity_parse(quantity_format(q, canonical), &again, NULL) < 0 || quantity_compare(q, again) != 0)
                        abort();
                quantity_divide(q, again);
                quantity_add(q, again);
        }
        free(text);
        return 0;
}
