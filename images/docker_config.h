/* docker's config.json: which of its entries, and which credential helper, are for an image.
 *
 * Keys of auths match as kubelet's keyring has them (pkg/credentialprovider): the scheme does not count, nor "/v1/" and
 * "/v2/" at the path's beginning; the labels of the host are globs, one by one; the port is equal; the path is a
 * prefix. Of several the last in alphabetical order counts, which is the longest path of an exact host; those that end
 * within a path's part come after all others. Helpers are found as docker does: credHelpers has the very server, else
 * credsStore.
 */
#pragma once

#include <stdbool.h>

struct arena;
struct err;
struct value;

#define DOCKER_CONFIG_SIZE_MAX (1 << 20) /* bytes of the file */

/* Reads @file into @arena; *@ret_root is NULL when there is none. Errors name the file. */
int image_docker_config_load(const char *file, struct arena *arena, const struct value **ret_root, struct err **err);

/* What docker calls a registry: its host, but for Docker Hub's old address. */
const char *image_docker_config_server(const char *host);

/* The entry of auths with credentials for image @path at @host ("docker.io", "host:5000"); NULL for none. */
const struct value *image_docker_config_entry(const struct value *root, const char *host, const char *path);

/* How well the @key of an auths map, or a pattern of images, matches image @path at @host. */
enum docker_match { DOCKER_MATCH_NONE, DOCKER_MATCH_WITHIN_PART, DOCKER_MATCH_WHOLE_PARTS };
enum docker_match image_docker_config_match(const char *key, const char *host, const char *path);

/* Whether @key that matches so comes before @than, which matches like @than_match; any comes before none. */
bool image_docker_config_precedes(enum docker_match match, const char *key, enum docker_match than_match,
                                  const char *than);

/* The helper for @host, and the field that names it ("credsStore"); NULL for none. */
const char *image_docker_config_helper(const struct value *root, const char *host, const char **ret_field);
