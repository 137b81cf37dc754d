#include "cni/nft_set.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "cni/nft.h"

/* A concatenation's type is its fields' in 6 bits each. */
#define TYPE_BITS 6

/* What an element takes of a message at most: key, data and what is around them. */
#define ELEMENT_SIZE 256

/* -- keys and data ----------------------------------------------------------------------------------------- */

static uint8_t *grow(struct nft_bytes *bytes, size_t size) {
        uint8_t *at = bytes->bytes + bytes->n;

        assert(bytes->n + size <= sizeof(bytes->bytes));
        memset(at, 0, size);
        bytes->n = (uint8_t)(bytes->n + size);
        return at;
}

void cni_nft_add_ip(struct nft_bytes *bytes, const struct ip *ip) {
        memcpy(grow(bytes, ip_size(ip->family)), ip->bytes, ip_size(ip->family));
}

void cni_nft_add_protocol(struct nft_bytes *bytes, uint8_t protocol) {
        *grow(bytes, 4) = protocol;
}

void cni_nft_add_port(struct nft_bytes *bytes, uint16_t port) {
        uint8_t *at = grow(bytes, 4);

        at[0] = (uint8_t)(port >> 8);
        at[1] = (uint8_t)port;
}

void cni_nft_add_number(struct nft_bytes *bytes, uint32_t number) {
        memcpy(grow(bytes, 4), &number, sizeof(number));
}

/* -- sets -------------------------------------------------------------------------------------------------- */

static void measure(const uint8_t fields[NFT_FIELDS_MAX], uint32_t *ret_type, uint32_t *ret_size) {
        uint32_t type = 0, size = 0;

        for (size_t i = 0; i < NFT_FIELDS_MAX && fields[i]; i++) {
                type = type << TYPE_BITS | fields[i];
                size += fields[i] == NFT_IPV6 ? 16 : 4;
        }
        *ret_type = type;
        *ret_size = size;
}

void cni_nft_put_set(struct netlink *netlink, const char *table, const struct nft_set *set) {
        static _Thread_local uint32_t id;
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_NEWSET, NLM_F_CREATE, "add nftables set", 0);
        uint32_t type, size, flags = 0;

        if (set->verdicts || set->data[0])
                flags |= NFT_SET_MAP;
        if (set->intervals)
                flags |= NFT_SET_INTERVAL;
        if (set->learns)
                flags |= NFT_SET_EVAL | NFT_SET_TIMEOUT;
        mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_NAME, set->name);
        mnl_attr_put_u32(message, NFTA_SET_ID, htonl(1u << 31 | ++id));
        mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(flags));
        measure(set->key, &type, &size);
        mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(type));
        mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(size));
        measure(set->data, &type, &size);
        if (set->verdicts)
                mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
        else if (size > 0) {
                mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(type));
                mnl_attr_put_u32(message, NFTA_SET_DATA_LEN, htonl(size));
        }
        if (set->learns) {
                struct nlattr *description = mnl_attr_nest_start(message, NFTA_SET_DESC);

                mnl_attr_put_u32(message, NFTA_SET_DESC_SIZE, htonl(set->learns));
                mnl_attr_nest_end(message, description);
        }
        cni_netlink_end(netlink, message);
}

void cni_nft_put_flush(struct netlink *netlink, const char *table, const struct nft_set *set) {
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_DELSETELEM, 0, "flush nftables set", 0);

        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
        cni_netlink_end(netlink, message);
}

/* -- elements ---------------------------------------------------------------------------------------------- */

void cni_nft_elements_begin(struct nft_elements *e) {
        e->message = NULL;
}

static void open_message(struct nft_elements *e) {
        e->message = cni_nft_begin(e->netlink, e->add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                                   e->add ? NLM_F_CREATE | NLM_F_EXCL : 0,
                                   e->add ? "add nftables elements" : "remove nftables elements", 0);
        mnl_attr_put_strz(e->message, NFTA_SET_ELEM_LIST_TABLE, e->table);
        mnl_attr_put_strz(e->message, NFTA_SET_ELEM_LIST_SET, e->set->name);
        e->list = mnl_attr_nest_start(e->message, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void cni_nft_elements_end(struct nft_elements *e) {
        if (!e->message)
                return;
        mnl_attr_nest_end(e->message, e->list);
        cni_netlink_end(e->netlink, e->message);
        e->message = NULL;
}

static void put_value(struct nlmsghdr *message, uint16_t attribute, const struct nft_bytes *value) {
        struct nlattr *nest = mnl_attr_nest_start(message, attribute);

        mnl_attr_put(message, NFTA_DATA_VALUE, value->n, value->bytes);
        mnl_attr_nest_end(message, nest);
}

static void put_verdict(struct nlmsghdr *message, const char *chain) {
        struct nlattr *data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
        struct nlattr *verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);

        mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
        mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, chain);
        mnl_attr_nest_end(message, verdict);
        mnl_attr_nest_end(message, data);
}

