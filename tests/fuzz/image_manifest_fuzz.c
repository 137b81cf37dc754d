/* Manifests, indexes and configs of any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "images/image.h"
#include "images/manifest.h"
#include "images/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct platform platform;
        struct manifest manifest;
        struct image_config config;

        image_platform_parse("linux/arm/v7", &platform, NULL);
        if (image_manifest_parse((const char *)data, size, &manifest, NULL) == 0) {
                const struct manifest_entry *e = image_manifest_choose(&manifest, &platform);

                if (e && !image_digest_valid(e->descriptor.digest))
                        abort();
                for (size_t i = 0; i < manifest.n_layers; i++)
                        if (!image_digest_valid(manifest.layers[i].digest))
                                abort();
                image_manifest_clear(&manifest);
        }
        if (image_config_parse((const char *)data, size, &config, NULL) == 0) {
                for (char **id = config.diff_ids; id && *id; id++)
                        if (!image_digest_valid(*id))
                                abort();
                image_config_clear(&config);
        }
        return 0;
}
