/* Writes the OpenAPI document of each group version that is asked for, a line each: openapi_document GROUP/VERSION...
 */
#include <stdio.h>
#include <stdlib.h>

#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "lib/json_writer.h"

static int write_index(const struct kube_registry *registry) {
        struct json_writer w = { .go_escapes = true };
        char *text;

        if (openapi_write_index(&w, registry) < 0 || json_writer_finish(&w, &text, NULL) < 0)
                return 1;
        puts(text);
        free(text);
        return 0;
}

int main(int argc, char **argv) {
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);

        if (argc == 1)
                return write_index(registry);
        for (int i = 1; i < argc; i++) {
                struct json_writer w = { .go_escapes = true };
                const char *version;
                char group[256], *text;

                if (kube_split_api_version(argv[i], group, sizeof(group), &version) < 0 ||
                    openapi_write(&w, registry, group, version) < 0 || json_writer_finish(&w, &text, NULL) < 0) {
                        fprintf(stderr, "openapi_document: nothing of %s\n", argv[i]);
                        return 1;
                }
                puts(text);
                free(text);
        }
        return 0;
}
