/* What is taken, by the objects that say so: those that are there, then each change, on the thread that makes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/follower.h"
#include "api/server/codec.h"
#include "api/services/addresses.h"
#include "api/services/ports.h"
#include "api/services/work.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/value.h"

#define RANGES_MAX 2 /* of a ServiceCIDR: one a family */

static int set_service(struct api_services *s, struct arena *arena, struct object *now, struct object *before);
static int set_record(struct api_services *s, struct arena *arena, struct object *now, struct object *before);
static int set_range(struct api_services *s, struct arena *arena, struct object *now, struct object *before);
static int set_endpoints(struct api_services *s, struct arena *arena, struct object *now, struct object *before);
static int set_slice(struct api_services *s, struct arena *arena, struct object *now, struct object *before);

/* Either of @now and @before may be NULL. */
static const struct row {
        const char *group, *resource;
        int (*set)(struct api_services *s, struct arena *arena, struct object *now, struct object *before);
} rows[] = {
        { "networking.k8s.io", "servicecidrs", set_range },
        { "networking.k8s.io", "ipaddresses", set_record },
        { "", "services", set_service },
        { "", "endpoints", set_endpoints },
        { "discovery.k8s.io", "endpointslices", set_slice },
};

struct follower {
        struct collection_follower base; /* first */
        struct services_follow *follow;
        const struct row *row;
        struct api_resource *resource;
};

struct services_follow {
        struct api_services *services;
        struct arena *arena; /* of one change */
        struct follower all[ELEMENTS(rows)];
};

/* --- services --- */

static int each_address(struct api_services *s, const struct value *tree, const char *owner, bool holds) {
        const struct value *list = value_find(tree, "spec.clusterIPs");
        struct cluster_ip address;
        int r = 0;

        if (strcmp(value_string_or(value_find(tree, "spec.type"), ""), "ExternalName") == 0)
                return 0;
        for (uint32_t i = 0; r == 0 && i < value_count(list); i++)
                if (cluster_ip_parse(value_string_or(value_at(list, i), ""), &address))
                        r = addresses_hold(s->addresses, &address, owner, holds);
        return r;
}

static int record_each(struct api_services *s, const struct value *tree) {
        const struct value *list = value_find(tree, "spec.clusterIPs");
        struct cluster_ip address;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < value_count(list); i++)
                if (cluster_ip_parse(value_string_or(value_at(list, i), ""), &address))
                        r = services_record(s, &address);
        return r;
}

/* Two ports of one number and two protocols are one port that is held. */
static bool comes_before(const struct value *ports, uint32_t at, int64_t number) {
        for (uint32_t i = 0; i < at; i++) {
                int64_t other = 0;

                if (value_integer(value_get(value_at(ports, i), "nodePort"), &other) && other == number)
                        return true;
        }
        return false;
}

static void each_port(struct api_services *s, const struct value *tree, bool holds) {
        const struct value *list = value_find(tree, "spec.ports");
        int64_t port = 0;

        for (uint32_t i = 0; i < value_count(list); i++)
                if (value_integer(value_get(value_at(list, i), "nodePort"), &port) && port > 0 &&
                    !comes_before(list, i, port))
                        ports_hold(s->ports, (int32_t)port, holds);
        if (value_integer(value_find(tree, "spec.healthCheckNodePort"), &port) && port > 0)
                ports_hold(s->ports, (int32_t)port, holds);
}

static bool same_addresses(const struct value *a, const struct value *b) {
        static const char *const parts[] = { "spec.clusterIPs", "spec.type" };

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                const struct value *x = value_find(a, parts[i]), *y = value_find(b, parts[i]);

                if (x != y && (!x || !y || !value_equal(x, y)))
                        return false;
        }
        return true;
}

static int change_addresses(struct api_services *s, const struct value *new, const struct value *old,
                            const char *owner) {
        return each_address(s, new, owner, true)          ?:
                       each_address(s, old, owner, false) ?:
                       record_each(s, new)                ?:
                                                            record_each(s, old);
}

/* What leads to this server. */
static bool is_own(const struct object *object) {
        return strcmp(object->namespace, "default") == 0 && strcmp(object->name, "kubernetes") == 0;
}

