/* What the service does by itself when objects change: aggregated ClusterRoles get their rules.
 *
 * Changes are noticed on the thread that makes them, and what follows is done on the service's main thread, which may
 * wait for the store: api_chores_fd() is readable when there is something to be done.
 */
#pragma once

struct api_chores;
struct api_state;
struct arena;
struct err;
struct rbac;

struct api_chores_config {
        struct api_state *state;
        struct rbac *roles; /* told of each change before */
};

/* @config is copied; its objects outlive it. All is to be done once at first. */
int api_chores_new(const struct api_chores_config *config, struct api_chores **ret_chores, struct err **err);
struct api_chores *api_chores_free(struct api_chores *chores); /* once nothing changes any more; NULL is fine */

int api_chores_fd(const struct api_chores *chores);

/* Does what is to be done, and what comes of that. What others change meanwhile is done anew when they have. Blocks. */
int api_chores_run(struct api_chores *chores, struct err **err);

/* The chores: each looks at what is there and makes it as it has to be; @arena is its own. 0 or a negative errno; what
 * somebody else changes meanwhile is no error, since it is due again then. */
int api_aggregate_roles(const struct api_chores_config *config, struct arena *arena);
