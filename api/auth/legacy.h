/* Tokens of the old kind: kept in a Secret of the type kubernetes.io/service-account-token, without an end, and valid
 * as long as that Secret holds them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define AUTH_LEGACY_INVALID                                                                                            \
        "kubernetes.io/legacy-token-invalid-since" /* label of a Secret whose token counts no more */
#define AUTH_LEGACY_USED "kubernetes.io/legacy-token-last-used"

/* The ConfigMap of kube-system that says since when uses are noted, and where in its data. */
#define AUTH_LEGACY_TRACKING "kube-apiserver-legacy-service-account-token-tracking"
#define AUTH_LEGACY_SINCE "since"

struct arena;
struct auth_keys;

/* Whose token, and which Secret keeps it. */
struct auth_legacy {
        const char *namespace, *secret, *account, *uid;
};

/* *@ret_token is in @arena. -EIO, -ENOMEM or 0. */
int auth_legacy_issue(struct arena *arena, const struct auth_keys *keys, const struct auth_legacy *legacy,
                      const char **ret_token);

/* The dates of all these, of the day in UTC: "2006-01-02", with its NUL; in seconds since 1970. */
#define AUTH_DATE_SIZE 11
void auth_date_format(int64_t seconds, char ret_text[AUTH_DATE_SIZE]);
bool auth_date_parse(const char *text, int64_t *ret_seconds);
