/* The ServiceCIDR of the command line, and the Service that leads to this server. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/rest/put.h"
#include "api/rest/meta.h"
#include "api/server/codec.h"
#include "api/services/addresses.h"
#include "api/services/work.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define NAME "kubernetes"
#define NETWORKING "networking.k8s.io"

/* As kube-apiserver's controller of it, which applies the condition. */
#define READY_OWNER                                                                                                    \
        "{\"manager\":\"kubernetes-service-cidr-controller\",\"operation\":\"Apply\",\"apiVersion\":\"networking.k8s." \
        "io/"                                                                                                          \
        "v1\",\"time\":\"%s\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:status\":{\"f:conditions\":{\"k:{"         \
        "\\\"type\\\""                                                                                                 \
        ":\\\"Ready\\\"}\":{\".\":{},\"f:lastTransitionTime\":{},\"f:message\":{},\"f:status\":{},\"f:type\":{}}}}},"  \
        "\"subresource\":\"status\"}"

static struct object *find(struct api_services *s, const char *group, const char *resource, const char *namespace) {
        struct api_resource *of = api_state_find(s->state, group, resource);

        return of ? collection_get(of->collection, namespace, NAME) : NULL;
}

static int make(struct api_services *s, struct arena *arena, const char *group, const char *resource,
                const char *text) {
        struct api_resource *of = api_state_find(s->state, group, resource);

        return !of ? -ENOENT : text ? api_put_new(s->state, arena, of, text, strlen(text)) : -ENOMEM;
}

/* --- the range --- */

/* The list of the command line, as JSON; in the order that says which family is the first. */
static const char *ranges_text(struct api_services *s, struct arena *arena, const char *ranges, struct err **err) {
        const char *comma = strchr(ranges, ','),
                   *first = arena_strndup(arena, ranges, comma ? (size_t)(comma - ranges) : strlen(ranges));
        struct cluster_range one, two;

        if (!first || cluster_range_parse(first, &one, err) < 0)
                return NULL;
        s->six = one.six;
        if (!comma)
                return arena_printf(arena, "[\"%s\"]", one.text);
        if (cluster_range_parse(comma + 1, &two, err) < 0)
                return NULL;
        if (one.six == two.six) {
                err_set(err, EINVAL, "--service-cluster-ip-range %s: two ranges are one of IPv4 and one of IPv6",
                        ranges);
                return NULL;
        }
        s->both = true;
        return arena_printf(arena, "[\"%s\",\"%s\"]", one.text, two.text);
}

/* A second family may come to the first. */
static int update_range(struct api_services *s, struct arena *arena, const struct object *object,
                        const struct value *wanted) {
        const struct value *tree, *is;
        struct value_edit edit;
        int r = api_tree_of(arena, object, &tree);

        if (r < 0)
                return r;
        is = value_find(tree, "spec.cidrs");
        if (value_equal(is, wanted))
                return 0;
        if (value_count(is) != 1 || value_count(wanted) != 2 || !value_equal(value_at(is, 0), value_at(wanted, 0))) {
                log_warning("--service-cluster-ip-range is not what ServiceCIDR " NAME " says; that one counts");
                return 0;
        }
        value_edit_begin(&edit, arena, tree);
        r = value_edit_set(&edit, "/spec/cidrs", wanted, NULL);
        tree = value_edit_end(&edit);
        r = r ?: tree ? 0 : -ENOMEM;
        return r     ?:
                       api_put_tree(s->state, arena, api_state_find(s->state, NETWORKING, "servicecidrs"), tree,
                                    object->revision);
}

