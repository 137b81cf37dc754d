#include "cni/capabilities.h"

#include <stdlib.h>

#include "cni/host_port.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"

/* Bits that pass at once, above the rate: a twentieth of a second's worth, and never less than one large segment. */
#define BURST_PER_SECOND 20
#define BURST_MIN (64 * 1024 * 8)
#define BURST_MAX INT32_MAX

static void write_ports(struct json_writer *w, const struct network_request *request) {
        bool any = false;

        for (size_t i = 0; i < request->n_ports; i++) {
                const struct network_port *port = &request->ports[i];
                char text[IP_TEXT_MAX];

                if (port->host_port == 0)
                        continue;
                if (!any) {
                        json_key(w, "portMappings");
                        json_begin_list(w);
                }
                any = true;
                json_begin_map(w);
                json_add_int(w, "hostPort", port->host_port);
                json_add_int(w, "containerPort", port->container_port);
                json_add_string(w, "protocol", cni_host_port_protocol(port->protocol));
                json_add_string_if(w, "hostIP", ip_format(&port->host_ip, text));
                json_end_map(w);
        }
        if (any)
                json_end_list(w);
}

static void write_rate(struct json_writer *w, const char *rate, const char *burst, uint64_t bits) {
        uint64_t most = bits / BURST_PER_SECOND;

        if (bits == 0)
                return;
        json_add_int(w, rate, (int64_t)(bits > INT64_MAX ? INT64_MAX : bits));
        json_add_int(w, burst, (int64_t)(most < BURST_MIN ? BURST_MIN : most > BURST_MAX ? BURST_MAX : most));
}

static void write_list(struct json_writer *w, const char *key, const char *const *texts) {
        if (texts && *texts)
                json_add_texts(w, key, texts);
}

static bool has(const char *const *texts) {
        return texts && *texts;
}

int cni_capabilities_make(const struct network_request *request, struct arena *arena, const struct value **ret_map) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        json_begin_map(&w);
        write_ports(&w, request);
        if (request->ingress_bits || request->egress_bits) {
                json_key(&w, "bandwidth");
                json_begin_map(&w);
                write_rate(&w, "ingressRate", "ingressBurst", request->ingress_bits);
                write_rate(&w, "egressRate", "egressBurst", request->egress_bits);
                json_end_map(&w);
        }
        if (has(request->dns_servers) || has(request->dns_searches) || has(request->dns_options)) {
                json_key(&w, "dns");
                json_begin_map(&w);
                write_list(&w, "servers", request->dns_servers);
                write_list(&w, "searches", request->dns_searches);
                write_list(&w, "options", request->dns_options);
                json_end_map(&w);
        }
        write_list(&w, "ips", request->ips);
        json_add_string_if(&w, "mac", request->mac);
        json_end_map(&w);
        r = json_writer_finish(&w, &text, &length);
        return r < 0 ? r : json_parse(arena, text, length, NULL, ret_map, NULL);
}