void cni_nft_elements_put(struct nft_elements *e, const struct nft_element *element) {
        struct nlattr *nest;

        if (e->message && e->message->nlmsg_len + ELEMENT_SIZE > NETLINK_MESSAGE_MAX)
                cni_nft_elements_end(e);
        if (!e->message)
                open_message(e);
        nest = mnl_attr_nest_start(e->message, NFTA_LIST_ELEM);
        if (element->ends)
                mnl_attr_put_u32(e->message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
        put_value(e->message, NFTA_SET_ELEM_KEY, &element->key);
        if (e->add && element->chain)
                put_verdict(e->message, element->chain);
        else if (e->add && element->data.n > 0)
                put_value(e->message, NFTA_SET_ELEM_DATA, &element->data);
        mnl_attr_nest_end(e->message, nest);
}

/* -- what there is ----------------------------------------------------------------------------------------- */

struct each_element {
        const struct nft_set *set;
        uint32_t key, data; /* bytes of each */
        int (*call)(const struct nft_element *element, void *data_of_call);
        void *data_of_call;
};

static const struct nlattr *nested(const struct nlattr *outer, uint16_t type) {
        const struct nlattr *inner;

        mnl_attr_for_each_nested(inner, outer) if (mnl_attr_get_type(inner) == type) return inner;
        return NULL;
}

static int take_value(const struct nlattr *attribute, uint32_t size, struct nft_bytes *ret) {
        const struct nlattr *value = nested(attribute, NFTA_DATA_VALUE);

        if (!value || mnl_attr_get_payload_len(value) != size || size > sizeof(ret->bytes))
                return -EINVAL;
        ret->n = (uint8_t)size;
        memcpy(ret->bytes, mnl_attr_get_payload(value), size);
        return 0;
}

static int take_verdict(const struct nlattr *attribute, const char **ret_chain) {
        const struct nlattr *verdict = nested(attribute, NFTA_DATA_VERDICT),
                            *chain = verdict ? nested(verdict, NFTA_VERDICT_CHAIN) : NULL;

        if (!chain || mnl_attr_validate(chain, MNL_TYPE_NUL_STRING) < 0)
                return -EINVAL;
        *ret_chain = mnl_attr_get_str(chain);
        return 0;
}

static int take_element(const struct nlattr *from, const struct each_element *each) {
        const struct nlattr *key = nested(from, NFTA_SET_ELEM_KEY), *data = nested(from, NFTA_SET_ELEM_DATA);
        bool map = each->set->verdicts || each->data > 0;
        struct nft_element element = { 0 };
        int r;

        if (!key || !data == map || (r = take_value(key, each->key, &element.key)) < 0)
                return -EINVAL;
        if (map && (r = each->set->verdicts ? take_verdict(data, &element.chain) :
                                              take_value(data, each->data, &element.data)) < 0)
                return r;
        return each->call(&element, each->data_of_call);
}

static int take_elements(const struct nlmsghdr *message, void *data) {
        const struct nlattr *attribute, *element;
        int r;

        mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
                if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
                        continue;
                mnl_attr_for_each_nested(element, attribute) if ((r = take_element(element, data)) < 0) return r;
        }
        return 0;
}

int cni_nft_for_each_element(struct netlink *netlink, const char *table, const struct nft_set *set,
                             int (*each)(const struct nft_element *element, void *data), void *data, struct err **err) {
        struct each_element state = { .set = set, .call = each, .data_of_call = data };
        struct nlmsghdr *message = cni_nft_begin(netlink, NFT_MSG_GETSETELEM, NLM_F_DUMP, "list nftables elements", 0);
        uint32_t type;

        measure(set->key, &type, &state.key);
        measure(set->data, &type, &state.data);
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
        cni_netlink_end(netlink, message);
        return cni_netlink_dump(netlink, take_elements, &state, err);
}
