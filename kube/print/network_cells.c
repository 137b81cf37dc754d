/* Cells of what traffic goes by. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/texts.h"

#define SHOWN 3 /* of what there may be many */

/* Adds @item to those shown, or only counts it. */
static void show(struct print_text *text, uint32_t *n, const char *item) {
        if ((*n)++ < SHOWN)
                print_text_join(text, ",", item);
}

static void show_end(struct print_row *row, struct print_text *text, uint32_t n, const char *other) {
        if (n > SHOWN)
                print_text_add(text, " + %u more...", n - SHOWN);
        print_text_cell(row, text, other);
}

void print_service_address(struct print_row *row, const struct print_column *column) {
        json_string(row->out, value_string_or(value_at(print_find(row->object, column->path), 0), "<none>"));
}

void print_service_ports(struct print_row *row, const struct print_column *column) {
        const struct value *ports = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < value_count(ports); i++) {
                const struct value *port = value_at(ports, i);
                int64_t node_port = print_find_int(port, "nodePort");

                print_text_add(&text, "%s%" PRId64, i ? "," : "", print_find_int(port, "port"));
                if (node_port > 0)
                        print_text_add(&text, ":%" PRId64, node_port);
                print_text_add(&text, "/%s", print_find_text(port, "protocol", ""));
        }
        print_text_cell(row, &text, "<none>");
}

/* The addresses or names of a load balancer, sorted, each once. */
static void put_ingress(struct print_row *row, struct print_text *text) {
        const struct value *ingress = print_find(row->object, "status.loadBalancer.ingress");
        uint32_t n = 0;
        const char **texts = arena_alloc_array(row->arena, (size_t)value_count(ingress) + 1, sizeof(*texts));

        if (!texts) {
                text->failed = true;
                return;
        }
        for (uint32_t i = 0; i < value_count(ingress); i++) {
                const char *ip = print_find_text(value_at(ingress, i), "ip", "");

                texts[n] = *ip ? ip : print_find_text(value_at(ingress, i), "hostname", "");
                n += *texts[n] != '\0';
        }
        qsort(texts, n, sizeof(*texts), texts_order);
        for (uint32_t i = 0; i < n; i++)
                if (i == 0 || strcmp(texts[i], texts[i - 1]) != 0)
                        print_text_join(text, ",", texts[i]);
}

void print_service_external(struct print_row *row, const struct print_column *column) {
        const struct value *external = print_find(row->object, "spec.externalIPs");
        const char *type = print_find_text(row->object, "spec.type", "");
        bool balanced = strcmp(type, "LoadBalancer") == 0;
        struct print_text text = { .arena = row->arena };

        if (strcmp(type, "ExternalName") == 0) {
                json_string(row->out, print_find_text(row->object, "spec.externalName", ""));
                return;
        }
        if (!balanced && strcmp(type, "ClusterIP") != 0 && strcmp(type, "NodePort") != 0) {
                json_string(row->out, "<unknown>");
                return;
        }
        if (balanced)
                put_ingress(row, &text);
        for (uint32_t i = 0; i < value_count(external); i++)
                print_text_join(&text, ",", value_string_or(value_at(external, i), ""));
        print_text_cell(row, &text, value_count(external) > 0 ? NULL : balanced ? "<pending>" : "<none>");
}

void print_ingress_address(struct print_row *row, const struct print_column *column) {
        struct print_text text = { .arena = row->arena };

        put_ingress(row, &text);
        print_text_cell(row, &text, NULL);
}

static const char *address_and_port(struct print_row *row, const char *address, int64_t port) {
        return arena_printf(row->arena, strchr(address, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64, address, port);
}

/* Every address with every port of its subset. */
void print_endpoints(struct print_row *row, const struct print_column *column) {
        const struct value *subsets = print_find(row->object, "subsets");
        struct print_text text = { .arena = row->arena };
        uint32_t n = 0;

        for (uint32_t s = 0; s < value_count(subsets); s++) {
                const struct value *addresses = value_get(value_at(subsets, s), "addresses");
                const struct value *ports = value_get(value_at(subsets, s), "ports");
                uint32_t rounds = value_count(ports) ? value_count(ports) : 1;

                for (uint32_t p = 0; p < rounds; p++)
                        for (uint32_t a = 0; a < value_count(addresses); a++) {
                                const char *ip = print_find_text(value_at(addresses, a), "ip", "");
                                int64_t port = print_find_int(value_at(ports, p), "port");

                                if (n < SHOWN && value_count(ports) > 0)
                                        ip = address_and_port(row, ip, port);
                                text.failed |= !ip;
                                show(&text, &n, ip ? ip : "");
                        }
        }
        show_end(row, &text, n, value_count(subsets) == 0 ? "<none>" : NULL);
}

void print_slice_ports(struct print_row *row, const struct print_column *column) {
        const struct value *ports = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };
        uint32_t n = 0;

        for (uint32_t i = 0; i < value_count(ports); i++) {
                char number[32];

                snprintf(number, sizeof(number), "%" PRId64, print_find_int(value_at(ports, i), "port"));
                show(&text, &n,
                     print_find(value_at(ports, i), "port") ? number :
                                                              print_find_text(value_at(ports, i), "name", "*"));
        }
        show_end(row, &text, n, "<unset>");
}

