#include "cni/firewall.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/firewall_rules.h"
#include "cni/flows.h"
#include "cni/host_port.h"
#include "cni/nft.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

/* One translation: a host port in one family, and its sandbox. */
struct translation {
        struct nft_port port; /* ip: the host's address, family 0 for any; comment: the sandbox's id */
        bool repeats;         /* another host port of the sandbox leads to the same target: `targets` has it already */
};

struct firewall {
        struct firewall_rules rules;
        bool taken_up;
        pthread_mutex_t lock; /* the translations, the socket, and the order of transactions */
        /* Kept open: when a netfilter socket is closed, the kernel waits until what was removed is freed, 10 ms. */
        struct netlink netlink;
        struct translation *translations;
        size_t n, size;
};

static int copy_inside(const struct ip_cidr *cidrs, size_t n, struct ip_cidr **ret_inside, struct err **err) {
        struct ip_cidr *inside;

        if (n > FIREWALL_INSIDE_MAX)
                return err_set(err, EINVAL, "%zu CIDRs not to masquerade: at most %d", n, FIREWALL_INSIDE_MAX);
        inside = calloc(n + 1, sizeof(*inside));
        if (!inside)
                return err_errno(err, ENOMEM, "masquerading");
        for (size_t i = 0; i < n; i++)
                inside[i] = cidrs[i];
        *ret_inside = inside;
        return 0;
}

int cni_firewall_new(const struct firewall_options *options, struct firewall **ret_firewall, struct err **err) {
        struct firewall *firewall;
        struct ip_cidr *inside = NULL;
        int r = copy_inside(options->no_masquerade, options->n_no_masquerade, &inside, err);

        if (r < 0)
                return r;
        firewall = calloc(1, sizeof(*firewall));
        if (!firewall) {
                free(inside);
                return err_errno(err, ENOMEM, "host ports");
        }
        pthread_mutex_init(&firewall->lock, NULL);
        firewall->netlink = NETLINK_NONE;
        snprintf(firewall->rules.bridge, sizeof(firewall->rules.bridge), "%s", options->bridge);
        snprintf(firewall->rules.table, sizeof(firewall->rules.table), "nacelle_%s", options->bridge);
        firewall->rules.n_pod_cidrs = options->n_pod_cidrs;
        for (size_t i = 0; i < options->n_pod_cidrs; i++)
                firewall->rules.pod_cidrs[i] = options->pod_cidrs[i];
        firewall->rules.inside = inside;
        firewall->rules.n_inside = options->n_no_masquerade;
        firewall->rules.masquerade = options->masquerade;
        *ret_firewall = firewall;
        return 0;
}

void cni_firewall_free(struct firewall *firewall) {
        if (!firewall)
                return;
        cni_netlink_close(&firewall->netlink);
        pthread_mutex_destroy(&firewall->lock);
        free(firewall->translations);
        free(firewall->rules.inside);
        free(firewall);
}

/* The socket, opened at first use; the caller holds the lock. */
static int open_socket(struct firewall *firewall, struct err **err) {
        return cni_netlink_fd(&firewall->netlink) >= 0 ? 0 :
                                                         cni_netlink_open(NETLINK_NETFILTER, &firewall->netlink, err);
}

/* The pod's own end of a translation, an element of `targets`. */
static struct nft_port target_of(const struct translation *translation) {
        struct nft_port port = translation->port;

        port.ip = port.target;
        port.port = port.target_port;
        return port;
}

static void put_translation(const struct firewall *firewall, struct netlink *netlink,
                            const struct translation *translation, bool add) {
        const struct nft_port *port = &translation->port;
        enum cni_firewall_set which = port->ip.family ? FIREWALL_ADDRESS : FIREWALL_ANY;
        const char *table = firewall->rules.table;
        struct nft_port target = target_of(translation);

        cni_nft_put_port(netlink, table, cni_firewall_set(port->target.family, which), port, add);
        if (!translation->repeats)
                cni_nft_put_port(netlink, table, cni_firewall_set(port->target.family, FIREWALL_TARGETS), &target, add);
}

static bool same_target(const struct nft_port *a, const struct nft_port *b) {
        return a->protocol == b->protocol && a->target_port == b->target_port && ip_equal(&a->target, &b->target);
}

/* Appends @port; the caller holds the lock. */
static int append(struct firewall *firewall, const struct nft_port *port) {
        struct translation *translation;
        int r = GROW(firewall->translations, firewall->size, firewall->n + 1, GROW_NO_MAX);

        if (r < 0)
                return r;
        translation = &firewall->translations[firewall->n];
        *translation = (struct translation){ .port = *port };
        for (size_t i = 0; i < firewall->n && !translation->repeats; i++)
                translation->repeats = same_target(&firewall->translations[i].port, port);
        firewall->n++;
        return 0;
}

static int take_up(const struct nft_port *port, void *data) {
        struct firewall *firewall = data;

        /* An element without comment or target is not of our making. */
        if (!port->comment[0] || !port->target.family)
                return 0;
        return append(firewall, port);
}

