/* Cells of services and what leads to them, of volumes, events and roles. */
#include <string.h>
#include <time.h>

#include "api/print/cells.h"
#include "api/print/columns.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define SHOWN_MAX 3 /* of endpoints and ports of slices; the rest is counted */

static const char *text_at(const struct value *object, const char *path) {
        return value_string_or(value_find(object, path), "");
}

static long long number_at(const struct value *object, const char *path) {
        int64_t number = 0;

        value_integer(value_find(object, path), &number);
        return number;
}

static const char *join(struct arena *arena, const char *text, const char *more) {
        return *text ? arena_printf(arena, "%s,%s", text, more) ?: text : more;
}

static const char *or_none(const char *text) {
        return *text ? text : "<none>";
}

/* --- services --- */

static const char *ingress_of(struct arena *arena, const struct value *object) {
        const struct value *all = value_find(object, "status.loadBalancer.ingress");
        const char *text = "";

        for (uint32_t i = 0; i < value_count(all); i++) {
                const char *ip = text_at(value_at(all, i), "ip");

                text = join(arena, text, *ip ? ip : text_at(value_at(all, i), "hostname"));
        }
        return text;
}

PRINT_CELL(service_external) {
        const struct value *external = value_find(object, "spec.externalIPs");
        const char *type = text_at(object, "spec.type"), *text = "";

        if (strcmp(type, "ExternalName") == 0)
                return json_string(w, text_at(object, "spec.externalName"));
        if (strcmp(type, "LoadBalancer") == 0)
                text = ingress_of(arena, object);
        for (uint32_t i = 0; i < value_count(external); i++)
                text = join(arena, text, value_string_or(value_at(external, i), ""));
        json_string(w, *text || strcmp(type, "LoadBalancer") != 0 ? or_none(text) : "<pending>");
}

PRINT_CELL(service_ports) {
        const struct value *ports = value_find(object, "spec.ports");
        const char *text = "";

        for (uint32_t i = 0; i < value_count(ports); i++) {
                const struct value *port = value_at(ports, i);
                long long node = number_at(port, "nodePort");

                text = join(arena, text,
                            node ? arena_printf(arena, "%lld:%lld/%s", number_at(port, "port"), node,
                                                text_at(port, "protocol")) :
                                   arena_printf(arena, "%lld/%s", number_at(port, "port"), text_at(port, "protocol")));
        }
        json_string(w, or_none(text));
}

static const char *endpoint_text(struct arena *arena, const struct value *address, const struct value *port) {
        const char *ip = text_at(address, "ip");

        return port ? arena_printf(arena, "%s:%lld", ip, number_at(port, "port")) ?: ip : ip;
}

PRINT_CELL(endpoints) {
        const struct value *subsets = value_get(object, "subsets");
        const char *text = "";
        unsigned n = 0;

        for (uint32_t i = 0; i < value_count(subsets); i++) {
                const struct value *addresses = value_get(value_at(subsets, i), "addresses"),
                                   *ports = value_get(value_at(subsets, i), "ports");

                for (uint32_t k = 0; k < (value_count(ports) ?: 1); k++)
                        for (uint32_t j = 0; j < value_count(addresses); j++, n++)
                                if (n < SHOWN_MAX)
                                        text = join(arena, text,
                                                    endpoint_text(arena, value_at(addresses, j), value_at(ports, k)));
        }
        json_string(w, n > SHOWN_MAX ? arena_printf(arena, "%s + %u more...", text, n - SHOWN_MAX) : or_none(text));
}

PRINT_CELL(slice_ports) {
        const struct value *ports = value_get(object, "ports");
        const char *text = "";
        uint32_t n = value_count(ports);

        for (uint32_t i = 0; i < n && i < SHOWN_MAX; i++) {
                const struct value *port = value_get(value_at(ports, i), "port");

                text = join(arena, text,
                            port ? arena_printf(arena, "%lld", number_at(value_at(ports, i), "port")) : "*");
        }
        if (n == 0)
                text = "<unset>";
        json_string(w, n > SHOWN_MAX ? arena_printf(arena, "%s + %u more...", text, n - SHOWN_MAX) : text);
}

PRINT_CELL(slice_endpoints) {
        const struct value *all = value_get(object, "endpoints");
        const char *text = "";
        unsigned n = 0;

        for (uint32_t i = 0; i < value_count(all); i++) {
                const struct value *addresses = value_get(value_at(all, i), "addresses");

                for (uint32_t j = 0; j < value_count(addresses); j++, n++)
                        if (n < SHOWN_MAX)
                                text = join(arena, text, value_string_or(value_at(addresses, j), ""));
        }
        if (n == 0)
                text = "<unset>";
        json_string(w, n > SHOWN_MAX ? arena_printf(arena, "%s + %u more...", text, n - SHOWN_MAX) : text);
}

