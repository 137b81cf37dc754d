/* A pod's network by CNI plugins: a configuration list carried out by the rules of CNI 1.1.
 *
 * ADD runs the plugins in order, each with the result of the one before; when one fails, DEL runs for all. DEL goes
 * backwards and does not stop at a failure. What is called with what: specification, section 4 "Plugin delegation" and
 * libcni. The contracts are those of cni/network.h.
 */
#pragma once

#include <stdbool.h>

#include "cni/network.h"

struct conflist;

struct plugins_options {
        const char *const *bin_dirs; /* NULL-ended */
        const char *cache_dir;
        int timeout_ms; /* of each plugin's call */
        bool shared;    /* another agent's sandboxes may be attached by the same configurations */
};

/* Asks each plugin for its VERSION. -ENOENT: not installed; -EPROTONOSUPPORT: it does not know the list's version. */
int cni_plugins_validate(const struct plugins_options *options, const struct conflist *conflist, struct err **err);

/* STATUS of each plugin, where the list's version has it. */
int cni_plugins_status(const struct plugins_options *options, const struct conflist *conflist, struct err **err);

int cni_plugins_add(const struct plugins_options *options, const struct conflist *conflist,
                    const struct network_request *request, struct network_result *ret_result, struct err **err);

/* Whether plugins attached @id, or began to. */
bool cni_plugins_have(const struct plugins_options *options, const char *id);

int cni_plugins_check(const struct plugins_options *options, const char *id, const char *netns, struct err **err);

/* @netns may be NULL. A record that cannot be read is deleted with @conflist (NULL: only dropped, with a warning). */
int cni_plugins_delete(const struct plugins_options *options, const struct conflist *conflist, const char *id,
                       const char *netns, struct err **err);

/* The sandboxes that there are. */
struct plugins_live {
        const char *const *ids;
        size_t n;
        bool (*has)(const char *id, const void *data); /* whether @id is one of them */
        const void *data;
};

/* DEL for each recorded sandbox that is not one of @live, then GC of the plugins with these, where the version has it
 * and nobody else has sandboxes in the network: to a plugin, all that GC does not name is garbage. */
int cni_plugins_retain(const struct plugins_options *options, const struct conflist *conflist,
                       const struct plugins_live *live, struct err **err);
