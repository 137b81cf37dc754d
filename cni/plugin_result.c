#include "cni/plugin_result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/value.h"

static int add_address(struct network_result *result, const struct value *address, const struct value *gateway,
                       struct err **err) {
        struct network_address *entry = &result->addresses[result->n_addresses];
        int r;

        if (result->n_addresses == NETWORK_ADDRESSES_MAX)
                return err_set(err, EINVAL, "more than %d addresses", NETWORK_ADDRESSES_MAX);
        if ((r = ip_cidr_parse(value_string_or(address, ""), &entry->address, err)) < 0 ||
            (value_string_or(gateway, "")[0] && (r = ip_parse(value_string(gateway), &entry->gateway, err)) < 0))
                return r;
        result->n_addresses++;
        return 0;
}

/* Six pairs of hexadecimal digits; anything else is none. */
static void read_mac(const char *text, uint8_t ret_mac[6]) {
        unsigned m[6];

        if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
                return;
        for (int i = 0; i < 6; i++)
                ret_mac[i] = (uint8_t)m[i];
}

static bool in_pod(const struct value *interface) {
        return value_string_or(value_get(interface, "sandbox"), "")[0] != '\0';
}

static void read_interfaces(const struct value *interfaces, const char *name, struct network_result *result) {
        for (uint32_t i = 0; i < value_count(interfaces); i++) {
                const struct value *interface = value_at(interfaces, i);
                const char *text = value_string_or(value_get(interface, "name"), "");
                int64_t mtu = 0;

                if (!in_pod(interface)) {
                        /* A bridge comes before the veth in the results of those that make both. */
                        snprintf(result->host_interface, sizeof(result->host_interface), "%.*s", IFNAMSIZ - 1, text);
                } else if (strcmp(text, name) == 0) {
                        read_mac(value_string_or(value_get(interface, "mac"), ""), result->mac);
                        if (value_integer(value_get(interface, "mtu"), &mtu) && mtu > 0 && mtu <= UINT32_MAX)
                                result->mtu = (uint32_t)mtu;
                }
        }
}

/* Whether the address is one of the pod's: its interface, where it names one, lies in the pod. */
static bool is_pods(const struct value *interfaces, const struct value *address) {
        int64_t index;

        return !value_integer(value_get(address, "interface"), &index) || index < 0 || index > UINT32_MAX ||
               !value_at(interfaces, (uint32_t)index) || in_pod(value_at(interfaces, (uint32_t)index));
}

static int read_old_addresses(const struct value *document, struct network_result *result, struct err **err) {
        static const char *const keys[] = { "ip4", "ip6" };
        int r = 0;

        for (size_t i = 0; i < 2 && r == 0; i++) {
                const struct value *address = value_get(document, keys[i]);

                if (!value_is_null(address))
                        r = add_address(result, value_get(address, "ip"), value_get(address, "gateway"), err);
        }
        return r;
}

int cni_plugin_result_read(const struct value *document, enum cni_version version, const char *interface,
                           struct network_result *ret_result, struct err **err) {
        const struct value *interfaces = value_get(document, "interfaces"), *ips = value_get(document, "ips");
        struct network_result result = { 0 };
        int r = 0;

        snprintf(result.interface, sizeof(result.interface), "%.*s", IFNAMSIZ - 1, interface);
        if (version < CNI_0_3_0)
                r = read_old_addresses(document, &result, err);
        else
                read_interfaces(interfaces, interface, &result);
        for (uint32_t i = 0; i < value_count(ips) && r == 0; i++) {
                const struct value *ip = value_at(ips, i);

                if (is_pods(interfaces, ip))
                        r = add_address(&result, value_get(ip, "address"), value_get(ip, "gateway"), err);
        }
        if (r < 0 || (result.n_addresses == 0 && (r = err_set(err, EINVAL, "no address for %s", interface)) < 0))
                return err_wrap(err, r, "result of the CNI plugins");
        *ret_result = result;
        return 0;
}
