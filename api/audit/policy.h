/* Which requests are written down, and how much of each: audit.k8s.io/v1 Policy. The first rule that a request fits
 * decides; what fits none is not written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct auth_attributes;
struct err;

#define AUDIT_POLICY_MAX ((size_t)1 << 20) /* bytes of its file */

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE };
enum audit_stage { AUDIT_RECEIVED, AUDIT_STARTED, AUDIT_COMPLETE, AUDIT_PANIC, _AUDIT_STAGES };

struct audit_policy;

struct audit_choice {
        enum audit_level level;
        unsigned omitted; /* stages: 1 << AUDIT_RECEIVED ... */
        bool omit_managed_fields;
};

/* Reads file @path. -EINVAL with the line of what is wrong or unknown. */
int audit_policy_load(const char *path, struct audit_policy **ret_policy, struct err **err);

struct audit_policy *audit_policy_free(struct audit_policy *policy); /* NULL is fine */

/* @attributes->user may be NULL: nobody was authenticated. */
struct audit_choice audit_policy_choose(const struct audit_policy *policy, const struct auth_attributes *attributes);

/* "Metadata", "ResponseComplete". */
const char *audit_level_name(enum audit_level level);
const char *audit_stage_name(enum audit_stage stage);
