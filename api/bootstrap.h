/* What is there from the first start on: the system's namespaces and priority classes. */
#pragma once

struct api_state;
struct arena;
struct err;

/* Makes what is missing. Blocks; before anything is served. */
int api_bootstrap(struct api_state *state, struct err **err);

/* The roles and bindings among them (api/rbac/defaults.h). */
int api_bootstrap_roles(struct api_state *state, struct arena *arena);
