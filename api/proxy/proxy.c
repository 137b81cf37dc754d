#include "api/proxy/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/proxy/internal.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

static const struct {
        const char *resource, *sub; /* of the core group */
        enum api_step (*connect)(struct api_request *r);
} rows[] = {
        { "pods", "log", proxy_log },           { "pods", "exec", proxy_stream },
        { "pods", "attach", proxy_stream },     { "pods", "portforward", proxy_forward },
        { "pods", "proxy", proxy_pod },         { "nodes", "proxy", proxy_node },
        { "services", "proxy", proxy_service },
};

enum api_step api_connect(struct api_request *r) {
        for (size_t i = 0; r->sub && !*r->kind->group && i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].resource, r->kind->resource) == 0 && strcmp(rows[i].sub, r->sub->name) == 0)
                        return rows[i].connect(r);
        return API_NEXT;
}

/* --- what they share --- */

bool proxy_id_parse(struct api_request *r, const char *text, struct proxy_id *ret_id) {
        char *copy = arena_strdup(r->arena, text), *parts[3];
        unsigned n = 0;

        for (char *at = copy; at; n++) {
                char *colon = strchr(at, ':');

                if (n == ELEMENTS(parts))
                        return false;
                parts[n] = at;
                if (colon)
                        *colon = '\0';
                at = colon ? colon + 1 : NULL;
        }
        if (n == 0)
                return false;
        *ret_id = (struct proxy_id){ n == 3 ? parts[0] : "", n == 3 ? parts[1] : parts[0], n > 1 ? parts[n - 1] : "" };
        return *ret_id->name &&
               (!*ret_id->scheme || strcmp(ret_id->scheme, "http") == 0 || strcmp(ret_id->scheme, "https") == 0);
}

int proxy_find(struct api_request *r, const char *resource, const char *namespace, const char *name,
               const struct value **ret_object) {
        struct api_resource *of = api_state_find(r->server->config.state, "", resource);
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, namespace, name) : NULL;

        return object ? api_tree_of(r->arena, object, ret_object) : -ENOENT;
}

/* strconv.ParseInt() in decimal: blanks are none of a number, whichever they are. */
bool proxy_number(const char *text, int64_t *ret_number) {
        const char *digits = text + (*text == '-' || *text == '+');
        char *end;

        errno = 0;
        *ret_number = strtoll(text, &end, 10);
        return errno == 0 && *digits >= '0' && *digits <= '9' && *end == '\0';
}

/* Not loopback, link-local, multicast, "any" or all. */
static bool is_unicast_four(uint32_t n) {
        return n != 0 && n != UINT32_MAX && n >> 24 != 127 && n >> 16 != 0xa9fe && n >> 28 != 0xe;
}

/* As Go's net.IP.IsGlobalUnicast(). The kernel goes to an IPv4 address also where it is mapped to one of IPv6 (RFC
 * 4291, 2.5.5.2), so that it is looked at as what it is. */
bool proxy_is_unicast(const char *address) {
        struct in6_addr six;
        struct in_addr four;

        if (inet_pton(AF_INET, address, &four) == 1)
                return is_unicast_four(ntohl(four.s_addr));
        if (inet_pton(AF_INET6, address, &six) != 1)
                return false;
        if (IN6_IS_ADDR_V4MAPPED(&six)) {
                memcpy(&four, &six.s6_addr[12], sizeof(four));
                return is_unicast_four(ntohl(four.s_addr));
        }
        return !IN6_IS_ADDR_UNSPECIFIED(&six) && !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_LINKLOCAL(&six) &&
               !IN6_IS_ADDR_MULTICAST(&six);
}
