/* What is there from the first start on: the system's namespaces and priority classes. */
#pragma once

struct api_keeper;
struct api_resource;
struct api_state;
struct arena;
struct err;
struct value;

/* Makes what is missing. Blocks; before anything is served. */
int api_bootstrap(struct api_state *state, struct err **err);

/* The first JSON of namespace @name; NULL where it is not one of them. */
const char *api_bootstrap_namespace(const char *name);

/* Has those namespaces made again that are deleted from then on (nodes renew their leases in one of them), and the
 * ConfigMap that says whom the server trusts, @authorities in PEM, which it brings up to date at once (as
 * kube-apiserver has it, which looks once a minute), and the one that says since when tokens' use is noted. Before
 * anything is served; freed once nothing changes any more. */
int api_keeper_new(struct api_state *state, const char *authorities, struct api_keeper **ret_keeper, struct err **err);
struct api_keeper *api_keeper_free(struct api_keeper *keeper); /* NULL is fine */

/* Others are trusted from now on. On the main thread; blocks as api/rest/put.h does. 0 or a negative errno. */
int api_keeper_trust(struct api_keeper *keeper, const char *authorities);

#define API_TRUST "extension-apiserver-authentication" /* in kube-system */
#define API_TRUST_KEY "client-ca-file"

/* Its ConfigMap, new, in @arena; and written, where it does not say so. */
int api_bootstrap_trust_tree(struct arena *arena, const struct api_resource *maps, const char *authorities,
                             const struct value **ret_tree);
int api_bootstrap_trust(struct api_state *state, const char *authorities);

/* The ConfigMap that says since when the use of Secrets' tokens is noted (api/auth/legacy.h): new, of today; 1:
 * *@ret_tree is @there with a date in the place of what is none; and written, where one of both is needed. */
struct object;
int api_bootstrap_tracking_tree(struct arena *arena, const struct api_resource *maps, const struct value **ret_tree);
int api_bootstrap_tracking_mend(struct arena *arena, const struct api_resource *maps, struct object *there,
                                const struct value **ret_tree);
int api_bootstrap_tracking(struct api_state *state);

/* The roles and bindings among them (api/rbac/defaults.h). */
int api_bootstrap_roles(struct api_state *state, struct arena *arena);
