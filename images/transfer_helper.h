/* What is done before a transfer's worker starts, since that may run no program: credential providers and the
 * credential helper are asked. */
#pragma once

#include <stdbool.h>

#include "images/credential_helper.h"
#include "images/reference.h"

struct err;
struct image_transfer_request;
struct transfer_helper;

/* Whether there is somebody to ask: @request is a pull or push with providers or a docker_config, and without
 * credentials of its own. Then @ret_reference is its reference. */
bool image_transfer_helper_wanted(const struct image_transfer_request *request, struct image_reference *ret_reference);

/* @credentials are none when nobody was there to ask, had any, or it failed; then @err says why (NULL: it did not). */
typedef void (*transfer_helper_fn)(void *data, const struct credentials *credentials, const struct err *err);

/* Asks on the request's pool, and calls @done on the loop, once, whatever comes. Returns 0, or a negative errno and
 * @done is not called. @request's providers must outlive that. */
int image_transfer_helper_start(const struct image_transfer_request *request, transfer_helper_fn done, void *data,
                                struct transfer_helper **ret_helper, struct err **err);

/* Kills the helper; done() comes soon. */
void image_transfer_helper_cancel(struct transfer_helper *helper);
