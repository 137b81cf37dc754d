#include "cni/rule.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "cni/nft.h"

/* Registers are 4 bytes from NFT_REG32_00 on; keys and data of maps are runs of them. */
#define REGISTER NFT_REG32_00

struct rule cni_rule_begin(const char *table, const char *chain) {
        struct rule rule = { .nftnl = nftnl_rule_alloc() };

        if (!rule.nftnl) {
                rule.failed = true;
                return rule;
        }
        rule.failed = nftnl_rule_set_str(rule.nftnl, NFTNL_RULE_TABLE, table) < 0 ||
                      nftnl_rule_set_str(rule.nftnl, NFTNL_RULE_CHAIN, chain) < 0;
        nftnl_rule_set_u32(rule.nftnl, NFTNL_RULE_FAMILY, NFPROTO_INET);
        return rule;
}

/* A number of an expression: which, and its value. */
struct number {
        uint16_t attribute;
        uint32_t value;
};

static struct nftnl_expr *add(struct rule *rule, const char *name, const struct number *numbers, size_t n) {
        struct nftnl_expr *expression = rule->failed ? NULL : nftnl_expr_alloc(name);

        if (!expression) {
                rule->failed = true;
                return NULL;
        }
        for (size_t i = 0; i < n; i++)
                nftnl_expr_set_u32(expression, numbers[i].attribute, numbers[i].value);
        nftnl_rule_add_expr(rule->nftnl, expression);
        return expression;
}

#define ADD(rule, name, ...)                                                                                           \
        add((rule), (name), (const struct number[]){ __VA_ARGS__ },                                                    \
            sizeof((const struct number[]){ __VA_ARGS__ }) / sizeof(struct number))

static void load_meta(struct rule *rule, uint32_t key, uint32_t reg) {
        ADD(rule, "meta", { NFTNL_EXPR_META_KEY, key }, { NFTNL_EXPR_META_DREG, reg });
}

static void load_payload(struct rule *rule, uint32_t base, uint32_t offset, uint32_t length, uint32_t reg) {
        ADD(rule, "payload", { NFTNL_EXPR_PAYLOAD_BASE, base }, { NFTNL_EXPR_PAYLOAD_OFFSET, offset },
            { NFTNL_EXPR_PAYLOAD_LEN, length }, { NFTNL_EXPR_PAYLOAD_DREG, reg });
}

static void compare(struct rule *rule, bool equal, const void *data, uint32_t size) {
        struct nftnl_expr *expression = ADD(rule, "cmp", { NFTNL_EXPR_CMP_SREG, REGISTER },
                                            { NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ });

        if (expression && nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, size) < 0)
                rule->failed = true;
}

static void mask(struct rule *rule, const void *bits, uint32_t size) {
        static const uint8_t zero[16];
        struct nftnl_expr *expression =
                ADD(rule, "bitwise", { NFTNL_EXPR_BITWISE_SREG, REGISTER }, { NFTNL_EXPR_BITWISE_DREG, REGISTER },
                    { NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL }, { NFTNL_EXPR_BITWISE_LEN, size });

        if (expression && (nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, bits, size) < 0 ||
                           nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, zero, size) < 0))
                rule->failed = true;
}

static void match_interface(struct rule *rule, uint32_t key, const char *name, bool equal) {
        char padded[IFNAMSIZ] = "";

        memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
        load_meta(rule, key, REGISTER);
        compare(rule, equal, padded, sizeof(padded));
}

void cni_rule_match_input(struct rule *rule, const char *name) {
        match_interface(rule, NFT_META_IIFNAME, name, true);
}

void cni_rule_match_output(struct rule *rule, const char *name, bool equal) {
        match_interface(rule, NFT_META_OIFNAME, name, equal);
}

void cni_rule_match_family(struct rule *rule, uint8_t family) {
        uint8_t protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

        load_meta(rule, NFT_META_NFPROTO, REGISTER);
        compare(rule, true, &protocol, sizeof(protocol));
}

static void load_address(struct rule *rule, uint8_t family, enum rule_side side, uint32_t reg) {
        uint32_t size = (uint32_t)ip_size(family), source = family == AF_INET ? 12 : 8;

        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, side == RULE_SOURCE ? source : source + size, size, reg);
}

