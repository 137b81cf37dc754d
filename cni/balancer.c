#include "cni/balancer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/balancer_kept.h"
#include "cni/balancer_read.h"
#include "cni/balancer_rules.h"
#include "cni/flows.h"
#include "cni/nft.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* A batch of more is a rare one. */
#define KEPT_CHANGES_MAX 1024

#define READ_TRIES 20

struct balancer {
        struct balancer_rules rules;
        struct netlink netlink;               /* kept open: see cni/firewall.c */
        bool made[2][BALANCER_BACKS_MAX + 1]; /* the chains that there are */
};

int cni_balancer_new(const struct balancer_options *options, struct balancer **ret_balancer) {
        struct balancer *balancer = calloc(1, sizeof(*balancer));
        struct balancer_rules *rules;

        if (!balancer)
                return -ENOMEM;
        rules = &balancer->rules;
        balancer->netlink = NETLINK_NONE;
        snprintf(rules->bridge, sizeof(rules->bridge), "%s", options->bridge);
        cni_balancer_table(options->bridge, rules->table);
        for (; rules->n_pod_cidrs < options->n_pod_cidrs && rules->n_pod_cidrs < ELEMENTS(rules->pod_cidrs);
             rules->n_pod_cidrs++)
                rules->pod_cidrs[rules->n_pod_cidrs] = options->pod_cidrs[rules->n_pod_cidrs];
        *ret_balancer = balancer;
        return 0;
}

void cni_balancer_free(struct balancer *balancer) {
        if (!balancer)
                return;
        cni_netlink_close(&balancer->netlink);
        free(balancer);
}

/* -- a transaction ----------------------------------------------------------------------------------------- */

static void fill_front(struct nft_bytes *key, const struct balancer_front *front) {
        cni_nft_add_ip(key, &front->ip);
        cni_nft_add_protocol(key, front->protocol);
        cni_nft_add_port(key, front->port);
}

static struct balancer_choice choice_of(const struct balancer_change *change) {
        return (struct balancer_choice){ change->front.ip.family, change->n };
}

static void put_change(struct nft_elements *elements, const struct balancer_change *change) {
        const struct balancer_choice choice = choice_of(change);
        struct nft_element element = { 0 };
        char chain[BALANCER_KEPT_NAME_MAX];

        switch (change->kind) {
        case BALANCER_ADDRESS:
                cni_nft_add_ip(&element.key, &change->front.ip);
                break;
        case BALANCER_SELF:
                cni_nft_add_ip(&element.key, &change->front.ip);
                cni_nft_add_ip(&element.key, &change->front.ip);
                break;
        case BALANCER_COUNT:
                fill_front(&element.key, &change->front);
                if (change->keep)
                        cni_balancer_keeps_name(&change->front, chain);
                else
                        cni_balancer_chain(&choice, chain);
                element.chain = chain;
                break;
        case BALANCER_BACK:
                fill_front(&element.key, &change->front);
                cni_nft_add_number(&element.key, change->n);
                cni_nft_add_ip(&element.data, &change->back.ip);
                cni_nft_add_port(&element.data, change->back.port);
                break;
        default: /* no elements: cni/balancer_kept.h */
                return;
        }
        cni_nft_elements_put(elements, &element);
}

/* All changes that are of one set and go one way. */
static void put_some(struct balancer *b, const struct balancer_change *changes, size_t n,
                     const struct balancer_change *like) {
        struct nft_elements elements = { .netlink = &b->netlink,
                                         .table = b->rules.table,
                                         .set = cni_balancer_set(like->front.ip.family, like->kind),
                                         .add = like->add };

        cni_nft_elements_begin(&elements);
        for (size_t i = 0; i < n; i++)
                if (changes[i].kind == like->kind && changes[i].add == like->add &&
                    changes[i].front.ip.family == like->front.ip.family)
                        put_change(&elements, &changes[i]);
        cni_nft_elements_end(&elements);
}

