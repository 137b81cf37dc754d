/* Nodes: where their kubelets are. */
#include <errno.h>
#include <string.h>

#include "api/proxy/internal.h"
#include "api/proxy/trust.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/http/exchange.h"
#include "lib/value.h"

static const char *address_of(const struct proxy *proxy, const struct value *list) {
        size_t n;
        const char *const *types = proxy_address_types(proxy, &n);

        for (size_t t = 0; t < n; t++) {
                const struct value *address = value_item(list, "type", types[t]);

                if (address)
                        return value_string_or(value_get(address, "address"), "");
        }
        return NULL;
}

/* As Go prints the list. */
static const char *list_text(struct arena *arena, const struct value *list) {
        const char *text = "";

        for (uint32_t i = 0; text && i < value_count(list); i++)
                text = arena_printf(arena, "%s%s{%s %s}", text, i > 0 ? " " : "",
                                    value_string_or(value_get(value_at(list, i), "type"), ""),
                                    value_string_or(value_get(value_at(list, i), "address"), ""));
        return text ?: "";
}

/* KEP-4006, and what it calls that. */
static bool takes_websockets(const struct value *node) {
        return value_has_text(value_find(node, "status.declaredFeatures"), "ExtendWebSocketsToKubelet");
}

enum api_step proxy_find_kubelet(struct api_request *r, const char *name, struct proxy_target *ret_target) {
        const struct value *node, *list;
        const char *host, *port;
        int64_t number = PROXY_KUBELET_PORT;
        int error = proxy_find(r, "nodes", "", name, &node);

        if (error < 0)
                return error == -ENOENT ? api_not_found(r, name) : api_fail(r, error, NULL);
        list = value_find(node, "status.addresses");
        host = address_of(r->server->config.proxy, list);
        if (!host)
                return api_refuse(r, API_BROKEN, "no preferred addresses found; known addresses: [%s]",
                                  list_text(r->arena, list));
        if (!value_integer(value_find(node, "status.daemonEndpoints.kubeletEndpoint.Port"), &number) || number == 0)
                number = PROXY_KUBELET_PORT;
        port = arena_printf(r->arena, "%lld", (long long)number);
        if (!port)
                return api_fail(r, -ENOMEM, NULL);
        *ret_target = (struct proxy_target){ .kubelet = true,
                                             .websockets = takes_websockets(node),
                                             .scheme = "https",
                                             .host = host,
                                             .port = port,
                                             .path = "",
                                             .query = "" };
        return API_NEXT;
}

enum api_step proxy_node(struct api_request *r) {
        struct proxy_target target;
        struct proxy_id id;
        enum api_step step;

        if (!proxy_id_parse(r, r->path.name, &id))
                return api_refuse(r, API_BAD_REQUEST, "invalid node request \"%s\"", r->path.name);
        step = proxy_find_kubelet(r, id.name, &target);
        if (step != API_NEXT)
                return step;
        if (*id.port && strcmp(id.port, target.port) != 0) {
                target.kubelet = false;
                target.scheme = id.scheme;
                target.port = id.port;
        }
        target.unicast = true;
        target.path = proxy_rest(r);
        target.query = http_request_of(r->x)->query;
        return proxy_send(r, &target);
}
