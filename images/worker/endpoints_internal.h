/* What the readers of registry configuration share. */
#pragma once

#include "images/worker/endpoints.h"

/* Appends an endpoint at @url; "/v2" is added to its path unless @whole_path. NULL with *@err when it is no URL, or one
 * too many. */
struct endpoint *endpoints_add(struct endpoints *endpoints, const char *url, bool whole_path, struct err **err);

/* Appends the registry itself, by its name. */
struct endpoint *endpoints_add_origin(struct endpoints *endpoints, const char *host, const char *insecure,
                                      struct err **err);

/* Reads a configuration file; *@ret_text is NULL when there is none. */
int registry_config_read(const char *path, char **ret_text, size_t *ret_n, struct err **err);

/* Replaces *@text by a copy of @value when that is neither NULL nor empty. */
int registry_config_set(char **text, const char *value);

/* Splits base64 @auth into *@username and *@password. -EINVAL when it is none. */
int registry_config_decode_auth(const char *auth, char **username, char **password);

/* DIR/HOST/hosts.toml. Returns 1 when there was one, 0 when not, or a negative errno. */
int hosts_toml_read(const char *dir, const char *host, const char *insecure, struct endpoints *endpoints,
                    struct err **err);

/* registries.yaml's mirrors for @host. */
int registries_read_mirrors(const char *file, const char *host, struct endpoints *endpoints, struct err **err);

/* registries.yaml's credentials and TLS files for the @n endpoints @items; @by_name: not what it says of "*". */
int registries_read_configs(const char *file, struct endpoint *items, size_t n, bool by_name, struct err **err);

/* docker's config.json: credentials for those of the @n endpoints @items that have none, by host and @path. */
int docker_config_read(const char *file, const char *path, struct endpoint *items, size_t n, struct err **err);

/* Whether @host ("host:5000") may be asked without TLS: one on loopback, or of @insecure's list. */
bool endpoint_may_be_plain(const char *host, const char *insecure);

/* Takes away all credentials. */
void endpoint_forget_auth(struct endpoint *endpoint);
