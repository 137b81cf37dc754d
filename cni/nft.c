#include "cni/nft.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "lib/err.h"

/* nft(8)'s own numbers of types, so that it lists the sets readably; a concatenation is 6 bits each. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13, TYPE_BITS = 6 };

/* Longest key or data: an IPv6 address, protocol and port, each field filled up to 4 bytes. */
#define FIELDS_MAX 24

static struct nfgenmsg *extra(struct nlmsghdr *message) {
        struct nfgenmsg *header = cni_netlink_extra(message);

        header->version = NFNETLINK_V0;
        return header;
}

struct nlmsghdr *cni_nft_begin(struct netlink *netlink, uint16_t type, uint16_t flags, const char *purpose,
                               int tolerate) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
                                                     sizeof(struct nfgenmsg), purpose, tolerate);

        extra(message)->nfgen_family = NFPROTO_INET;
        return message;
}

/* The begin or end of a transaction. */
static void put_batch(struct netlink *netlink, uint16_t type) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, type, 0, sizeof(struct nfgenmsg), "nftables", 0);

        extra(message)->res_id = htons(NFNL_SUBSYS_NFTABLES);
        cni_netlink_end(netlink, message);
}

void cni_nft_transaction(struct netlink *netlink) {
        put_batch(netlink, NFNL_MSG_BATCH_BEGIN);
}

int cni_nft_commit(struct netlink *netlink, struct err **err) {
        put_batch(netlink, NFNL_MSG_BATCH_END);
        return cni_netlink_run(netlink, err);
}

static void put_table_message(struct netlink *netlink, uint16_t type, uint16_t flags, const char *table,
                              const char *purpose) {
        struct nlmsghdr *message = cni_nft_begin(netlink, type, flags, purpose, 0);

        mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
        cni_netlink_end(netlink, message);
}

void cni_nft_put_table(struct netlink *netlink, const char *table) {
        put_table_message(netlink, NFT_MSG_NEWTABLE, NLM_F_CREATE, table, "add nftables table");
}

void cni_nft_put_delete_table(struct netlink *netlink, const char *table) {
        put_table_message(netlink, NFT_MSG_DELTABLE, 0, table, "remove nftables table");
}

void cni_nft_put_chain(struct netlink *netlink, const char *table, const struct nft_chain *chain) {
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "add nftables chain", 0);

        mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
        mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain->name);
        if (chain->type) {
                struct nlattr *hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);

                mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(chain->hook));
                mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)chain->priority));
                mnl_attr_nest_end(message, hook);
                mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, chain->type);
        }
        cni_netlink_end(netlink, message);
}

/* What a message says of a thing that has a name in a table. */
struct named {
        uint16_t type, table, name; /* the message's; the attributes of these two */
        const char *purpose;
};

static void put_named(struct netlink *netlink, const struct named *named, const char *table, const char *name) {
        struct nlmsghdr *message = cni_nft_begin(netlink, named->type, 0, named->purpose, 0);

        mnl_attr_put_strz(message, named->table, table);
        mnl_attr_put_strz(message, named->name, name);
        cni_netlink_end(netlink, message);
}

void cni_nft_put_flush_chain(struct netlink *netlink, const char *table, const char *chain) {
        static const struct named rules = { NFT_MSG_DELRULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
                                            "remove nftables rules" };

        put_named(netlink, &rules, table, chain);
}

void cni_nft_put_delete_chain(struct netlink *netlink, const char *table, const char *chain) {
        static const struct named of = { NFT_MSG_DELCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, "remove nftables chain" };

        put_named(netlink, &of, table, chain);
}

void cni_nft_put_delete_set(struct netlink *netlink, const char *table, const char *set) {
        static const struct named of = { NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME, "remove nftables set" };

        put_named(netlink, &of, table, set);
}

static uint32_t address_type(uint8_t family) {
        return family == AF_INET ? TYPE_IPV4 : TYPE_IPV6;
}

static uint32_t key_size(const struct nft_ports *ports) {
        return (ports->by_address ? (uint32_t)ip_size(ports->family) : 0) + 8;
}

void cni_nft_put_ports(struct netlink *netlink, const char *table, const struct nft_ports *ports) {
        static _Thread_local uint32_t id;
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_NEWSET, NLM_F_CREATE, "add nftables set", 0);
        uint32_t type = TYPE_PROTOCOL << TYPE_BITS | TYPE_SERVICE;

        if (ports->by_address)
                type |= address_type(ports->family) << 2 * TYPE_BITS;
        mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_NAME, ports->name);
        mnl_attr_put_u32(message, NFTA_SET_ID, htonl(++id));
        mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(ports->map ? NFT_SET_MAP : 0));
        mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(type));
        mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(key_size(ports)));
        if (ports->map) {
                mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE,
                                 htonl(address_type(ports->family) << TYPE_BITS | TYPE_SERVICE));
                mnl_attr_put_u32(message, NFTA_SET_DATA_LEN, htonl((uint32_t)ip_size(ports->family) + 4));
        }
        cni_netlink_end(netlink, message);
}

/* A port in network order, filled up to a register. */
static void write_port(uint8_t *field, uint16_t port) {
        field[0] = (uint8_t)(port >> 8);
        field[1] = (uint8_t)port;
}

static uint16_t read_port(const uint8_t *field) {
        return (uint16_t)(field[0] << 8 | field[1]);
}

static void put_value(struct nlmsghdr *message, uint16_t attribute, const uint8_t *value, size_t size) {
        struct nlattr *nest = mnl_attr_nest_start(message, attribute);

        mnl_attr_put(message, NFTA_DATA_VALUE, size, value);
        mnl_attr_nest_end(message, nest);
}

