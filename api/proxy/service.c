/* Services: one of their endpoints, by the name or number of a port. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/http/exchange.h"
#include "lib/value.h"

/* A port by number has a name, by which endpoints know it. */
static enum api_step name_port(struct api_request *r, const struct proxy_id *id, const char **ret_name) {
        const struct value *service, *list;
        int64_t wanted, port;
        int error;

        *ret_name = id->port;
        if (!*id->port || !proxy_number(id->port, &wanted))
                return API_NEXT;
        error = proxy_find(r, "services", r->path.namespace, id->name, &service);
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, id->name) : api_fail(r, error, NULL);
        list = value_find(service, "spec.ports");
        for (uint32_t i = 0; i < value_count(list); i++)
                if (value_integer(value_get(value_at(list, i), "port"), &port) && port == wanted) {
                        *ret_name = value_string_or(value_get(value_at(list, i), "name"), "");
                        return API_NEXT;
                }
        return api_refuse(r, API_UNAVAILABLE, "no service port %lld found for service \"%s\"", (long long)wanted,
                          id->name);
}

/* Only addresses that are pods' are gone to. */
static bool is_pod(struct api_request *r, const struct value *address) {
        const struct value *ref = value_get(address, "targetRef"), *pod;
        const char *ip = value_string_or(value_get(address, "ip"), "");

        if (!ref || strcmp(value_string_or(value_get(ref, "namespace"), ""), r->path.namespace) != 0 ||
            proxy_find(r, "pods", r->path.namespace, value_string_or(value_get(ref, "name"), ""), &pod) < 0)
                return false;
        return value_item(value_find(pod, "status.podIPs"), "ip", ip);
}

/* One of the subset's, from a place by chance on. */
static const char *host_of(struct api_request *r, const struct value *subset, uint32_t chance) {
        const struct value *list = value_get(subset, "addresses");
        uint32_t n = value_count(list);

        for (uint32_t i = 0; i < n; i++) {
                const struct value *address = value_at(list, (chance + i) % n);

                if (is_pod(r, address))
                        return value_string_or(value_get(address, "ip"), "");
        }
        return NULL;
}

static bool find_endpoint(struct api_request *r, const struct value *subsets, const char *port,
                          struct proxy_target *target) {
        uint32_t chance = 0, n = value_count(subsets);

        if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
                chance = 0;
        for (uint32_t i = 0; i < n; i++) {
                const struct value *subset = value_at(subsets, (chance % n + i) % n),
                                   *named = value_item(value_get(subset, "ports"), "name", port);
                int64_t number;

                target->host = named ? host_of(r, subset, chance) : NULL;
                if (!target->host || !value_integer(value_get(named, "port"), &number))
                        continue;
                target->port = arena_printf(r->arena, "%lld", (long long)number);
                return target->port;
        }
        return false;
}

enum api_step proxy_service(struct api_request *r) {
        const struct value *endpoints, *subsets;
        struct proxy_target target = { 0 };
        struct proxy_id id;
        const char *port;
        enum api_step step;
        int error;

        if (!proxy_id_parse(r, r->path.name, &id))
                return api_refuse(r, API_BAD_REQUEST, "invalid service request \"%s\"", r->path.name);
        step = name_port(r, &id, &port);
        if (step != API_NEXT)
                return step;
        error = proxy_find(r, "endpoints", r->path.namespace, id.name, &endpoints);
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, id.name) : api_fail(r, error, NULL);
        subsets = value_get(endpoints, "subsets");
        if (value_count(subsets) == 0 || !find_endpoint(r, subsets, port, &target))
                return api_refuse(r, API_UNAVAILABLE, "no endpoints available for service \"%s\"",
                                  value_count(subsets) == 0 ? id.name : r->path.name);
        target.scheme = id.scheme;
        target.path = proxy_rest(r);
        target.query = http_request_of(r->x)->query;
        return proxy_send(r, &target);
}
