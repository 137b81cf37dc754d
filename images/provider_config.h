/* kubelet's CredentialProviderConfig (kubelet.config.k8s.io/v1): which programs give credentials for which images.
 *
 * A file, or a directory of *.json, *.yaml and *.yml files that are read in alphabetical order. There are no service
 * accounts here, so a provider with tokenAttributes is treated as kubelet does for a static pod: one that requires a
 * service account is never asked, another is asked without a token.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define PROVIDERS_MAX 64
#define PROVIDER_CONFIG_SIZE_MAX (1 << 20) /* bytes of a file */

struct provider {
        const char *name, *path, *api_version; /* of what it is told and answers */
        const char *const *match_images;       /* NULL-ended, as image_docker_config_match() takes them */
        const char *const *arguments;          /* NULL-ended; the program's path first */
        const char *const *environment;        /* NULL-ended NAME=VALUE, besides ours */
        int64_t default_cache_ns;
        bool never; /* is asked for what we do not have */
};

struct provider_config {
        struct provider *items;
        size_t count;
};

/* Reads and checks @path as kubelet does at its start; programs are looked for in @bin_dir. All of it lives in @arena.
 * Errors are EINVAL with file, line and field, ENOENT for a program that is missing, ENODATA for an empty file, or of
 * reading. */
int image_provider_config_read(const char *path, const char *bin_dir, struct arena *arena,
                               struct provider_config *ret_config, struct err **err);
