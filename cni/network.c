#include "cni/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/network_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

static const char *const default_bin_dirs[] = { "/opt/cni/bin", "/usr/lib/cni", NULL };

static void loaded_put(struct network *network, struct loaded *loaded) {
        if (!loaded)
                return;
        pthread_mutex_lock(&network->lock);
        bool last = --loaded->users == 0;
        pthread_mutex_unlock(&network->lock);
        if (!last)
                return;
        cni_conflist_free(loaded->conflist);
        free(loaded);
}

/* The configuration to work with, for loaded_put(). NULL with 0: built in. */
static int loaded_get(struct network *network, struct loaded **ret_loaded, struct err **err) {
        int r = 0;

        pthread_mutex_lock(&network->lock);
        if (!network->loaded && network->broken)
                r = err_repeat(err, network->broken);
        else if (network->loaded)
                network->loaded->users++;
        *ret_loaded = r < 0 ? NULL : network->loaded;
        pthread_mutex_unlock(&network->lock);
        return r;
}

void cni_network_describe(struct network *network) {
        char *text = network->descriptions[++network->described % 2];
        size_t size = sizeof(network->descriptions[0]);

        if (network->loaded)
                snprintf(text, size, "CNI %s", network->loaded->conflist->name);
        else if (network->bridge)
                snprintf(text, size, "bridge %s", cni_bridge_name(network->bridge));
        else
                snprintf(text, size, "none");
}

static void take_stamp(struct network *network, struct cni_conflist_stamp *ret_stamp) {
        memset(ret_stamp, 0, sizeof(*ret_stamp));
        if (network->conf_dir)
                cni_conflist_stamp(network->conf_dir, network->loaded ? network->loaded->conflist : NULL, ret_stamp);
}

/* Puts @loaded, or the failure @broken, in place. A failure leaves the configuration in use. */
static void exchange(struct network *network, struct loaded *loaded, struct err *broken,
                     const struct cni_conflist_stamp *stamp) {
        struct loaded *before = NULL;

        pthread_mutex_lock(&network->lock);
        err_free(network->broken);
        network->broken = broken;
        if (!broken) {
                before = network->loaded;
                network->loaded = loaded;
        }
        take_stamp(network, &network->stamp);
        network->stamp.directory = stamp->directory;
        cni_network_describe(network);
        pthread_mutex_unlock(&network->lock);
        loaded_put(network, before);
}

static int load(struct network *network, struct loaded **ret_loaded, struct err **err) {
        _cleanup_conflist_ struct conflist *conflist = NULL;
        struct loaded *loaded;
        int r = 0;

        if (network->conf_dir)
                r = cni_conflist_load(network->conf_dir, &conflist, err);
        if (r == 0 && conflist)
                r = cni_plugins_validate(&network->plugins, conflist, err);
        if (r < 0 || !conflist) {
                *ret_loaded = NULL;
                return r;
        }
        loaded = calloc(1, sizeof(*loaded));
        if (!loaded)
                return err_errno(err, ENOMEM, "CNI configuration");
        *loaded = (struct loaded){ .conflist = TAKE_PTR(conflist), .users = 1 };
        *ret_loaded = loaded;
        return 0;
}

/* Reads the configuration again when it changed, or when it could not be used: what was missing may be there now. */
static void refresh(struct network *network) {
        _cleanup_err_ struct err *error = NULL;
        struct cni_conflist_stamp now;
        char before[ERR_TEXT_MAX];
        bool same;

        if (!network->conf_dir)
                return;
        pthread_mutex_lock(&network->lock);
        take_stamp(network, &now);
        same = !network->broken && memcmp(&now, &network->stamp, sizeof(now)) == 0;
        snprintf(before, sizeof(before), "%s", err_text(network->broken));
        pthread_mutex_unlock(&network->lock);
        if (!same && network_reload(network, &error) < 0 && strcmp(before, err_text(error)) != 0)
                log_warning("network: %s", err_text(error));
}