void cni_rule_match_cidr(struct rule *rule, enum rule_side side, const struct ip_cidr *cidr, bool equal) {
        struct ip_cidr ones = { .ip.family = cidr->ip.family, .prefix = cidr->prefix };
        uint32_t size = (uint32_t)ip_size(cidr->ip.family);
        struct ip base = ip_cidr_base(cidr), bits;

        memset(ones.ip.bytes, 0xff, sizeof(ones.ip.bytes));
        bits = ip_cidr_base(&ones);
        load_address(rule, cidr->ip.family, side, REGISTER);
        mask(rule, bits.bytes, size);
        compare(rule, equal, base.bytes, size);
}

static void look_up(struct rule *rule, const char *set, const struct number *numbers, size_t n) {
        struct nftnl_expr *expression = add(rule, "lookup", numbers, n);

        if (expression && nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, set) < 0)
                rule->failed = true;
}

#define LOOK_UP(rule, set, ...)                                                                                        \
        look_up((rule), (set), (const struct number[]){ __VA_ARGS__ },                                                 \
                sizeof((const struct number[]){ __VA_ARGS__ }) / sizeof(struct number))

void cni_rule_match_address(struct rule *rule, enum rule_side side, const char *set, uint8_t family, bool in) {
        load_address(rule, family, side, REGISTER);
        LOOK_UP(rule, set, { NFTNL_EXPR_LOOKUP_SREG, REGISTER },
                { NFTNL_EXPR_LOOKUP_FLAGS, in ? 0 : NFT_LOOKUP_F_INV });
}

void cni_rule_match_pair(struct rule *rule, const char *set, uint8_t family) {
        load_address(rule, family, RULE_SOURCE, REGISTER);
        load_address(rule, family, RULE_DESTINATION, REGISTER + (uint32_t)ip_size(family) / 4);
        LOOK_UP(rule, set, { NFTNL_EXPR_LOOKUP_SREG, REGISTER });
}

void cni_rule_match_protocol(struct rule *rule, uint8_t protocol) {
        load_meta(rule, NFT_META_L4PROTO, REGISTER);
        compare(rule, true, &protocol, sizeof(protocol));
}

void cni_rule_match_new(struct rule *rule) {
        uint32_t bits = NF_CT_STATE_BIT(IP_CT_NEW), zero = 0;

        ADD(rule, "ct", { NFTNL_EXPR_CT_KEY, NFT_CT_STATE }, { NFTNL_EXPR_CT_DREG, REGISTER });
        mask(rule, &bits, sizeof(bits));
        compare(rule, false, &zero, sizeof(zero));
}

void cni_rule_match_local_destination(struct rule *rule) {
        uint32_t local = RTN_LOCAL;

        ADD(rule, "fib", { NFTNL_EXPR_FIB_DREG, REGISTER }, { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE },
            { NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR });
        compare(rule, true, &local, sizeof(local));
}

void cni_rule_match_translated(struct rule *rule) {
        uint32_t bits = IPS_DST_NAT, zero = 0;

        ADD(rule, "ct", { NFTNL_EXPR_CT_KEY, NFT_CT_STATUS }, { NFTNL_EXPR_CT_DREG, REGISTER });
        mask(rule, &bits, sizeof(bits));
        compare(rule, false, &zero, sizeof(zero));
}

/* Loads [destination address,] protocol and destination port, the keys of nft.h. */
static void load_port_key(struct rule *rule, uint8_t address_family) {
        uint32_t reg = REGISTER;

        if (address_family) {
                load_address(rule, address_family, RULE_DESTINATION, reg);
                reg += (uint32_t)ip_size(address_family) / 4;
        }
        load_meta(rule, NFT_META_L4PROTO, reg);
        load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
}

void cni_rule_match_port(struct rule *rule, const char *set, uint8_t address_family) {
        load_port_key(rule, address_family);
        LOOK_UP(rule, set, { NFTNL_EXPR_LOOKUP_SREG, REGISTER });
}

/* The address and port in the registers are the new destination. */
static void translate_to(struct rule *rule, uint8_t family) {
        ADD(rule, "nat", { NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT },
            { NFTNL_EXPR_NAT_FAMILY, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6 },
            { NFTNL_EXPR_NAT_REG_ADDR_MIN, REGISTER },
            { NFTNL_EXPR_NAT_REG_PROTO_MIN, REGISTER + (uint32_t)ip_size(family) / 4 });
}

/* What is looked up is. */
static void translate(struct rule *rule, const char *map, uint8_t family) {
        LOOK_UP(rule, map, { NFTNL_EXPR_LOOKUP_SREG, REGISTER }, { NFTNL_EXPR_LOOKUP_DREG, REGISTER });
        translate_to(rule, family);
}

