#include "cni/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cni/bridge.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

struct network {
        struct bridge *bridge;
};

int network_open(const struct network_options *options, struct network **ret_network, struct err **err) {
        struct network *network = calloc(1, sizeof(*network));
        _cleanup_err_ struct err *error = NULL;
        int r;

        if (!network)
                return err_errno(err, ENOMEM, "network");
        r = bridge_new(options, &network->bridge, err);
        if (r < 0) {
                network_free(network);
                return r;
        }
        if (bridge_ensure(network->bridge, &error) < 0)
                log_warning("network: %s", err_text(error));
        *ret_network = network;
        return 0;
}

void network_free(struct network *network) {
        if (!network)
                return;
        bridge_free(network->bridge);
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

int network_adopt(struct network *network, const char *id, const struct ip *addresses, size_t n_addresses,
                  struct err **err) {
        int r = check_id(id, err);

        return r < 0 ? r : bridge_adopt(network->bridge, id, addresses, n_addresses, err);
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

int network_sweep(struct network *network, const char *const *ids, size_t n_ids, struct err **err) {
        _cleanup_free_ const char **sorted = calloc(n_ids + 1, sizeof(*sorted));
        struct live live = { .ids = sorted, .n = n_ids };

        if (!sorted)
                return err_errno(err, ENOMEM, "sweep of the network");
        memcpy(sorted, ids, n_ids * sizeof(*sorted));
        qsort(sorted, n_ids, sizeof(*sorted), compare_ids);
        return bridge_retain(network->bridge, is_live, &live, ids, n_ids, err);
}

int network_attach(struct network *network, const struct network_request *request, struct network_result *ret_result,
                   struct err **err) {
        int r = check_id(request->id, err);

        return r < 0 ? r : bridge_attach(network->bridge, request, ret_result, err);
}

int network_detach(struct network *network, const char *id, const char *netns, struct err **err) {
        int r = check_id(id, err);

        return r < 0 ? r : bridge_detach(network->bridge, id, err);
}

int network_check(struct network *network, const char *id, const char *netns, struct err **err) {
        int r = check_id(id, err);

        return r < 0 ? r : bridge_check(network->bridge, id, err);
}

int network_status(struct network *network, struct err **err) {
        return bridge_status(network->bridge, err);
}

int network_reload(struct network *network, struct err **err) {
        return 0;
}

const char *network_describe(const struct network *network) {
        return bridge_name(network->bridge);
}