int network_reload(struct network *network, struct err **err) {
        struct cni_conflist_stamp before = { 0 };
        struct loaded *loaded = NULL;
        struct err *error = NULL;
        int r;

        /* A change while it is read is a change after it. */
        if (network->conf_dir)
                cni_conflist_stamp(network->conf_dir, NULL, &before);
        r = load(network, &loaded, &error);
        if (r < 0) {
                err_set(err, -r, "%s", err_text(error));
                exchange(network, NULL, error, &before);
                return r;
        }
        /* The bridge only where it is used, now or by pods of before. */
        pthread_rwlock_rdlock(&network->bridge_lock);
        if (network->bridge && (!loaded || cni_bridge_present(network->bridge)))
                r = cni_bridge_ensure(network->bridge, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        exchange(network, loaded, NULL, &before);
        return r;
}

static int copy_options(struct network *network, const struct network_options *options, struct err **err) {
        const char *const *dirs = options->bin_dirs ? options->bin_dirs : default_bin_dirs;

        network->mtu = options->mtu;
        network->masquerade = options->masquerade;
        snprintf(network->bridge_name, sizeof(network->bridge_name), "%s", options->bridge ?: NETWORK_BRIDGE_DEFAULT);
        network->plugins.timeout_ms =
                options->plugin_timeout_ms ? options->plugin_timeout_ms : NETWORK_PLUGIN_TIMEOUT_MS;
        network->plugins.bin_dirs = (const char *const *)network->bin_dirs;
        network->plugins.shared = options->conf_dir_shared;
        if (!options->conf_dir)
                return 0;
        if (!options->cache_dir)
                return err_set(err, EINVAL, "CNI plugins need a directory for their results");
        network->conf_dir = strdup(options->conf_dir);
        network->cache_dir = strdup(options->cache_dir);
        network->plugins.cache_dir = network->cache_dir;
        for (size_t i = 0; dirs[i]; i++) {
                if (i == BIN_DIRS_MAX)
                        return err_set(err, EINVAL, "more than %d directories for CNI plugins", BIN_DIRS_MAX);
                network->bin_dirs[i] = strdup(dirs[i]);
                if (!network->bin_dirs[i])
                        return err_errno(err, ENOMEM, "network");
        }
        return network->conf_dir && network->cache_dir ? 0 : err_errno(err, ENOMEM, "network");
}

int network_open(const struct network_options *options, struct network **ret_network, struct err **err) {
        struct network *network = calloc(1, sizeof(*network));
        _cleanup_err_ struct err *error = NULL;
        int r;

        if (!network)
                return err_errno(err, ENOMEM, "network");
        pthread_mutex_init(&network->lock, NULL);
        pthread_rwlock_init(&network->bridge_lock, NULL);
        if ((r = copy_options(network, options, err)) < 0 ||
            (options->n_pod_cidrs > 0 && (r = cni_bridge_new(options, &network->bridge, err)) < 0)) {
                network_free(network);
                return r;
        }
        if (network_reload(network, &error) < 0)
                log_warning("network: %s", err_text(error));
        *ret_network = network;
        return 0;
}

bool network_bridge_used(const char *bridge) {
        return cni_bridge_used(bridge);
}

void network_free(struct network *network) {
        if (!network)
                return;
        loaded_put(network, network->loaded);
        err_free(network->broken);
        cni_bridge_free(network->bridge);
        pthread_mutex_destroy(&network->lock);
        pthread_rwlock_destroy(&network->bridge_lock);
        for (char **dir = network->bin_dirs; *dir; dir++)
                free(*dir);
        free(network->conf_dir);
        free(network->cache_dir);
        free(network);
}

/* What the kernel's names and comments, and paths of cached results, can hold. */
static int check_id(const char *id, struct err **err) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
        size_t n = strlen(id);

        if (n == 0 || n >= NETWORK_ID_MAX || strchr("_.-", id[0]) || strspn(id, letters) != n)
                return err_set(err, EINVAL, "\"%.64s\" is not a sandbox's id", id);
        return 0;
}

/* Without plugins and without addresses there is nothing to attach to. */
static int need_bridge(const struct network *network, struct err **err) {
        if (network->bridge)
                return 0;
        return err_set(err, EADDRNOTAVAIL, "no pod CIDR is set%s%s",
                       network->conf_dir ? " and there is no CNI configuration in " : "",
                       network->conf_dir ? network->conf_dir : "");
}

static bool by_plugins(const struct network *network, const char *id) {
        return network->cache_dir && cni_plugins_have(&network->plugins, id);
}

