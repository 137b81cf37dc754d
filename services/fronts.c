/* What of a Service the kernel needs: for each of its addresses and ports who is behind it, as changes of what it has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "services/internal.h"

static int append(struct balance *b, const struct balancer_change *change) {
        if (b->n_changes == b->size) {
                size_t size = b->size * 2 + 64;
                struct balancer_change *changes = reallocarray(b->changes, size, sizeof(*changes));

                if (!changes)
                        return -ENOMEM;
                b->changes = changes;
                b->size = size;
        }
        b->changes[b->n_changes++] = *change;
        return 0;
}

/* -- who is behind a port ---------------------------------------------------------------------------------- */

static int compare_backs(const void *a, const void *b) {
        const struct balancer_back *one = a, *other = b;
        int order = memcmp(one->ip.bytes, other->ip.bytes, sizeof(one->ip.bytes));

        return order ?: one->port - other->port;
}

static const struct balancer_back *find_back(const struct balancer_back *backs, size_t n,
                                             const struct balancer_back *back) {
        return n > 0 ? bsearch(back, backs, n, sizeof(*backs), compare_backs) : NULL;
}

/* Those that are @ready, or, of those that end, serve; in @ret_backs where it is not NULL. Returns how many. */
static size_t gather(const struct model_service *service, const struct model_port *port, uint8_t family, bool ready,
                     struct balancer_back *ret_backs) {
        size_t n = 0;

        LIST_EACH (slices, slice, &service->slices)
                for (size_t i = 0; i < slice->n_ports; i++) {
                        if (slice->ports[i].protocol != port->protocol || strcmp(slice->ports[i].name, port->name) != 0)
                                continue;
                        for (size_t k = 0; k < slice->n_ends; k++) {
                                const struct slice_end *end = &slice->ends[k];

                                if (end->ip.family != family || end->ready != ready || (!ready && !end->ends) ||
                                    (service->local_only && !end->local))
                                        continue;
                                if (ret_backs)
                                        ret_backs[n] =
                                                (struct balancer_back){ .ip = end->ip, .port = slice->ports[i].port };
                                n++;
                        }
                }
        return n;
}

/* In order, each once. Where nobody is ready, who ends and still serves is better than nobody (KEP-1669). */
static int find_backs(const struct model_service *service, const struct model_port *port, uint8_t family,
                      struct balancer_back **ret_backs, size_t *ret_n) {
        bool ready = gather(service, port, family, true, NULL) > 0;
        size_t n = gather(service, port, family, ready, NULL), kept = 0;
        struct balancer_back *backs = calloc(n + 1, sizeof(*backs));

        if (!backs)
                return -ENOMEM;
        gather(service, port, family, ready, backs);
        qsort(backs, n, sizeof(*backs), compare_backs);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || compare_backs(&backs[kept - 1], &backs[i]) != 0)
                        backs[kept++] = backs[i];
        *ret_backs = backs;
        *ret_n = kept < BALANCER_BACKS_MAX ? kept : BALANCER_BACKS_MAX;
        return 0;
}

/* -- from what was to what is ------------------------------------------------------------------------------ */

/* @old and @wanted, which is in order, as numbers: who stays keeps its number where that is possible. */
static void number(const struct service_front *old, const struct balancer_back *wanted, size_t n,
                   struct balancer_back *ret) {
        bool *placed = calloc(n + 1, sizeof(*placed)); /* without memory all are numbered anew */
        size_t next = 0;

        for (size_t i = 0; i < n; i++)
                ret[i] = (struct balancer_back){ 0 };
        for (size_t i = 0; i < old->n && i < n && placed; i++) {
                const struct balancer_back *stays = find_back(wanted, n, &old->backs[i]);

                if (!stays)
                        continue;
                placed[stays - wanted] = true;
                ret[i] = *stays;
        }
        for (size_t i = 0; i < n; i++) {
                if (placed && placed[i])
                        continue;
                while (ret[next].ip.family)
                        next++;
                ret[next] = wanted[i];
        }
        free(placed);
}

static int count(struct balance *b, const struct service_front *front, bool add) {
        const struct balancer_change change = {
                .kind = BALANCER_COUNT, .add = add, .keep = front->keep, .front = front->at, .n = (uint32_t)front->n
        };

        return front->n > 0 ? append(b, &change) : 0;
}

static int change_back(struct balance *b, const struct balancer_front *at, size_t i, const struct balancer_back *back,
                       bool add) {
        const struct balancer_change change = {
                .kind = BALANCER_BACK, .add = add, .front = *at, .n = (uint32_t)i, .back = *back
        };

        return append(b, &change);
}

/* -- fronts that keep senders ------------------------------------------------------------------------------ */

static int change_kept(struct balance *b, enum balancer_kind kind, bool add, const struct service_front *front,
                       const struct balancer_back *back, uint32_t n) {
        struct balancer_change change = {
                .kind = (uint8_t)kind, .add = add, .keep = front->keep, .front = front->at, .n = n
        };

        if (back)
                change.back = *back;
        return append(b, &change);
}