/* --- ingresses --- */

PRINT_CELL(ingress_hosts) {
        const struct value *rules = value_find(object, "spec.rules");
        const char *text = "";

        for (uint32_t i = 0; i < value_count(rules); i++) {
                const char *host = text_at(value_at(rules, i), "host");

                text = join(arena, text, *host ? host : "*");
        }
        json_string(w, *text ? text : "*");
}

PRINT_CELL(ingress_address) {
        json_string(w, ingress_of(arena, object));
}

PRINT_CELL(ingress_ports) {
        json_string(w, value_count(value_find(object, "spec.tls")) > 0 ? "80, 443" : "80");
}

/* --- volumes --- */

PRINT_CELL(access_modes) {
        static const char *const names[][2] = {
                { "ReadWriteOnce", "RWO" },
                { "ReadOnlyMany", "ROX" },
                { "ReadWriteMany", "RWX" },
                { "ReadWriteOncePod", "RWOP" },
        };
        const struct value *modes = value_find(object, path);
        const char *text = "";

        for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                for (uint32_t j = 0; j < value_count(modes); j++)
                        if (strcmp(value_string_or(value_at(modes, j), ""), names[i][0]) == 0)
                                text = join(arena, text, names[i][1]);
        json_string(w, text);
}

PRINT_CELL(claim_of_volume) {
        const struct value *claim = value_find(object, "spec.claimRef");

        json_string(w, claim ? arena_printf(arena, "%s/%s", text_at(claim, "namespace"), text_at(claim, "name")) : "");
}

/* --- events --- */

static bool first_time(const struct value *object, const char *const *paths, struct kube_time *ret_time) {
        for (; *paths; paths++) {
                const char *text = text_at(object, *paths);

                if (kube_time_parse(text, strlen(text), false, ret_time))
                        return true;
        }
        return false;
}

static void event_age(struct json_writer *w, struct arena *arena, const struct value *object,
                      const char *const *paths) {
        struct kube_time at;

        json_string(w, first_time(object, paths, &at) ? api_print_age(arena, time(NULL) - at.seconds) : "<unknown>");
}

PRINT_CELL(event_last) {
        static const char *const paths[] = { "series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp",
                                             "eventTime", NULL };

        event_age(w, arena, object, paths);
}

PRINT_CELL(event_first) {
        static const char *const paths[] = { "firstTimestamp", "deprecatedFirstTimestamp", "eventTime", NULL };

        event_age(w, arena, object, paths);
}

PRINT_CELL(event_object) {
        const struct value *about = value_get(object, "involvedObject") ?: value_get(object, "regarding");
        char *text = arena_printf(arena, "%s/%s", text_at(about, "kind"), text_at(about, "name"));

        for (char *c = text; c && *c && *c != '/'; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
        json_string(w, text);
}

PRINT_CELL(event_source) {
        const char *component = text_at(object, "source.component"), *host = text_at(object, "source.host");

        if (!*component)
                component = text_at(object, "reportingComponent");
        json_string(w, *host ? arena_printf(arena, "%s, %s", component, host) : component);
}

PRINT_CELL(event_message) {
        const char *text = text_at(object, "message");
        size_t n;

        text = *text ? text : text_at(object, "note");
        n = strlen(text);
        while (n > 0 && strchr(" \n\t\r", text[n - 1]))
                n--;
        json_string_length(w, text, n);
}

/* --- roles --- */

PRINT_CELL(role_ref) {
        json_string(w, arena_printf(arena, "%s/%s", text_at(object, "roleRef.kind"), text_at(object, "roleRef.name")));
}

PRINT_CELL(subjects) {
        const struct value *all = value_get(object, "subjects");
        const char *text = "";

        for (uint32_t i = 0; i < value_count(all); i++) {
                const struct value *subject = value_at(all, i);
                const char *name = text_at(subject, "name");

                if (strcmp(text_at(subject, "kind"), path) != 0)
                        continue;
                if (strcmp(path, "ServiceAccount") == 0)
                        name = arena_printf(arena, "%s/%s", text_at(subject, "namespace"), name);
                text = *text ? arena_printf(arena, "%s, %s", text, name) : name;
        }
        json_string(w, text);
}

/* --- autoscaling --- */

PRINT_CELL(scale_reference) {
        json_string(w, arena_printf(arena, "%s/%s", text_at(object, "spec.scaleTargetRef.kind"),
                                    text_at(object, "spec.scaleTargetRef.name")));
}
