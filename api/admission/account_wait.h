/* Pods that come before their namespace's account: a namespace and what is in it are often made in one go, and the
 * account by a controller a moment later. They wait for it, for ACCOUNT_WAIT_MS at most (kube-apiserver asks ten times,
 * 100 to 200 ms apart).
 */
#pragma once

#include <stdbool.h>

#include "api/server/pipeline.h"

#define ACCOUNT_WAIT_MS 1000

struct account_waits;
struct admission;
struct api_loop;
struct api_request;

/* NULL without memory. */
struct account_waits *account_waits_new(void);
void account_waits_free(struct account_waits *waits); /* NULL is fine; before the state is closed */

/* The account is not there: API_WAIT, and the stage comes again when one is made, or time is over; API_NEXT: it was
 * made meanwhile, or time is over; API_END: the request was answered. */
enum api_step account_wait(struct admission *a);

/* The request, which may have waited, is at work again. */
void account_wait_end(struct api_request *r);

/* A loop ends: who waits there hears nothing any more. */
void account_waits_stop(struct account_waits *waits, struct api_loop *loop);
