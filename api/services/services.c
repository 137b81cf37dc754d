#include "api/services/services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/services/addresses.h"
#include "api/services/ports.h"
#include "api/services/work.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* What was not brought up to date before the last end. */
static int record_all(struct api_services *services) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cluster_ip *all = NULL;
        size_t n = 0;
        int r = arena ? addresses_known(services->addresses, arena, &all, &n) : -ENOMEM;

        services->loaded = true;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = services_record(services, &all[i]);
        return r;
}

static int follow(struct api_services *services, struct err **err) {
        int r = services_follow_new(services, &services->follow) ?: record_all(services);

        return r < 0 ? err_errno(err, -r, "cannot read Services") : 0;
}

int api_services_new(const struct api_services_config *config, struct api_services **ret_services, struct err **err) {
        struct api_services *services = calloc(1, sizeof(*services));
        int r;

        if (!services)
                return err_set(err, ENOMEM, "no memory for Services");
        services->state = config->state;
        services->port = config->port;
        services->ranges = config->ranges;
        if (config->advertised)
                snprintf(services->advertised, sizeof(services->advertised), "%s", config->advertised);
        services->addresses = addresses_new();
        services->ports = ports_new(config->node_ports, err);
        if ((r = !services->ports    ? -EINVAL :
                 services->addresses ? 0 :
                                       err_set(err, ENOMEM, "no memory for Services")) < 0 ||
            (r = services_make_range(services, err)) < 0 || (r = follow(services, err)) < 0 ||
            (r = services_make_own(services, err)) < 0)
                api_services_free(services);
        else
                *ret_services = services;
        return r;
}

struct api_services *api_services_free(struct api_services *services) {
        if (!services)
                return NULL;
        services_follow_free(services->follow);
        addresses_free(services->addresses);
        ports_free(services->ports);
        free(services);
        return NULL;
}