static const char *range_text(struct arena *arena, const char *list) {
        const char *now = api_meta_now(arena, 0);

        return !now ? NULL :
                      arena_printf(arena,
                                   "{\"kind\":\"ServiceCIDR\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":{"
                                   "\"name\":\"" NAME "\",\"managedFields\":[" READY_OWNER
                                   "]},\"spec\":{\"cidrs\":%s},\"status\":{\"conditions\":[{\"type\":"
                                   "\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"%s\",\"reason\":\"\","
                                   "\"message\":\"Kubernetes default Service CIDR is ready\"}]}}",
                                   now, list, now);
}

static int put_range(struct api_services *s, struct arena *arena, const char *list) {
        _cleanup_object_ struct object *object = find(s, NETWORKING, "servicecidrs", "");
        const struct value *wanted;
        int r = json_parse(arena, list, strlen(list), NULL, &wanted, NULL);

        if (r < 0)
                return r;
        if (object)
                return update_range(s, arena, object, wanted);
        return make(s, arena, NETWORKING, "servicecidrs", range_text(arena, list));
}

int services_make_range(struct api_services *services, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *list = arena ? ranges_text(services, arena, services->ranges, err) : NULL;
        int r;

        if (!list)
                return err && *err ? -EINVAL : -ENOMEM;
        r = put_range(services, arena, list);
        return r < 0 ? err_errno(err, -r, "cannot make the ServiceCIDR " NAME) : 0;
}

/* --- the service --- */

static const char *service_text(struct arena *arena, unsigned port, const char *address) {
        return arena_printf(
                arena,
                "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" NAME
                "\",\"namespace\":\"default\",\"labels\":{\"component\":\"apiserver\",\"provider\":"
                "\"kubernetes\"}},\"spec\":{\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,"
                "\"targetPort\":%u}],\"clusterIP\":\"%s\",\"type\":\"ClusterIP\",\"sessionAffinity\":"
                "\"None\",\"ipFamilyPolicy\":\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"},"
                "\"status\":{\"loadBalancer\":{}}}",
                port, address);
}

/* What a client is given and does not own. */
static int give(struct arena *arena, const char *address, bool six, const struct value **service) {
        const struct value given = VALUE_TEXT(address), family = VALUE_TEXT(cluster_ip_family(six));
        const struct value ips = { .kind = VALUE_LIST, .count = 1, .items = &given },
                           families = { .kind = VALUE_LIST, .count = 1, .items = &family };
        struct value_edit edit;
        int r;

        value_edit_begin(&edit, arena, *service);
        if ((r = value_edit_set(&edit, "/spec/clusterIPs", &ips, NULL)) < 0 ||
            (r = value_edit_set(&edit, "/spec/ipFamilies", &families, NULL)) < 0)
                return r;
        if ((*service = value_edit_end(&edit)))
                *service = value_copy(arena, *service);
        return *service ? 0 : -ENOMEM;
}

/* NULL as *@ret_tree: there is no range to have an address from. */
static int service_tree(struct api_services *s, struct arena *arena, struct api_resource *of,
                        const struct value **ret_tree) {
        struct cluster_range range;
        const char *text;
        char address[CLUSTER_IP_TEXT_MAX];
        int r;

        *ret_tree = NULL;
        if (!addresses_range(s->addresses, s->six, &range))
                return 0;
        cluster_ip_format(&(struct cluster_ip){ range.six, range.high, range.first }, address);
        text = service_text(arena, s->port, address);
        if ((r = text ? json_parse(arena, text, strlen(text), NULL, ret_tree, NULL) : -ENOMEM) < 0 ||
            (r = api_put_stamp(arena, of, ret_tree)) < 0)
                return r;
        return give(arena, address, range.six, ret_tree);
}

static int make_service(struct api_services *s, struct arena *arena) {
        _cleanup_object_ struct object *object = find(s, "", "services", "default");
        struct api_resource *of = api_state_find(s->state, "", "services");
        const struct value *tree = NULL;
        int r = object ? 0 : service_tree(s, arena, of, &tree);

        return r < 0 || !tree ? r : api_put_tree(s->state, arena, of, tree, STORE_ABSENT);
}

/* --- where it leads --- */

/* An object that says in its @parts where the server is. */
struct place {
        const char *group, *resource, *parts[3];
        const char *text;
};