int network_adopt(struct network *network, const char *id, const struct ip *addresses, size_t n_addresses,
                  struct err **err) {
        int r = check_id(id, err);

        if (r < 0 || by_plugins(network, id))
                return r;
        pthread_rwlock_rdlock(&network->bridge_lock);
        if (network->bridge)
                r = cni_bridge_adopt(network->bridge, id, addresses, n_addresses, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

/* The ids of live sandboxes in order, to be searched. */
struct live {
        const char **ids;
        size_t n;
};

static int compare_ids(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_live(const char *id, const void *data) {
        const struct live *live = data;

        return bsearch(&id, live->ids, live->n, sizeof(live->ids[0]), compare_ids) != NULL;
}

static int sweep_plugins(struct network *network, const struct live *live, struct err **err) {
        struct loaded *loaded = NULL;
        int r;

        loaded_get(network, &loaded, NULL);
        r = cni_plugins_retain(&network->plugins, loaded ? loaded->conflist : NULL,
                               &(struct plugins_live){ live->ids, live->n, is_live, live }, err);
        loaded_put(network, loaded);
        return r;
}

int network_sweep(struct network *network, const char *const *ids, size_t n_ids, struct err **err) {
        _cleanup_free_ const char **sorted = calloc(n_ids + 1, sizeof(*sorted));
        struct live live = { .ids = sorted, .n = n_ids };
        int r = 0, result = 0;

        if (!sorted)
                return err_errno(err, ENOMEM, "sweep of the network");
        for (size_t i = 0; i < n_ids; i++)
                sorted[i] = ids[i];
        qsort(sorted, n_ids, sizeof(*sorted), compare_ids);
        if (network->cache_dir)
                result = sweep_plugins(network, &live, err);
        pthread_rwlock_rdlock(&network->bridge_lock);
        if (network->bridge)
                r = cni_bridge_retain(network->bridge, is_live, &live, ids, n_ids, result < 0 ? NULL : err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return result < 0 ? result : r;
}

int network_attach(struct network *network, const struct network_request *request, struct network_result *ret_result,
                   struct err **err) {
        struct loaded *loaded = NULL;
        int r = check_id(request->id, err);

        if (r < 0)
                return r;
        refresh(network);
        if ((r = loaded_get(network, &loaded, err)) < 0)
                return r;
        if (loaded) {
                r = cni_plugins_add(&network->plugins, loaded->conflist, request, ret_result, err);
                loaded_put(network, loaded);
                return r;
        }
        pthread_rwlock_rdlock(&network->bridge_lock);
        r = need_bridge(network, err);
        if (r == 0)
                r = cni_bridge_attach(network->bridge, request, ret_result, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

int network_detach(struct network *network, const char *id, const char *netns, struct err **err) {
        int r = check_id(id, err);

        if (r == 0 && by_plugins(network, id)) {
                struct loaded *loaded = NULL;

                loaded_get(network, &loaded, NULL);
                r = cni_plugins_delete(&network->plugins, loaded ? loaded->conflist : NULL, id, netns, err);
                loaded_put(network, loaded);
        }
        if (r < 0)
                return r;
        pthread_rwlock_rdlock(&network->bridge_lock);
        if (network->bridge)
                r = cni_bridge_detach(network->bridge, id, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

int network_check(struct network *network, const char *id, const char *netns, struct err **err) {
        int r = check_id(id, err);

        if (r < 0)
                return r;
        if (by_plugins(network, id))
                return cni_plugins_check(&network->plugins, id, netns, err);
        pthread_rwlock_rdlock(&network->bridge_lock);
        r = need_bridge(network, err);
        if (r == 0)
                r = cni_bridge_check(network->bridge, id, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

int network_status(struct network *network, struct err **err) {
        struct loaded *loaded = NULL;
        int r;

        refresh(network);
        r = loaded_get(network, &loaded, err);
        if (r < 0)
                return r;
        if (loaded) {
                r = cni_plugins_status(&network->plugins, loaded->conflist, err);
                loaded_put(network, loaded);
                return r;
        }
        pthread_rwlock_rdlock(&network->bridge_lock);
        r = need_bridge(network, err);
        if (r == 0)
                r = cni_bridge_status(network->bridge, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

const char *network_describe(const struct network *network) {
        return network->descriptions[network->described % 2];
}
