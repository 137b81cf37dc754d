/* What is there from the first start on: the system's namespaces and priority classes. */
#pragma once

struct api_state;
struct err;

/* Makes what is missing. Blocks; before anything is served. */
int api_bootstrap(struct api_state *state, struct err **err);