/* The rules of a front: first who is kept at an end, then, for who is at none, one of the ends. */
static int tell_ways(struct balance *b, const struct service_front *now, const struct balancer_back *wanted) {
        int r = change_kept(b, BALANCER_KEEPS, true, now, NULL, 0);

        for (size_t i = 0; i < now->n && r == 0; i++)
                r = change_kept(b, BALANCER_STAYS, true, now, &wanted[i], 0);
        for (size_t i = 0; i < now->n && r == 0; i++)
                r = change_kept(b, BALANCER_STAYS, true, now, &wanted[i], (uint32_t)(now->n - i));
        return r;
}

/* An end that stays keeps whom it has, unless for another time. */
static int change_ends(struct balance *b, const struct service_front *old, const struct service_front *now,
                       const struct balancer_back *wanted) {
        _cleanup_free_ bool *had = calloc(now->n + 1, sizeof(*had));
        bool changed = old->keep != now->keep;
        int r = had ? 0 : -ENOMEM;

        for (size_t i = 0; i < old->n && old->keep && r == 0; i++) {
                const struct balancer_back *stays =
                        old->keep == now->keep ? find_back(wanted, now->n, &old->backs[i]) : NULL;

                if (stays) {
                        had[stays - wanted] = true;
                        continue;
                }
                changed = true;
                r = change_kept(b, BALANCER_END, false, old, &old->backs[i], 0);
        }
        for (size_t i = 0; i < now->n && now->keep && r == 0; i++)
                if (!had[i]) {
                        changed = true;
                        r = change_kept(b, BALANCER_END, true, now, &wanted[i], 0);
                }
        if (r < 0 || !changed)
                return r;
        if (now->keep && now->n > 0)
                return tell_ways(b, now, wanted);
        return old->keep && old->n > 0 ? change_kept(b, BALANCER_KEEPS, false, old, NULL, 0) : 0;
}

/* @now has the same address and port; its backs are numbered. */
static int change_front(struct balance *b, const struct service_front *old, const struct service_front *now,
                        const struct balancer_back *wanted) {
        static const struct balancer_back elsewhere;
        int r = 0;

        if ((old->keep || now->keep) && (r = change_ends(b, old, now, wanted)) < 0)
                return r;
        if (old->n != now->n || old->keep != now->keep) {
                if ((r = count(b, old, false)) < 0 || (r = count(b, now, true)) < 0)
                        return r;
        }
        for (size_t i = 0; (i < old->n || i < now->n) && r == 0; i++) {
                bool same = i < old->n && i < now->n && compare_backs(&old->backs[i], &now->backs[i]) == 0;

                if (i < old->n && !same)
                        r = change_back(b, &now->at, i,
                                        find_back(wanted, now->n, &old->backs[i]) ? &elsewhere : &old->backs[i], false);
                if (i < now->n && !same && r == 0)
                        r = change_back(b, &now->at, i, &now->backs[i], true);
        }
        return r;
}