static int put_chains(struct balancer *b, const struct balancer_change *changes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const struct balancer_choice choice = choice_of(&changes[i]);
                bool *made;
                int r;

                if (changes[i].kind != BALANCER_COUNT || !changes[i].add || changes[i].keep)
                        continue;
                made = &b->made[choice.family == AF_INET6][choice.n];
                if (*made)
                        continue;
                r = cni_balancer_put_chain(&b->rules, &b->netlink, &choice);
                if (r < 0)
                        return r;
                *made = true;
        }
        return 0;
}

/* All that is removed, or added, of fronts that keep senders. */
static int put_kept(struct balancer *b, const struct balancer_change *changes, size_t n, bool add) {
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                if (changes[i].kind >= BALANCER_END && changes[i].add == add)
                        r = cni_balancer_put_kept(&b->rules, &b->netlink, &changes[i]);
        return r;
}

static int put_all(struct balancer *b, const struct balancer_change *changes, size_t n, enum balancer_begin begin) {
        int r = 0;

        cni_nft_transaction(&b->netlink);
        if (begin != BALANCER_GOES_ON) {
                memset(b->made, 0, sizeof(b->made));
                r = cni_balancer_rules_put(&b->rules, &b->netlink, begin == BALANCER_ANEW);
        }
        r = r < 0 ? r : put_chains(b, changes, n);
        for (int add = begin == BALANCER_ANEW; add <= 1 && r == 0; add++) {
                /* Counts lead to chains: these come before them, and go behind. */
                if (add && (r = put_kept(b, changes, n, true)) < 0)
                        return r;
                for (int kind = BALANCER_ADDRESS; kind <= BALANCER_BACK; kind++)
                        for (int six = 0; six <= 1; six++)
                                put_some(b, changes, n,
                                         &(struct balancer_change){ .kind = (uint8_t)kind,
                                                                    .add = add,
                                                                    .front.ip.family = six ? AF_INET6 : AF_INET });
                if (!add)
                        r = put_kept(b, changes, n, false);
        }
        return r;
}

/* -- flows that lead nowhere any more ---------------------------------------------------------------------- */

/* UDP knows no connections: who goes on sending would for ever be led to a back that has gone, or to none, as when it
 * began. */
static bool ends_flow(const struct balancer_change *c) {
        return c->front.protocol == IPPROTO_UDP &&
               ((c->kind == BALANCER_BACK && !c->add && c->back.ip.family) || (c->kind == BALANCER_COUNT && c->add));
}

static void forget_flows(struct balancer *b, const struct balancer_change *changes, size_t n) {
        size_t n_flows = 0, at = 0;
        struct flow *flows;

        for (size_t i = 0; i < n; i++)
                n_flows += ends_flow(&changes[i]);
        flows = n_flows > 0 ? calloc(n_flows, sizeof(*flows)) : NULL;
        for (size_t i = 0; i < n && flows; i++) {
                const struct balancer_change *c = &changes[i];

                if (!ends_flow(c))
                        continue;
                /* A count that comes: those that were led to nobody. */
                flows[at++] = (struct flow){ .to = c->front.ip,
                                             .port = c->front.port,
                                             .answers = c->kind == BALANCER_BACK ? c->back.ip : c->front.ip };
        }
        if (flows)
                cni_flows_forget(&b->netlink, flows, n_flows);
        free(flows);
}

/* What no change tells of: flows to ends that went when the one who made it was killed before this, or while there was
 * no table. @changes are all that there is. */
