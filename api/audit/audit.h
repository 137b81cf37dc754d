/* Who did what, written down: audit.k8s.io/v1 events of requests, as a policy has it.
 *
 *     audit_begin   a stage behind authentication: the policy's choice, RequestReceived
 *     audit_note    a stage behind decoding: what was sent
 *     audit_answered, audit_ended   for api_server_config.hooks: ResponseStarted of what is long-running and of who was
 *                                   not let in, ResponseComplete of all others
 */
#pragma once

#include "api/audit/log.h"
#include "api/audit/policy.h"
#include "api/server/pipeline.h"

struct api_request;
struct audit;

/* @log and @policy are taken over, also on failure. NULL without memory. */
struct audit *audit_new(struct audit_log *log, struct audit_policy *policy);
struct audit *audit_free(struct audit *audit); /* writes what waits; NULL is fine */

enum api_step audit_begin(struct api_request *r);
enum api_step audit_note(struct api_request *r);
void audit_answered(struct api_request *r);
void audit_ended(struct api_request *r);
