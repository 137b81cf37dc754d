/* CNI configurations of any bytes: what is taken has a name, a version and plugins that are plain file names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cni/conflist.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct conflist *conflist = NULL;
        struct err *err = NULL;

        if (cni_conflist_parse("fuzz", (const char *)data, size, &conflist, &err) < 0) {
                if (!err || conflist)
                        abort();
        } else {
                if (!conflist->name[0] || conflist->n_plugins == 0 || conflist->version >= CNI_VERSIONS)
                        abort();
                for (size_t i = 0; i < conflist->n_plugins; i++)
                        if (strchr(cni_conflist_type(conflist, i), '/'))
                                abort();
        }
        err_free(err);
        cni_conflist_free(conflist);
        return 0;
}