static void forget_other_flows(struct balancer *b, const struct balancer_change *changes, size_t n) {
        _cleanup_free_ struct ip *addresses = calloc(n + 1, sizeof(*addresses));
        _cleanup_free_ struct flow *flows = calloc(n + 1, sizeof(*flows));
        size_t n_addresses = 0, n_flows = 0;

        for (size_t i = 0; i < n && addresses && flows; i++) {
                const struct balancer_change *c = &changes[i];

                if (c->kind == BALANCER_ADDRESS)
                        addresses[n_addresses++] = c->front.ip;
                else if (c->kind == BALANCER_BACK && c->front.protocol == IPPROTO_UDP)
                        flows[n_flows++] =
                                (struct flow){ .to = c->front.ip, .port = c->front.port, .answers = c->back.ip };
        }
        if (n_addresses > 0)
                cni_flows_forget_others(&b->netlink, addresses, n_addresses, flows, n_flows);
}

static int open_netlink(struct balancer *b, struct err **err) {
        return cni_netlink_fd(&b->netlink) < 0 ? cni_netlink_open(NETLINK_NETFILTER, &b->netlink, err) : 0;
}

int cni_balancer_apply(struct balancer *b, const struct balancer_change *changes, size_t n, enum balancer_begin begin,
                       struct err **err) {
        int r;

        if (n > BALANCER_CHANGES_MAX)
                return err_set(err, E2BIG, "%zu changes of services: at most %d", n, BALANCER_CHANGES_MAX);
        if ((r = open_netlink(b, err)) < 0)
                return r;
        r = put_all(b, changes, n, begin);
        if (r < 0) {
                cni_netlink_close(&b->netlink);
                return err_errno(err, -r, "nftables table %s", b->rules.table);
        }
        r = cni_nft_commit(&b->netlink, err);
        if (r < 0)
                return err_wrap(err, r, "nftables table %s", b->rules.table);
        if (begin == BALANCER_ANEW)
                forget_other_flows(b, changes, n);
        else
                forget_flows(b, changes, n);
        /* Of a large batch the socket keeps the room. */
        if (n > KEPT_CHANGES_MAX)
                cni_netlink_close(&b->netlink);
        return 0;
}

int cni_balancer_check(struct balancer *b, struct err **err) {
        int r = open_netlink(b, err);

        return r < 0 ? r : cni_nft_has_table(&b->netlink, b->rules.table, err);
}

/* -- what there is ----------------------------------------------------------------------------------------- */

/* A dump that meets a transaction, of whomever, is no whole one. */
static int read_set(struct balancer *b, struct balancer_found *found, struct err **err) {
        size_t before = found->n;
        int r = -EINTR;

        for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
                found->n = before;
                if ((r = open_netlink(b, err)) < 0)
                        return r;
                r = cni_balancer_find(&b->rules, &b->netlink, found);
                if (r < 0)
                        cni_netlink_close(&b->netlink);
        }
        return r < 0 ? err_errno(err, -r, "nftables table %s", b->rules.table) : 0;
}

int cni_balancer_read(struct balancer *b, struct balancer_change **ret_changes, size_t *ret_n, struct err **err) {
        struct balancer_found found = { 0 };
        int r = 0;

        for (int kind = BALANCER_ADDRESS; kind <= BALANCER_BACK && r == 0; kind++)
                for (int six = 0; six <= 1 && r == 0; six++) {
                        found.family = six ? AF_INET6 : AF_INET;
                        found.kind = (uint8_t)kind;
                        r = read_set(b, &found, err);
                }
        if (r < 0) {
                free(found.changes);
                return r;
        }
        forget_other_flows(b, found.changes, found.n);
        *ret_changes = found.changes;
        *ret_n = found.n;
        return 0;
}

void cni_balancer_remove(const char *bridge) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        char table[BALANCER_TABLE_MAX];

        cni_balancer_table(bridge, table);
        if (cni_netlink_open(NETLINK_NETFILTER, &netlink, NULL) < 0 || cni_nft_has_table(&netlink, table, NULL) < 0)
                return;
        cni_nft_transaction(&netlink);
        cni_nft_put_delete_table(&netlink, table);
        cni_nft_commit(&netlink, NULL);
}
