/* ResourceQuota: what a change needs is charged to the quotas of its namespace before it is made.
 *
 * Changes in one namespace that come at a time are decided together, one after the other as they came, and charged by
 * one write of each quota: a namespace has one batch under decision, and the next gathers meanwhile. Who waits for a
 * batch waits in its stage (api_wait_again()). A write that another came before is decided anew from what is there.
 * Quotas are written lazily: the change that they were charged for is durable only with what came before it.
 */
#pragma once

#include <stdbool.h>

#include "api/server/pipeline.h"

struct admission;
struct admission_quota;

struct api_request;

/* NULL without memory. */
struct admission_quota *admission_quota_new(void);
void admission_quota_free(struct admission_quota *quota); /* NULL is fine; nothing waits any more */

/* Whether the request waits for its quotas; the stage then goes on with admission_quota_resume(). */
bool admission_quota_waits(const struct api_request *r);
enum api_step admission_quota_resume(struct admission *a);

/* Whether a change in @namespace was charged for, or is about to be, that is not made yet. From any thread. */
bool admission_quota_is_charged(struct admission_quota *quota, const char *namespace);

/* The request goes without having led those who wait for it: another does. */
void admission_quota_forget(struct api_request *r);
