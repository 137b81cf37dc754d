#include "cni/balancer_kept.h"

#include <stdio.h>

#include "cni/nft.h"

/* -- names ------------------------------------------------------------------------------------------------- */

/* "0a600005_80": what nftables takes as a name. Returns its end. */
static char *write_place(char *to, const char *end, const struct ip *ip, uint16_t port) {
        for (size_t i = 0; i < ip_size(ip->family); i++)
                to += snprintf(to, (size_t)(end - to), "%02x", ip->bytes[i]);
        return to + snprintf(to, (size_t)(end - to), "_%u", port);
}

static char *write_front(char *to, const char *end, const char *prefix, const struct balancer_front *front) {
        to += snprintf(to, (size_t)(end - to), "%s_%u_", prefix, front->protocol);
        return write_place(to, end, &front->ip, front->port);
}

void cni_balancer_keeps_name(const struct balancer_front *front, char ret_name[BALANCER_KEPT_NAME_MAX]) {
        write_front(ret_name, ret_name + BALANCER_KEPT_NAME_MAX, "keeps", front);
}

static void name_end(const struct balancer_change *change, char ret_name[BALANCER_KEPT_NAME_MAX]) {
        const char *end = ret_name + BALANCER_KEPT_NAME_MAX;
        char *to = write_front(ret_name, end, "end", &change->front);

        to += snprintf(to, (size_t)(end - to), "_");
        write_place(to, end, &change->back.ip, change->back.port);
}

/* -- ends -------------------------------------------------------------------------------------------------- */

/* Of one that is there whom it keeps stays. Two rules: a set that is full ends the first. */
static int put_end(const struct balancer_rules *rules, struct netlink *netlink, const struct balancer_change *change,
                   const char *name) {
        uint8_t family = change->front.ip.family;
        const struct nft_set set = { .name = name,
                                     .key = { family == AF_INET ? NFT_IPV4 : NFT_IPV6 },
                                     .learns = BALANCER_KEPT_MAX };
        struct rule rule;
        int r;

        cni_nft_put_set(netlink, rules->table, &set);
        cni_nft_put_chain(netlink, rules->table, &(struct nft_chain){ .name = name });
        cni_nft_put_flush_chain(netlink, rules->table, name);
        rule = cni_rule_begin(rules->table, name);
        cni_rule_match_family(&rule, family);
        cni_rule_learn_source(&rule, name, family, change->keep);
        if ((r = cni_rule_put(&rule, netlink)) < 0)
                return r;
        rule = cni_rule_begin(rules->table, name);
        cni_rule_match_family(&rule, family);
        cni_rule_match_protocol(&rule, change->front.protocol);
        cni_rule_translate(&rule, &change->back.ip, change->back.port);
        return cni_rule_put(&rule, netlink);
}

/* Its front's rules, which know it, are put anew behind this, or the front keeps nobody any more. */
static void drop_end(const struct balancer_rules *rules, struct netlink *netlink, const char *keeps, const char *name) {
        cni_nft_put_flush_chain(netlink, rules->table, keeps);
        cni_nft_put_flush_chain(netlink, rules->table, name);
        cni_nft_put_delete_chain(netlink, rules->table, name);
        cni_nft_put_delete_set(netlink, rules->table, name);
}

/* -- fronts ------------------------------------------------------------------------------------------------ */

static void begin_front(const struct balancer_rules *rules, struct netlink *netlink, const char *keeps) {
        cni_nft_put_chain(netlink, rules->table, &(struct nft_chain){ .name = keeps });
        cni_nft_put_flush_chain(netlink, rules->table, keeps);
}

static void drop_front(const struct balancer_rules *rules, struct netlink *netlink, const char *keeps) {
        cni_nft_put_flush_chain(netlink, rules->table, keeps);
        cni_nft_put_delete_chain(netlink, rules->table, keeps);
}

/* One who is kept at the end goes there; of those behind all such rules one in so many as are left. */
static int put_way(const struct balancer_rules *rules, struct netlink *netlink, const struct balancer_change *change,
                   const char *keeps, const char *name) {
        struct rule rule = cni_rule_begin(rules->table, keeps);

        cni_rule_match_family(&rule, change->front.ip.family);
        if (change->n == 0)
                cni_rule_match_address(&rule, RULE_SOURCE, name, change->front.ip.family, true);
        else
                cni_rule_match_one_in(&rule, change->n);
        cni_rule_goto(&rule, name);
        return cni_rule_put(&rule, netlink);
}

int cni_balancer_put_kept(const struct balancer_rules *rules, struct netlink *netlink,
                          const struct balancer_change *change) {
        char keeps[BALANCER_KEPT_NAME_MAX], name[BALANCER_KEPT_NAME_MAX];

        cni_balancer_keeps_name(&change->front, keeps);
        name_end(change, name);
        switch (change->kind) {
        case BALANCER_END:
                if (change->add)
                        return put_end(rules, netlink, change, name);
                drop_end(rules, netlink, keeps, name);
                return 0;
        case BALANCER_KEEPS:
                if (change->add)
                        begin_front(rules, netlink, keeps);
                else
                        drop_front(rules, netlink, keeps);
                return 0;
        case BALANCER_STAYS:
                return put_way(rules, netlink, change, keeps, name);
        default:
                return 0;
        }
}