void print_slice_endpoints(struct print_row *row, const struct print_column *column) {
        const struct value *endpoints = print_find(row->object, "endpoints");
        struct print_text text = { .arena = row->arena };
        uint32_t n = 0;

        for (uint32_t i = 0; i < value_count(endpoints); i++) {
                const struct value *addresses = value_get(value_at(endpoints, i), "addresses");

                for (uint32_t a = 0; a < value_count(addresses); a++)
                        show(&text, &n, value_string_or(value_at(addresses, a), ""));
        }
        show_end(row, &text, n, "<unset>");
}

/* Three hosts; as soon as they are, every other rule counts as one more, with a host or without. */
void print_ingress_hosts(struct print_row *row, const struct print_column *column) {
        const struct value *rules = print_find(row->object, "spec.rules");
        struct print_text text = { .arena = row->arena };
        uint32_t shown = 0, i = 0, n = value_count(rules);

        for (; i < n && shown < SHOWN; i++) {
                const char *host = print_find_text(value_at(rules, i), "host", "");

                if (*host) {
                        print_text_join(&text, ",", host);
                        shown++;
                }
        }
        if (i < n)
                print_text_add(&text, " + %u more...", n - SHOWN);
        print_text_cell(row, &text, "*");
}

void print_ingress_ports(struct print_row *row, const struct print_column *column) {
        json_string(row->out, value_count(print_find(row->object, "spec.tls")) > 0 ? "80, 443" : "80");
}

void print_ingress_parameters(struct print_row *row, const struct print_column *column) {
        const struct value *parameters = print_find(row->object, column->path);
        const char *group = print_find_text(parameters, "apiGroup", NULL);
        struct print_text text = { .arena = row->arena };

        if (parameters)
                print_text_add(&text, "%s%s%s/%s", print_find_text(parameters, "kind", ""), group ? "." : "",
                               group ? group : "", print_find_text(parameters, "name", ""));
        print_text_cell(row, &text, "<none>");
}

/* "services/NAMESPACE/NAME" */
void print_address_parent(struct print_row *row, const struct print_column *column) {
        const struct value *parent = print_find(row->object, column->path);
        const char *group = print_find_text(parent, "group", ""), *space = print_find_text(parent, "namespace", "");
        struct print_text text = { .arena = row->arena };

        if (parent)
                print_text_add(&text, "%s%s%s", print_find_text(parent, "resource", ""), *group ? "." : "", group);
        for (size_t i = 0; i < text.length; i++)
                text.text[i] = (char)tolower(text.text[i]);
        if (parent)
                print_text_add(&text, "%s%s/%s", *space ? "/" : "", space, print_find_text(parent, "name", ""));
        print_text_cell(row, &text, "<none>");
}

/* A class's name, marked where one of @other, annotations divided by blanks, says that it is the default. */
void print_default_name(struct print_row *row, const struct print_column *column) {
        const struct value *annotations = print_find(row->object, "metadata.annotations");
        struct print_text text = { .arena = row->arena };
        bool is_default = false;

        for (uint32_t i = 0; value_is(annotations, VALUE_MAP) && i < annotations->count; i++) {
                const char *key = annotations->members[i].key, *at = strstr(column->other, key);
                size_t length = strlen(key);

                if (at && (at == column->other || at[-1] == ' ') && (at[length] == ' ' || !at[length]) && length > 0)
                        is_default |= strcmp(value_string_or(&annotations->members[i].value, ""), "true") == 0;
        }
        print_text_add(&text, "%s%s", print_find_text(row->object, "metadata.name", ""),
                       is_default ? " (default)" : "");
        print_text_cell(row, &text, NULL);
}