static int put_place(struct api_services *s, struct arena *arena, const struct place *place) {
        _cleanup_object_ struct object *object = find(s, place->group, place->resource, "default");
        const struct value *wanted, *is;
        struct value_edit edit;
        bool same = true;
        int r = place->text ? json_parse(arena, place->text, strlen(place->text), NULL, &wanted, NULL) : -ENOMEM;

        if (r < 0)
                return r;
        if (!object)
                return make(s, arena, place->group, place->resource, place->text);
        if ((r = api_tree_of(arena, object, &is)) < 0)
                return r;
        value_edit_begin(&edit, arena, is);
        for (size_t i = 0; r == 0 && place->parts[i]; i++) {
                const struct value *part = value_get(wanted, place->parts[i]);
                char pointer[32];

                same &= value_equal(part, value_get(is, place->parts[i]));
                snprintf(pointer, sizeof(pointer), "/%s", place->parts[i]);
                r = value_edit_set(&edit, pointer, part, NULL);
        }
        is = value_edit_end(&edit);
        if (r < 0 || same)
                return r;
        return is ? api_put_tree(s->state, arena, api_state_find(s->state, place->group, place->resource), is,
                                 object->revision) :
                    -ENOMEM;
}

static struct place endpoints_of(struct api_services *s, struct arena *arena) {
        return (struct place){
                "",
                "endpoints",
                { "subsets" },
                arena_printf(arena,
                             "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" NAME
                             "\",\"namespace\":\"default\",\"labels\":{\"endpointslice.kubernetes.io/skip-mirror\":"
                             "\"true\"}},\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}],\"ports\":[{\"name\":"
                             "\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}]}",
                             s->advertised, s->port),
        };
}

static struct place slice_of(struct api_services *s, struct arena *arena) {
        return (struct place){
                "discovery.k8s.io",
                "endpointslices",
                { "addressType", "endpoints" },
                arena_printf(arena,
                             "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
                             "\"name\":\"" NAME "\",\"namespace\":\"default\",\"generation\":1,\"labels\":{"
                             "\"kubernetes.io/service-name\":\"" NAME "\"}},\"addressType\":\"%s\",\"endpoints\":[{"
                             "\"addresses\":[\"%s\"],\"conditions\":{\"ready\":true}}],\"ports\":[{\"name\":\"https\","
                             "\"protocol\":\"TCP\",\"port\":%u}]}",
                             cluster_ip_family(strchr(s->advertised, ':')), s->advertised, s->port),
        };
}

static int put_places(struct api_services *s, struct arena *arena) {
        const struct place endpoints = endpoints_of(s, arena), slice = slice_of(s, arena);

        return put_place(s, arena, &endpoints) ?: put_place(s, arena, &slice);
}

int services_make_own(struct api_services *services, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        int r = arena ? make_service(services, arena) : -ENOMEM;

        if (r < 0 || (*services->advertised && (r = put_places(services, arena)) < 0))
                return err_errno(err, -r, "cannot make the Service " NAME " in namespace default");
        return 0;
}

/* The JSON of what was there at the start; NULL without memory. */
static const char *first_text(struct api_services *s, struct arena *arena, const char *resource) {
        const char *list;

        if (strcmp(resource, "endpoints") == 0)
                return endpoints_of(s, arena).text;
        if (strcmp(resource, "endpointslices") == 0)
                return slice_of(s, arena).text;
        list = ranges_text(s, arena, s->ranges, NULL);
        return list ? range_text(arena, list) : NULL;
}

int services_restore_own(struct api_services *services, const char *group, const char *resource) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_resource *of = api_state_find(services->state, group, resource);
        bool place = strncmp(resource, "endpoint", strlen("endpoint")) == 0;
        const struct value *tree = NULL;
        const char *text;
        int r = arena ? 0 : -ENOMEM;

        if (r < 0 || !services->loaded || (place && !*services->advertised))
                return r;
        if (strcmp(resource, "services") == 0) {
                r = service_tree(services, arena, of, &tree);
        } else {
                text = first_text(services, arena, resource);
                r = text ? json_parse(arena, text, strlen(text), NULL, &tree, NULL) : -ENOMEM;
                r = r ?: api_put_stamp(arena, of, &tree);
        }
        return r < 0 || !tree ? r : api_put_later(services->state, of, arena, tree, STORE_ABSENT);
}