void cni_rule_translate_port(struct rule *rule, const char *map, uint8_t family, bool by_address) {
        load_port_key(rule, by_address ? family : 0);
        translate(rule, map, family);
}

void cni_rule_choose_chain(struct rule *rule, const char *chains, uint8_t family) {
        load_port_key(rule, family);
        LOOK_UP(rule, chains, { NFTNL_EXPR_LOOKUP_SREG, REGISTER }, { NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT });
}

void cni_rule_translate_choice(struct rule *rule, const char *map, uint8_t family, uint32_t n) {
        uint32_t reg = REGISTER + (uint32_t)ip_size(family) / 4 + 2;

        ADD(rule, "numgen", { NFTNL_EXPR_NG_DREG, reg }, { NFTNL_EXPR_NG_MODULUS, n },
            { NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM });
        load_port_key(rule, family);
        translate(rule, map, family);
}

void cni_rule_match_one_in(struct rule *rule, uint32_t n) {
        uint32_t zero = 0;

        ADD(rule, "numgen", { NFTNL_EXPR_NG_DREG, REGISTER }, { NFTNL_EXPR_NG_MODULUS, n },
            { NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM });
        compare(rule, true, &zero, sizeof(zero));
}

static void load_value(struct rule *rule, const void *value, uint32_t size, uint32_t reg) {
        struct nftnl_expr *expression = ADD(rule, "immediate", { NFTNL_EXPR_IMM_DREG, reg });

        if (expression && nftnl_expr_set(expression, NFTNL_EXPR_IMM_DATA, value, size) < 0)
                rule->failed = true;
}

void cni_rule_translate(struct rule *rule, const struct ip *ip, uint16_t port) {
        const uint8_t bytes[2] = { (uint8_t)(port >> 8), (uint8_t)port };
        uint32_t size = (uint32_t)ip_size(ip->family);

        load_value(rule, ip->bytes, size, REGISTER);
        load_value(rule, bytes, sizeof(bytes), REGISTER + size / 4);
        translate_to(rule, ip->family);
}

void cni_rule_learn_source(struct rule *rule, const char *set, uint8_t family, uint32_t seconds) {
        struct nftnl_expr *expression;

        load_address(rule, family, RULE_SOURCE, REGISTER);
        expression = ADD(rule, "dynset", { NFTNL_EXPR_DYNSET_SREG_KEY, REGISTER },
                         { NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE });
        if (!expression)
                return;
        nftnl_expr_set_u64(expression, NFTNL_EXPR_DYNSET_TIMEOUT, (uint64_t)seconds * 1000);
        if (nftnl_expr_set_str(expression, NFTNL_EXPR_DYNSET_SET_NAME, set) < 0)
                rule->failed = true;
}

void cni_rule_reject(struct rule *rule, bool reset) {
        struct nftnl_expr *expression =
                ADD(rule, "reject", { NFTNL_EXPR_REJECT_TYPE, reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH });

        if (expression && !reset)
                nftnl_expr_set_u8(expression, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
}

void cni_rule_masquerade(struct rule *rule, bool random) {
        ADD(rule, "masq", { NFTNL_EXPR_MASQ_FLAGS, random ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0 });
}

static struct nftnl_expr *verdict(struct rule *rule, int code) {
        return ADD(rule, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT },
                   { NFTNL_EXPR_IMM_VERDICT, (uint32_t)code });
}

void cni_rule_drop(struct rule *rule) {
        verdict(rule, NF_DROP);
}

static void go(struct rule *rule, int how, const char *chain) {
        struct nftnl_expr *expression = verdict(rule, how);

        if (expression && nftnl_expr_set_str(expression, NFTNL_EXPR_IMM_CHAIN, chain) < 0)
                rule->failed = true;
}

void cni_rule_jump(struct rule *rule, const char *chain) {
        go(rule, NFT_JUMP, chain);
}

void cni_rule_goto(struct rule *rule, const char *chain) {
        go(rule, NFT_GOTO, chain);
}

int cni_rule_put(struct rule *rule, struct netlink *netlink) {
        int r = rule->failed ? -ENOMEM : 0;

        if (r == 0) {
                struct nlmsghdr *message =
                        cni_nft_begin(netlink, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "add nftables rule", 0);

                nftnl_rule_nlmsg_build_payload(message, rule->nftnl);
                cni_netlink_end(netlink, message);
        }
        if (rule->nftnl)
                nftnl_rule_free(rule->nftnl);
        *rule = (struct rule){ .failed = true };
        return r;
}
