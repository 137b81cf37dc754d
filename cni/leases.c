#include "cni/leases.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cni/addresses.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct holder {
        struct holder *next;
        struct ip ips[LEASES_CIDRS_MAX]; /* by pool; family 0: none */
        char id[];
};

struct leases {
        pthread_mutex_t lock;
        struct addresses *pools[LEASES_CIDRS_MAX];
        size_t n_pools;
        struct holder *holders;
};

int cni_leases_new(const struct ip_cidr *cidrs, size_t n_cidrs, uint32_t limit, struct leases **ret_leases,
                   struct err **err) {
        struct leases *leases;

        if (n_cidrs == 0 || n_cidrs > LEASES_CIDRS_MAX || (n_cidrs == 2 && cidrs[0].ip.family == cidrs[1].ip.family))
                return err_set(err, EINVAL, "pod CIDRs: give one, or one of IPv4 and one of IPv6");
        leases = calloc(1, sizeof(*leases));
        if (!leases)
                return err_errno(err, ENOMEM, "pod CIDRs");
        pthread_mutex_init(&leases->lock, NULL);
        for (size_t i = 0; i < n_cidrs; i++) {
                int r = cni_addresses_new(&cidrs[i], limit, &leases->pools[i], err);

                if (r < 0) {
                        cni_leases_free(leases);
                        return r;
                }
                leases->n_pools++;
        }
        *ret_leases = leases;
        return 0;
}

void cni_leases_free(struct leases *leases) {
        if (!leases)
                return;
        while (leases->holders) {
                struct holder *holder = leases->holders;

                leases->holders = holder->next;
                free(holder);
        }
        for (size_t i = 0; i < leases->n_pools; i++)
                cni_addresses_free(leases->pools[i]);
        pthread_mutex_destroy(&leases->lock);
        free(leases);
}

void cni_leases_gateways(const struct leases *leases, struct lease *ret_gateways) {
        struct lease gateways = { .n = leases->n_pools };

        for (size_t i = 0; i < leases->n_pools; i++) {
                gateways.addresses[i] = cni_addresses_gateway(leases->pools[i]);
                gateways.gateways[i] = gateways.addresses[i].ip;
        }
        *ret_gateways = gateways;
}

/* Where the pointer to @id's holder is, or the list's end. */
static struct holder **find(struct leases *leases, const char *id) {
        struct holder **p = &leases->holders;

        while (*p && strcmp((*p)->id, id) != 0)
                p = &(*p)->next;
        return p;
}

static struct holder *holder_new(const char *id) {
        size_t size = strlen(id) + 1;
        struct holder *holder = calloc(1, sizeof(*holder) + size);

        if (holder)
                memcpy(holder->id, id, size);
        return holder;
}

static void remove_holder(struct leases *leases, struct holder **p) {
        struct holder *holder = *p;

        for (size_t i = 0; i < leases->n_pools; i++)
                if (holder->ips[i].family)
                        cni_addresses_give(leases->pools[i], &holder->ips[i]);
        *p = holder->next;
        free(holder);
}

static int take(struct leases *leases, const char *id, struct lease *ret_lease, struct err **err) {
        struct lease lease = { .n = leases->n_pools };
        struct holder *holder;
        int r = 0;

        if (*find(leases, id))
                return err_set(err, EEXIST, "the sandbox has addresses already");
        holder = holder_new(id);
        if (!holder)
                return err_errno(err, ENOMEM, "address");
        holder->next = leases->holders;
        leases->holders = holder;
        for (size_t i = 0; i < leases->n_pools && r == 0; i++) {
                struct ip_cidr gateway = cni_addresses_gateway(leases->pools[i]);

                r = cni_addresses_take(leases->pools[i], &holder->ips[i], err);
                lease.addresses[i] = (struct ip_cidr){ .ip = holder->ips[i], .prefix = gateway.prefix };
                lease.gateways[i] = gateway.ip;
        }
        if (r < 0) {
                remove_holder(leases, &leases->holders);
                return r;
        }
        *ret_lease = lease;
        return 0;
}

int cni_leases_take(struct leases *leases, const char *id, struct lease *ret_lease, struct err **err) {
        int r;

        pthread_mutex_lock(&leases->lock);
        r = take(leases, id, ret_lease, err);
        pthread_mutex_unlock(&leases->lock);
        return r;
}

static const char *holder_of(const struct leases *leases, size_t pool, const struct ip *ip) {
        for (const struct holder *holder = leases->holders; holder; holder = holder->next)
                if (ip_equal(&holder->ips[pool], ip))
                        return holder->id;
        return "another sandbox";
}

static int mark(struct leases *leases, struct holder *holder, const struct ip *ip, struct err **err) {
        char text[IP_TEXT_MAX];
        int r;

        for (size_t i = 0; i < leases->n_pools; i++) {
                struct ip_cidr cidr = cni_addresses_cidr(leases->pools[i]);

                if (!ip_cidr_contains(&cidr, ip) || holder->ips[i].family)
                        continue;
                r = cni_addresses_mark(leases->pools[i], ip, NULL);
                if (r == -EADDRINUSE)
                        return err_set(err, EADDRINUSE, "address %s is that of sandbox %s", ip_format(ip, text),
                                       holder_of(leases, i, ip));
                if (r < 0)
                        continue;
                holder->ips[i] = *ip;
                return 0;
        }
        return err_set(err, ERANGE, "address %s is not one of the pod CIDRs'", ip_format(ip, text));
}

int cni_leases_mark(struct leases *leases, const char *id, const struct ip *ips, size_t n_ips, struct err **err) {
        struct holder **p, *holder;
        int result = 0;

        pthread_mutex_lock(&leases->lock);
        p = find(leases, id);
        if (!*p)
                *p = holder_new(id);
        holder = *p;
        if (!holder)
                result = err_errno(err, ENOMEM, "address");
        for (size_t i = 0; i < n_ips && holder; i++) {
                int r = mark(leases, holder, &ips[i], result < 0 ? NULL : err);

                if (result == 0)
                        result = r;
        }
        pthread_mutex_unlock(&leases->lock);
        return result;
}

void cni_leases_give(struct leases *leases, const char *id) {
        struct holder **p;

        pthread_mutex_lock(&leases->lock);
        p = find(leases, id);
        if (*p)
                remove_holder(leases, p);
        pthread_mutex_unlock(&leases->lock);
}

void cni_leases_retain(struct leases *leases, bool (*keep)(const char *id, const void *data), const void *data) {
        pthread_mutex_lock(&leases->lock);
        for (struct holder **p = &leases->holders; *p;) {
                if (keep((*p)->id, data))
                        p = &(*p)->next;
                else
                        remove_holder(leases, p);
        }
        pthread_mutex_unlock(&leases->lock);
}

void cni_leases_inherit(struct leases *leases, struct leases *others) {
        pthread_mutex_lock(&others->lock);
        for (const struct holder *holder = others->holders; holder; holder = holder->next)
                cni_leases_mark(leases, holder->id, holder->ips, LEASES_CIDRS_MAX, NULL);
        pthread_mutex_unlock(&others->lock);
}
