/* The credential helper's part in a transfer: asked before the worker starts, since that may run no program. */
#pragma once

#include <stdbool.h>

#include "images/credential_helper.h"
#include "images/reference.h"

struct err;
struct image_transfer_request;
struct pool;
struct transfer_helper;

/* Whether a helper may be asked: @request is a pull or push with a docker_config and without credentials of its own.
 * Then @ret_host is the registry. */
bool transfer_helper_host(const struct image_transfer_request *request, char ret_host[IMAGE_NAME_MAX + 1]);

/* @credentials are none when there is no helper, it has none, or it failed; then @err says why (NULL: it did not). */
typedef void (*transfer_helper_fn)(void *data, const struct credentials *credentials, const struct err *err);

/* Asks on @pool, and calls @done on the loop, once, whatever comes. Returns 0, or a negative errno and @done is not
 * called. */
int transfer_helper_start(struct pool *pool, const char *docker_config, const char *host, transfer_helper_fn done,
                          void *data, struct transfer_helper **ret_helper, struct err **err);

/* Kills the helper; done() comes soon. */
void transfer_helper_cancel(struct transfer_helper *helper);
