/* kubelet's image credential providers: programs that are asked for credentials by image, and their answers kept.
 *
 * The protocol is CredentialProviderRequest and CredentialProviderResponse of credentialprovider.kubelet.k8s.io/v1. All
 * providers whose matchImages have the image are asked; of their answers' keys that match, the first in
 * image_docker_config_precedes()'s order counts. An answer is kept for as long as it says, or defaultCacheDuration, for
 * the image, its registry or all images, by its cacheKeyType. In memory only, and wiped.
 */
#pragma once

#include "images/credential_helper.h"

struct credential_providers;
struct err;

#define PROVIDER_OUTPUT_MAX 65536 /* bytes of an answer */
#define PROVIDER_TIMEOUT_MS 60000
#define PROVIDER_CACHE_MAX 256 /* answers kept; the one that would end first goes for a new one */

/* Reads the configuration (images/provider_config.h). Returns 0 or a negative errno. Blocks. */
int image_credential_providers_new(const char *config, const char *bin_dir, struct credential_providers **ret_providers,
                                   struct err **err);

/* NULL is fine. */
void image_credential_providers_free(struct credential_providers *providers);

/* Asks for image @name ("docker.io/library/nginx": neither tag nor digest), of which @host_length bytes are the
 * registry. Returns 1, 0 when no provider is for it or has any, or a negative errno with an error that names the
 * provider. Another that failed while one did not is logged. Blocks; safe for several threads. @cancel_fd as in struct
 * credential_helper. */
int image_credential_providers_ask(struct credential_providers *providers, const char *name, size_t host_length,
                                   int cancel_fd, struct credentials *ret_credentials, struct err **err);