static bool same_front(const struct balancer_front *a, const struct balancer_front *b) {
        return a->protocol == b->protocol && a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static struct service_front *find_front(const struct model_service *service, const struct balancer_front *at) {
        for (size_t i = 0; i < service->n_fronts; i++)
                if (same_front(&service->fronts[i].at, at))
                        return &service->fronts[i];
        return NULL;
}

/* Makes @front what it is to be, its changes from @old (NULL: it was not there) told. */
static int make_front(struct balance *b, const struct model_service *service, const struct model_port *port,
                      const struct service_front *old, struct service_front *front) {
        static const struct service_front none;
        _cleanup_free_ struct balancer_back *wanted = NULL;
        int r = find_backs(service, port, front->at.ip.family, &wanted, &front->n);

        if (r < 0)
                return r;
        front->backs = calloc(front->n + 1, sizeof(*front->backs));
        if (!front->backs)
                return -ENOMEM;
        front->keep = service->keep;
        number(old ?: &none, wanted, front->n, front->backs);
        return change_front(b, old ?: &none, front, wanted);
}

static int drop_front(struct balance *b, const struct service_front *old) {
        const struct service_front none = { .at = old->at };

        return change_front(b, old, &none, NULL);
}

static int change_address(struct balance *b, const struct ip *ip, bool add) {
        const struct balancer_change change = { .kind = BALANCER_ADDRESS, .add = add, .front.ip = *ip };

        return append(b, &change);
}

static bool has_ip(const struct ip *ips, size_t n, const struct ip *ip) {
        for (size_t i = 0; i < n; i++)
                if (ip_equal(&ips[i], ip))
                        return true;
        return false;
}

static int change_addresses(struct balance *b, const struct model_service *service, const struct ip *now, size_t n) {
        int r = 0;

        for (size_t i = 0; i < service->n_addresses && r == 0; i++)
                if (!has_ip(now, n, &service->addresses[i]))
                        r = change_address(b, &service->addresses[i], false);
        for (size_t i = 0; i < n && r == 0; i++)
                if (!has_ip(service->addresses, service->n_addresses, &now[i]))
                        r = change_address(b, &now[i], true);
        return r;
}

/* -- pods that reach themselves ---------------------------------------------------------------------------- */

static int change_self(struct balance *b, const struct ip *ip, bool add) {
        const struct balancer_change change = { .kind = BALANCER_SELF, .add = add, .front.ip = *ip };

        return append(b, &change);
}

static void drop_self(struct balance *b, struct model_self *self) {
        table_remove(&b->selfs_by_ip, &self->by_ip);
        selfs_all_remove(self);
        free(self);
}

static int add_self(struct balance *b, const struct ip *ip, const char *text) {
        struct model_self *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        self->ip = *ip;
        self->uses = 1;
        strcpy(self->text, text);
        if (table_add(&b->selfs_by_ip, &self->by_ip, self->text) < 0) {
                free(self);
                return -ENOMEM;
        }
        selfs_all_append(&b->selfs, self);
        return change_self(b, ip, true);
}

/* One use more or less of @ip. */
static int use_self(struct balance *b, const struct ip *ip, bool more) {
        char text[IP_TEXT_MAX];
        struct model_self *self =
                table_object(table_find(&b->selfs_by_ip, ip_format(ip, text)), struct model_self, by_ip);

        if (more && !self)
                return add_self(b, ip, text);
        if (more)
                self->uses++;
        else if (self && --self->uses == 0) {
                drop_self(b, self);
                return change_self(b, ip, false);
        }
        return 0;
}

static int use_selfs(struct services *s, const struct model_service *service, bool more) {
        const struct services_cidrs *own = &s->nodes.own;
        int r = 0;

        for (size_t i = 0; i < service->n_fronts; i++)
                for (size_t k = 0; k < service->fronts[i].n; k++)
                        for (size_t c = 0; c < own->n && r == 0; c++)
                                if (ip_cidr_contains(&own->items[c], &service->fronts[i].backs[k].ip))
                                        r = use_self(&s->balance, &service->fronts[i].backs[k].ip, more);
        return r;
}

void fronts_forget_selfs(struct balance *b) {
        LIST_EACH (selfs_all, self, &b->selfs)
                drop_self(b, self);
}

static void fronts_free(struct service_front *fronts, size_t n) {
        for (size_t i = 0; fronts && i < n; i++)
                free(fronts[i].backs);
        free(fronts);
}

void fronts_done(struct model_service *service) {
        fronts_free(service->fronts, service->n_fronts);
        free(service->addresses);
        service->fronts = NULL;
        service->addresses = NULL;
        service->n_fronts = service->n_addresses = 0;
}

/* Of a service twice the same address and port is one. */
static int make_fronts(struct balance *b, struct model_service *service, struct model_service *now) {
        int r = 0;

        for (size_t i = 0; i < service->n_ips && service->there; i++)
                for (size_t k = 0; k < service->n_ports && r == 0; k++) {
                        struct service_front *front = &now->fronts[now->n_fronts];

                        front->at = (struct balancer_front){ .ip = service->ips[i],
                                                             .protocol = service->ports[k].protocol,
                                                             .port = service->ports[k].port };
                        if (find_front(now, &front->at))
                                continue;
                        now->n_fronts++;
                        r = make_front(b, service, &service->ports[k], find_front(service, &front->at), front);
                }
        for (size_t i = 0; i < service->n_fronts && r == 0; i++)
                if (!find_front(now, &service->fronts[i].at))
                        r = drop_front(b, &service->fronts[i]);
        return r;
}

/* What @service makes @now, and is to make the kernel. */
static int make_now(struct services *s, struct model_service *service, size_t n_ips, struct model_service *now) {
        int r;

        if (!now->fronts || !now->addresses)
                return -ENOMEM;
        if ((r = make_fronts(&s->balance, service, now)) < 0)
                return r;
        for (size_t i = 0; i < n_ips; i++)
                if (!has_ip(now->addresses, now->n_addresses, &service->ips[i]))
                        now->addresses[now->n_addresses++] = service->ips[i];
        if ((r = change_addresses(&s->balance, service, now->addresses, now->n_addresses)) < 0)
                return r;
        /* The new ones first: who stays never goes meanwhile. */
        if ((r = use_selfs(s, now, true)) < 0)
                return r;
        return use_selfs(s, service, false);
}

int fronts_update(struct services *s, struct model_service *service) {
        size_t n_ips = service->there ? service->n_ips : 0;
        struct model_service now = { .fronts = calloc(service->n_ips * service->n_ports + 1, sizeof(*now.fronts)),
                                     .addresses = calloc(n_ips + 1, sizeof(*now.addresses)) };
        int r = make_now(s, service, n_ips, &now);

        if (r < 0) {
                fronts_done(&now);
                return r;
        }
        fronts_done(service);
        service->fronts = now.fronts;
        service->n_fronts = now.n_fronts;
        service->addresses = now.addresses;
        service->n_addresses = now.n_addresses;
        return 0;
}

int fronts_all(struct services *s, struct model_service *service) {
        fronts_done(service);
        return fronts_update(s, service);
}