/* Reads the kernel's translations, once. */
static int take_up_all(struct firewall *firewall, struct err **err) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < ELEMENTS(families); i++) {
                for (enum cni_firewall_set which = FIREWALL_ANY; which <= FIREWALL_ADDRESS; which++) {
                        _cleanup_err_ struct err *error = NULL;
                        int r = open_socket(firewall, err);

                        if (r < 0)
                                return r;
                        r = cni_nft_for_each_port(&firewall->netlink, firewall->rules.table,
                                                  cni_firewall_set(families[i], which), take_up, firewall, &error);
                        if (r == 0 || r == -ENOENT)
                                continue;
                        /* The rest of the answer may still be in the socket. */
                        cni_netlink_close(&firewall->netlink);
                        firewall->n = 0;
                        return error ? err_move(err, TAKE_PTR(error)) : r;
                }
        }
        firewall->taken_up = true;
        return 0;
}

/* The whole table anew in one transaction: there is no moment without rules. The caller holds the lock. */
static int install(struct firewall *firewall, struct err **err) {
        struct netlink *netlink = &firewall->netlink;
        int r = open_socket(firewall, err);

        if (r < 0)
                return r;
        cni_nft_transaction(netlink);
        r = cni_firewall_rules_put(&firewall->rules, netlink);
        if (r < 0) {
                cni_netlink_close(netlink);
                return err_errno(err, -r, "nftables rules");
        }
        for (size_t i = 0; i < firewall->n; i++)
                put_translation(firewall, netlink, &firewall->translations[i], true);
        r = cni_nft_commit(netlink, err);
        return r < 0 ? err_wrap(err, r, "nftables table %s", firewall->rules.table) : r;
}

int cni_firewall_install(struct firewall *firewall, struct err **err) {
        int r = 0;

        pthread_mutex_lock(&firewall->lock);
        if (!firewall->taken_up)
                r = take_up_all(firewall, err);
        if (r == 0)
                r = install(firewall, err);
        pthread_mutex_unlock(&firewall->lock);
        return r;
}

static int set_inside_locked(struct firewall *firewall, struct err **err) {
        _cleanup_err_ struct err *error = NULL;
        int r = open_socket(firewall, err);

        if (r < 0)
                return r;
        cni_nft_transaction(&firewall->netlink);
        r = cni_firewall_put_inside(&firewall->rules, &firewall->netlink, true);
        if (r < 0) {
                cni_netlink_close(&firewall->netlink);
                return err_errno(err, -r, "masquerading");
        }
        r = cni_nft_commit(&firewall->netlink, &error);
        /* Someone flushed the rules: put all of them back. */
        if (r == -ENOENT)
                return install(firewall, err);
        return r < 0 ? err_move(err, TAKE_PTR(error)) : 0;
}

int cni_firewall_set_inside(struct firewall *firewall, const struct ip_cidr *cidrs, size_t n, struct err **err) {
        struct ip_cidr *inside = NULL;
        int r = copy_inside(cidrs, n, &inside, err);

        if (r < 0)
                return r;
        pthread_mutex_lock(&firewall->lock);
        if (n != firewall->rules.n_inside || memcmp(inside, firewall->rules.inside, n * sizeof(*inside)) != 0) {
                free(firewall->rules.inside);
                firewall->rules.inside = TAKE_PTR(inside);
                firewall->rules.n_inside = n;
                r = set_inside_locked(firewall, err);
        }
        pthread_mutex_unlock(&firewall->lock);
        free(inside);
        return r;
}

int cni_firewall_check(struct firewall *firewall, struct err **err) {
        int r;

        pthread_mutex_lock(&firewall->lock);
        r = open_socket(firewall, err);
        if (r == 0)
                r = cni_nft_has_table(&firewall->netlink, firewall->rules.table, err);
        pthread_mutex_unlock(&firewall->lock);
        return r;
}

/* Whether two host ports take the same packets. */
static bool collide(const struct nft_port *a, const struct nft_port *b) {
        return a->protocol == b->protocol && a->port == b->port && a->target.family == b->target.family &&
               (!a->ip.family || !b->ip.family || ip_equal(&a->ip, &b->ip));
}

static int check_free(const struct firewall *firewall, const struct nft_port *port, struct err **err) {
        struct ip any = { .family = port->target.family };

        for (size_t i = 0; i < firewall->n; i++) {
                const struct nft_port *other = &firewall->translations[i].port;

                if (collide(port, other))
                        return err_set(err, EADDRINUSE, "host port %u/%s is taken by sandbox %s", port->port,
                                       cni_host_port_protocol(port->protocol), other->comment);
        }
        return cni_host_port_probe(port->protocol, port->ip.family ? &port->ip : &any, port->port, err);
}