/* What it has now is held before what it had is given back, so that nobody else gets in between. */
static int set_service(struct api_services *s, struct arena *arena, struct object *now, struct object *before) {
        const struct object *any = now ?: before;
        const char *owner = arena_printf(arena, "%s/%s", any->namespace, any->name);
        const struct value *new = NULL, *old = NULL;
        int r = owner ? 0 : -ENOMEM;

        if (r < 0 || (now && (r = api_tree_of(arena, now, &new)) < 0) ||
            (before && (r = api_tree_of(arena, before, &old)) < 0) ||
            (!(now && before && same_addresses(new, old)) && (r = change_addresses(s, new, old, owner)) < 0))
                return r;
        each_port(s, new, true);
        each_port(s, old, false);
        if (now)
                return 0;
        return services_forget_endpoints(s, before) ?: is_own(before) ? services_restore_own(s, "", "services") : 0;
}

static int set_endpoints(struct api_services *s, struct arena *arena, struct object *now, struct object *before) {
        return !now && is_own(before) ? services_restore_own(s, "", "endpoints") : 0;
}

static int set_slice(struct api_services *s, struct arena *arena, struct object *now, struct object *before) {
        return !now && is_own(before) ? services_restore_own(s, "discovery.k8s.io", "endpointslices") : 0;
}

/* --- records and ranges --- */

static int set_record(struct api_services *s, struct arena *arena, struct object *now, struct object *before) {
        const struct value *tree = NULL;
        struct cluster_ip address;
        int r = now ? api_tree_of(arena, now, &tree) : 0;

        if (r < 0 || !cluster_ip_parse((now ?: before)->name, &address))
                return r;
        r = addresses_set_object(s->addresses, &address, now, now && services_is_record(tree));
        return r ?: services_record(s, &address);
}

/* Of the command line: without it no Service would be given an address. */
static bool is_first_range(const struct object *object) {
        return strcmp(object->name, "kubernetes") == 0;
}

static bool is_ready(const struct value *tree) {
        const struct value *ready = value_item(value_find(tree, "status.conditions"), "type", "Ready");

        return !ready || strcmp(value_string_or(value_get(ready, "status"), ""), "True") == 0;
}

static int set_range(struct api_services *s, struct arena *arena, struct object *now, struct object *before) {
        struct cluster_range ranges[RANGES_MAX];
        const struct value *tree = NULL, *list;
        unsigned n = 0;
        int r = now ? api_tree_of(arena, now, &tree) : 0;

        if (r < 0)
                return r;
        list = value_find(tree, "spec.cidrs");
        for (uint32_t i = 0; n < RANGES_MAX && i < value_count(list); i++) {
                _cleanup_err_ struct err *err = NULL;

                if (cluster_range_parse(value_string_or(value_at(list, i), ""), &ranges[n], &err) == 0)
                        n++;
        }
        r = addresses_set_ranges(s->addresses, (now ?: before)->name, ranges, n,
                                 tree && is_ready(tree) && !value_find(tree, "metadata.deletionTimestamp"));
        return r ?: !now && is_first_range(before) ? services_restore_own(s, "networking.k8s.io", "servicecidrs") : 0;
}

/* --- following --- */

/* What cannot be told now would be answered wrongly from here on: told again at the next start. */
static int tell(struct collection_follower *base, struct object *now, struct object *before) {
        struct follower *f = (struct follower *)base;
        const struct object *any = now ?: before;
        int r;

        arena_reset(f->follow->arena);
        r = f->row->set(f->follow->services, f->follow->arena, now, before);
        if (r < 0 && base->collection) {
                log_error("no memory for %s %s/%s: ending, to begin from what is on disk", f->resource->name,
                          any->namespace, any->name);
                abort();
        }
        return r;
}

int services_follow_new(struct api_services *services, struct services_follow **ret_follow) {
        struct services_follow *follow = calloc(1, sizeof(*follow));
        int r = 0;

        if (!follow)
                return -ENOMEM;
        follow->services = services;
        follow->arena = arena_new();
        if (!follow->arena)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++) {
                struct follower *f = &follow->all[i];

                f->follow = follow;
                f->row = &rows[i];
                f->resource = api_state_find(services->state, rows[i].group, rows[i].resource);
                f->base.told = tell;
                r = f->resource ? collection_follow(f->resource->collection, &f->base) : -ENOENT;
        }
        if (r < 0)
                services_follow_free(follow);
        else
                *ret_follow = follow;
        return r;
}

struct services_follow *services_follow_free(struct services_follow *follow) {
        if (!follow)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(follow->all); i++)
                collection_unfollow(&follow->all[i].base);
        arena_free(follow->arena);
        free(follow);
        return NULL;
}
