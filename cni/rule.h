/* nftables rules, expression by expression: what nft(8) compiles its syntax to, for the inet family.
 *
 * A rule is begun, gets matches and then what to do, and is put into a batch. Failures (memory) are kept in the
 * rule and come out of cni_rule_put(), so that a rule reads as one list.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cni/netlink.h"
#include "lib/ip.h"

struct nftnl_rule;

struct rule {
        struct nftnl_rule *nftnl;
        bool failed;
};

enum rule_side { RULE_SOURCE, RULE_DESTINATION };

struct rule cni_rule_begin(const char *table, const char *chain);

/* meta iifname/oifname [!=] @name */
void cni_rule_match_input(struct rule *rule, const char *name);
void cni_rule_match_output(struct rule *rule, const char *name, bool equal);

/* meta nfproto ipv4/ipv6: comes before anything that reads an address. */
void cni_rule_match_family(struct rule *rule, uint8_t family);

/* ip saddr/daddr [!=] @cidr */
void cni_rule_match_cidr(struct rule *rule, enum rule_side side, const struct ip_cidr *cidr, bool equal);

/* ip saddr/daddr [!=] @set, a set of addresses of @family. */
void cni_rule_match_address(struct rule *rule, enum rule_side side, const char *set, uint8_t family, bool in);

/* ip saddr . ip daddr @set, of @family. */
void cni_rule_match_pair(struct rule *rule, const char *set, uint8_t family);

/* meta l4proto @protocol */
void cni_rule_match_protocol(struct rule *rule, uint8_t protocol);

/* ct state new */
void cni_rule_match_new(struct rule *rule);

/* fib daddr type local */
void cni_rule_match_local_destination(struct rule *rule);

/* ct status dnat */
void cni_rule_match_translated(struct rule *rule);

/* [ip daddr .] meta l4proto . th dport @set */
void cni_rule_match_port(struct rule *rule, const char *set, uint8_t address_family);

/* dnat ip to [ip daddr .] meta l4proto . th dport map @map, for maps to an address . port of @family. */
void cni_rule_translate_port(struct rule *rule, const char *map, uint8_t family, bool by_address);

/* ip daddr . meta l4proto . th dport vmap @chains */
void cni_rule_choose_chain(struct rule *rule, const char *chains, uint8_t family);

/* dnat ip to ip daddr . meta l4proto . th dport . (a number below @n, at random) map @map, an address . port of
 * @family. */
void cni_rule_translate_choice(struct rule *rule, const char *map, uint8_t family, uint32_t n);

/* numgen random mod @n 0 */
void cni_rule_match_one_in(struct rule *rule, uint32_t n);

/* dnat ip to @ip:@port */
void cni_rule_translate(struct rule *rule, const struct ip *ip, uint16_t port);

/* update @set { ip saddr timeout @seconds }. Where the set is full the rule ends here. */
void cni_rule_learn_source(struct rule *rule, const char *set, uint8_t family, uint32_t seconds);

/* reject with tcp reset, for what was matched so; or with icmpx port-unreachable. In filter chains. */
void cni_rule_reject(struct rule *rule, bool reset);

/* masquerade [fully-random] */
void cni_rule_masquerade(struct rule *rule, bool random);

void cni_rule_drop(struct rule *rule);
void cni_rule_jump(struct rule *rule, const char *chain);
void cni_rule_goto(struct rule *rule, const char *chain);

/* Appends the rule to @netlink's batch and frees it. Returns 0 or -ENOMEM. */
int cni_rule_put(struct rule *rule, struct netlink *netlink);
