/* What is there from the first start on: the system's namespaces and priority classes. */
#pragma once

struct api_keeper;
struct api_state;
struct arena;
struct err;

/* Makes what is missing. Blocks; before anything is served. */
int api_bootstrap(struct api_state *state, struct err **err);

/* The first JSON of namespace @name; NULL where it is not one of them. */
const char *api_bootstrap_namespace(const char *name);

/* Has those namespaces made again that are deleted from then on: nodes renew their leases in one of them. As
 * kube-apiserver has it, which looks once a minute. Before anything is served; freed once nothing changes any more. */
int api_keeper_new(struct api_state *state, struct api_keeper **ret_keeper, struct err **err);
struct api_keeper *api_keeper_free(struct api_keeper *keeper); /* NULL is fine */

/* The roles and bindings among them (api/rbac/defaults.h). */
int api_bootstrap_roles(struct api_state *state, struct arena *arena);