static void put_key(struct nlmsghdr *message, const struct nft_ports *ports, const struct nft_port *port) {
        uint8_t key[FIELDS_MAX] = { 0 }, *field = key;

        if (ports->by_address) {
                memcpy(field, port->ip.bytes, ip_size(ports->family));
                field += ip_size(ports->family);
        }
        field[0] = port->protocol;
        write_port(field + 4, port->port);
        put_value(message, NFTA_SET_ELEM_KEY, key, key_size(ports));
}

static void put_data(struct nlmsghdr *message, const struct nft_ports *ports, const struct nft_port *port) {
        uint8_t data[FIELDS_MAX] = { 0 };
        size_t size = ip_size(ports->family);

        memcpy(data, port->target.bytes, size);
        write_port(data + size, port->target_port);
        put_value(message, NFTA_SET_ELEM_DATA, data, size + 4);
}

/* Userdata is type, length and value, each type a byte: nft(8) shows this one as the element's comment. */
static void put_comment(struct nlmsghdr *message, const char *comment) {
        uint8_t userdata[2 + NFT_COMMENT_MAX];
        size_t size = strnlen(comment, NFT_COMMENT_MAX - 1) + 1;

        userdata[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
        userdata[1] = (uint8_t)size;
        memcpy(userdata + 2, comment, size - 1);
        userdata[1 + size] = '\0';
        mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, 2 + size, userdata);
}

void cni_nft_put_port(struct netlink *netlink, const char *table, const struct nft_ports *ports,
                      const struct nft_port *port, bool add) {
        struct nlmsghdr *message =
                cni_nft_begin(netlink, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                              add ? NLM_F_CREATE | NLM_F_EXCL : 0, add ? "add host port" : "remove host port", 0);
        struct nlattr *list, *element;

        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, ports->name);
        list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
        element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
        put_key(message, ports, port);
        if (add && ports->map)
                put_data(message, ports, port);
        if (add && port->comment[0])
                put_comment(message, port->comment);
        mnl_attr_nest_end(message, element);
        mnl_attr_nest_end(message, list);
        cni_netlink_end(netlink, message);
}

struct each_port {
        const struct nft_ports *ports;
        int (*call)(const struct nft_port *port, void *data);
        void *data;
};

/* The bytes of a value nested in @attribute, when they are exactly @size. */
static const uint8_t *value_of(const struct nlattr *attribute, size_t size) {
        const struct nlattr *inner;

        mnl_attr_for_each_nested(inner, attribute) if (mnl_attr_get_type(inner) == NFTA_DATA_VALUE &&
                                                       mnl_attr_get_payload_len(inner) ==
                                                               size) return mnl_attr_get_payload(inner);
        return NULL;
}

static void read_comment(const struct nlattr *attribute, struct nft_port *port) {
        const uint8_t *p = mnl_attr_get_payload(attribute);
        size_t left = mnl_attr_get_payload_len(attribute);

        for (; left >= 2 && left - 2 >= p[1]; left -= 2u + p[1], p += 2 + p[1]) {
                if (p[0] != NFTNL_UDATA_SET_ELEM_COMMENT || p[1] > sizeof(port->comment))
                        continue;
                memcpy(port->comment, p + 2, p[1]);
                port->comment[sizeof(port->comment) - 1] = '\0';
        }
}

static int take_element(const struct nlattr *element, const struct each_port *each) {
        size_t size = ip_size(each->ports->family), key = key_size(each->ports);
        struct nft_port port = { 0 };
        const struct nlattr *attribute;
        const uint8_t *value;

        mnl_attr_for_each_nested(attribute, element) {
                switch (mnl_attr_get_type(attribute)) {
                case NFTA_SET_ELEM_KEY:
                        value = value_of(attribute, key);
                        if (!value)
                                break;
                        if (each->ports->by_address) {
                                port.ip.family = each->ports->family;
                                memcpy(port.ip.bytes, value, size);
                        }
                        port.protocol = value[key - 8];
                        port.port = read_port(value + key - 4);
                        break;
                case NFTA_SET_ELEM_DATA:
                        value = value_of(attribute, size + 4);
                        if (!value)
                                break;
                        port.target.family = each->ports->family;
                        memcpy(port.target.bytes, value, size);
                        port.target_port = read_port(value + size);
                        break;
                case NFTA_SET_ELEM_USERDATA:
                        read_comment(attribute, &port);
                        break;
                }
        }
        return each->call(&port, each->data);
}

static int take_elements(const struct nlmsghdr *message, void *data) {
        const struct nlattr *attribute, *element;
        const struct each_port *each = data;
        int r;

        mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
                if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
                        continue;
                mnl_attr_for_each_nested(element, attribute) {
                        r = take_element(element, each);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int cni_nft_for_each_port(struct netlink *netlink, const char *table, const struct nft_ports *ports,
                          int (*each)(const struct nft_port *port, void *data), void *data, struct err **err) {
        struct each_port state = { .ports = ports, .call = each, .data = data };
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_GETSETELEM, NLM_F_DUMP, "list host ports", 0);

        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, ports->name);
        cni_netlink_end(netlink, message);
        return cni_netlink_dump(netlink, take_elements, &state, err);
}

static int take_nothing(const struct nlmsghdr *message, void *data) {
        return 0;
}

int cni_nft_has_table(struct netlink *netlink, const char *table, struct err **err) {
        put_table_message(netlink, NFT_MSG_GETTABLE, 0, table, "look up nftables table");
        return cni_netlink_dump(netlink, take_nothing, NULL, err);
}