/* An address that stands for all of its family is any; one of a family the pod lacks is left out. */
static bool translate(const struct network_port *from, const char *id, const struct ip *target,
                      struct nft_port *ret_port) {
        static const uint8_t zero[16];
        struct nft_port port = { .protocol = from->protocol,
                                 .port = from->host_port,
                                 .target = *target,
                                 .target_port = from->container_port };

        if (from->host_port == 0 || (from->host_ip.family && from->host_ip.family != target->family))
                return false;
        if (from->host_ip.family && memcmp(from->host_ip.bytes, zero, sizeof(zero)) != 0)
                port.ip = from->host_ip;
        snprintf(port.comment, sizeof(port.comment), "%s", id);
        *ret_port = port;
        return true;
}

/* Puts what @ports mean behind the others; on failure the caller takes them off again. */
static int append_all(struct firewall *firewall, const struct firewall_ports *ports, struct err **err) {
        struct nft_port port;
        int r;

        for (size_t i = 0; i < ports->n_ports; i++)
                for (size_t k = 0; k < ports->n_ips; k++) {
                        if (!translate(&ports->ports[i], ports->id, &ports->ips[k], &port))
                                continue;
                        if ((r = check_free(firewall, &port, err)) < 0)
                                return r;
                        if (append(firewall, &port) < 0)
                                return err_errno(err, ENOMEM, "host ports");
                }
        return 0;
}

static void forget_flows(struct firewall *firewall, size_t from, const char *id) {
        for (size_t i = from; i < firewall->n; i++) {
                const struct nft_port *port = &firewall->translations[i].port;

                if (port->protocol == IPPROTO_UDP && (!id || strcmp(port->comment, id) == 0))
                        cni_flows_forget_port(&firewall->netlink, port->target.family, port->port);
        }
}

static int add_locked(struct firewall *firewall, size_t before, struct err **err) {
        _cleanup_err_ struct err *error = NULL;
        int r = open_socket(firewall, err);

        if (r < 0)
                return r;
        cni_nft_transaction(&firewall->netlink);
        for (size_t i = before; i < firewall->n; i++)
                put_translation(firewall, &firewall->netlink, &firewall->translations[i], true);
        r = cni_nft_commit(&firewall->netlink, &error);
        /* Someone flushed the rules: put all of them back, these among them. */
        if (r == -ENOENT)
                return install(firewall, err);
        return r < 0 ? err_move(err, TAKE_PTR(error)) : 0;
}

int cni_firewall_add(struct firewall *firewall, const struct firewall_ports *ports, struct err **err) {
        size_t before;
        int r;

        pthread_mutex_lock(&firewall->lock);
        before = firewall->n;
        if ((r = append_all(firewall, ports, err)) < 0 ||
            (firewall->n > before && (r = add_locked(firewall, before, err)) < 0))
                firewall->n = before;
        else
                forget_flows(firewall, before, NULL);
        pthread_mutex_unlock(&firewall->lock);
        return r;
}

/* Takes @id's translations out of the memory. */
static void drop(struct firewall *firewall, const char *id) {
        size_t kept = 0;

        for (size_t i = 0; i < firewall->n; i++)
                if (strcmp(firewall->translations[i].port.comment, id) != 0)
                        firewall->translations[kept++] = firewall->translations[i];
        firewall->n = kept;
}

static size_t count(const struct firewall *firewall, const char *id) {
        size_t n = 0;

        for (size_t i = 0; i < firewall->n; i++)
                n += strcmp(firewall->translations[i].port.comment, id) == 0;
        return n;
}

static int remove_locked(struct firewall *firewall, const char *id, struct err **err) {
        _cleanup_err_ struct err *error = NULL;
        int r;

        if (count(firewall, id) == 0)
                return 0;
        r = open_socket(firewall, err);
        if (r < 0)
                return r;
        cni_nft_transaction(&firewall->netlink);
        for (size_t i = 0; i < firewall->n; i++)
                if (strcmp(firewall->translations[i].port.comment, id) == 0)
                        put_translation(firewall, &firewall->netlink, &firewall->translations[i], false);
        r = cni_nft_commit(&firewall->netlink, &error);
        if (r < 0 && r != -ENOENT)
                return err_move(err, TAKE_PTR(error));
        forget_flows(firewall, 0, id);
        drop(firewall, id);
        return r == -ENOENT ? install(firewall, err) : 0;
}

int cni_firewall_remove(struct firewall *firewall, const char *id, struct err **err) {
        int r;

        pthread_mutex_lock(&firewall->lock);
        r = remove_locked(firewall, id, err);
        pthread_mutex_unlock(&firewall->lock);
        return r;
}

int cni_firewall_retain(struct firewall *firewall, bool (*keep)(const char *id, const void *data), const void *data,
                        struct err **err) {
        int r = 0;

        pthread_mutex_lock(&firewall->lock);
        for (size_t i = 0; i < firewall->n && r == 0;) {
                char id[NFT_COMMENT_MAX];

                memcpy(id, firewall->translations[i].port.comment, sizeof(id));
                if (keep(id, data))
                        i++;
                else
                        r = remove_locked(firewall, id, err);
        }
        pthread_mutex_unlock(&firewall->lock);
        return r;
}
