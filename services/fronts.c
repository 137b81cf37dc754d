/* What of a Service the kernel needs: for each of its addresses and ports who is behind it, as changes of what it has.
 *
 * An address and port is of one Service. One that a second asks for too, which a service that does its part never has,
 * is the first's until that has no use for it any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "services/internal.h"

/* -- fronts ------------------------------------------------------------------------------------------------ */

static void write_key(const struct balancer_front *at, char ret_key[FRONT_KEY_MAX]) {
        char *to = ret_key + snprintf(ret_key, FRONT_KEY_MAX, "%02x%04x", at->protocol, at->port);

        for (size_t i = 0; i < ip_size(at->ip.family); i++)
                to += snprintf(to, (size_t)(ret_key + FRONT_KEY_MAX - to), "%02x", at->ip.bytes[i]);
}

static struct service_front *find(const struct balance *b, const struct balancer_front *at) {
        char key[FRONT_KEY_MAX];

        write_key(at, key);
        return table_object(table_find(&b->fronts_by_key, key), struct service_front, by_key);
}

/* One that is not there. NULL without memory. */
static struct service_front *make(struct balance *b, const struct balancer_front *at) {
        struct service_front *front;
        char key[FRONT_KEY_MAX];
        size_t size;

        write_key(at, key);
        size = strlen(key) + 1;
        front = calloc(1, sizeof(*front) + size);
        if (!front)
                return NULL;
        front->at = *at;
        memcpy(front->key, key, size);
        if (table_add(&b->fronts_by_key, &front->by_key, front->key) < 0) {
                free(front);
                return NULL;
        }
        return front;
}

/* What it has beyond its share. What comes free others may lack. */
static void set_beyond(struct balance *b, struct service_front *front, size_t beyond) {
        b->lacking |= beyond < front->beyond && b->n_beyond == SERVICES_BEYOND_MAX;
        b->n_beyond += beyond - front->beyond;
        front->beyond = beyond;
}

/* It is in no list any more. */
static void destroy(struct balance *b, struct service_front *front) {
        set_beyond(b, front, 0);
        table_remove(&b->fronts_by_key, &front->by_key);
        free(front->has.backs);
        free(front);
}

/* One use more or less of each address of this node behind it. */
static int use_selfs(struct services *s, const struct front_ends *ends, bool more) {
        const struct services_cidrs *own = &s->nodes.own;
        int r = 0;

        for (size_t i = 0; i < ends->n; i++)
                for (size_t c = 0; c < own->n && r == 0; c++)
                        if (ip_cidr_contains(&own->items[c], &ends->backs[i].ip))
                                r = counted_use(&s->balance, &s->balance.selfs, &ends->backs[i].ip, more);
        return r;
}

/* Brings @front to @wanted. The new selfs first: who stays never goes meanwhile. What was found is not counted. */
static int turn(struct services *s, struct service_front *front, const struct balancer_back *wanted,
                struct front_ends *now) {
        struct front_ends old = front->has;
        int r = ends_change(&s->balance, &front->at, &old, wanted, now);

        if (r < 0 || (r = use_selfs(s, now, true)) < 0 || (front->service && (r = use_selfs(s, &old, false)) < 0)) {
                free(now->backs);
                return r;
        }
        free(old.backs);
        front->has = *now;
        return 0;
}

static int drop(struct services *s, struct service_front *front) {
        struct front_ends none = { 0 };
        int r = turn(s, front, NULL, &none);

        destroy(&s->balance, front);
        s->balance.lacking = true;
        return r;
}

/* -- a Service --------------------------------------------------------------------------------------------- */

static size_t count_ports(const struct model_service *service) {
        return service->n_ports < SERVICES_PORTS_MAX ? service->n_ports : SERVICES_PORTS_MAX;
}

/* Of @most that a Service may have, each of its fronts'. */
static size_t share(const struct model_service *service, size_t most) {
        size_t each = most / (count_ports(service) * service->n_ips);

        return each < 1 ? 1 : each < BALANCER_BACKS_MAX ? each : BALANCER_BACKS_MAX;
}

size_t fronts_cap(const struct model_service *service) {
        return share(service, service->keep ? SERVICES_KEPT_BACKS_MAX : SERVICES_BACKS_MAX);
}

static void lack(struct balance *b, struct model_service *service) {
        b->lackers |= !service->lacks;
        service->lacks = true;
}

/* Each Service has a share, whatever the others have; beyond that there is what all have together. Returns how many of
 * @n there is room for, and how many of them are beyond. */
static size_t find_room(struct balance *b, struct model_service *service, const struct service_front *front, size_t n,
                        size_t *ret_beyond) {
        size_t own = share(service, SERVICES_SHARE), room = SERVICES_BEYOND_MAX - (b->n_beyond - front->beyond),
               beyond = n > own ? n - own : 0;

        if (beyond > room) {
                lack(b, service);
                n = own + room;
                beyond = room;
        }
        *ret_beyond = beyond;
        return n;
}

/* The front that is to be @service's: its own of before, one that was found, or a new one. NULL: it has it already, or
 * another has. */
static int claim(struct services *s, struct model_service *service, const struct balancer_front *at,
                 struct service_front **ret_front) {
        struct balance *b = &s->balance;
        struct service_front *front = find(b, at);

        *ret_front = NULL;
        if (front && front->service && front->service != service) {
                lack(b, service);
                return 0;
        }
        if (front && front->update == b->updates)
                return 0;
        if (!front && !(front = make(b, at)))
                return -ENOMEM;
        front->update = b->updates;
        if (front_list_contains(front))
                front_list_remove(front);
        front_list_append(&service->fronts, front);
        *ret_front = front;
        return 0;
}

static int update_front(struct services *s, struct model_service *service, const struct ip *ip,
                        const struct model_port *port) {
        const struct balancer_front at = { .ip = *ip, .protocol = port->protocol, .port = port->port };
        _cleanup_free_ struct balancer_back *wanted = NULL;
        struct front_ends now = { .keep = service->keep };
        struct service_front *front;
        size_t beyond;
        int r = claim(s, service, &at, &front);

        if (r < 0 || !front || (r = ends_find(service, port, ip->family, &wanted, &now.n)) < 0)
                return r;
        now.n = find_room(&s->balance, service, front, now.n, &beyond);
        r = turn(s, front, wanted, &now);
        set_beyond(&s->balance, front, beyond);
        front->service = service;
        return r;
}

/* What it asks for too much is told of once. */
static void look_for_cut(struct model_service *service) {
        bool cut = service->n_ports > SERVICES_PORTS_MAX;

        if (cut && !service->cut)
                log_error("services: %s has %zu ports: the first %d are led somewhere", service->key, service->n_ports,
                          SERVICES_PORTS_MAX);
        service->cut = cut;
}

static int update_fronts(struct services *s, struct model_service *service) {
        struct front_list before = { 0 };
        struct service_front *gone;
        int r = 0;

        front_list_take(&before, &service->fronts);
        s->balance.updates++;
        for (size_t i = 0; i < service->n_ips && service->there && r == 0; i++)
                for (size_t k = 0; k < count_ports(service) && r == 0; k++)
                        r = update_front(s, service, &service->ips[i], &service->ports[k]);
        while ((gone = front_list_pop(&before))) {
                int dropped = drop(s, gone);

                r = r < 0 ? r : dropped;
        }
        return r;
}

/* The new ones first: who stays never goes meanwhile. */
static int update_addresses(struct balance *b, struct model_service *service) {
        size_t n = service->there ? service->n_ips : 0;
        struct ip *now = calloc(n + 1, sizeof(*now)), *old = service->addresses;
        size_t n_old = service->n_addresses;
        int r = now ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r == 0; i++) {
                now[i] = service->ips[i];
                r = counted_use(b, &b->addresses, &now[i], true);
        }
        for (size_t i = 0; i < n_old && r == 0; i++)
                r = counted_use(b, &b->addresses, &old[i], false);
        if (r < 0) {
                free(now);
                return r;
        }
        free(old);
        service->addresses = now;
        service->n_addresses = n;
        return 0;
}

int fronts_update(struct services *s, struct model_service *service) {
        int r;

        service->lacks = false;
        look_for_cut(service);
        r = update_fronts(s, service);
        return r < 0 ? r : update_addresses(&s->balance, service);
}

/* -- what is in the kernel --------------------------------------------------------------------------------- */

/* The back of a number, which comes in any order. */
static int find_back(struct front_ends *has, uint32_t n, const struct balancer_back *back) {
        if (n >= has->n) {
                struct balancer_back *backs = reallocarray(has->backs, n + 1, sizeof(*backs));

                if (!backs)
                        return -ENOMEM;
                memset(backs + has->n, 0, (n + 1 - has->n) * sizeof(*backs));
                has->backs = backs;
                has->n = n + 1;
        }
        has->backs[n] = *back;
        return 0;
}

static int find_front(struct balance *b, const struct balancer_change *change) {
        struct service_front *front = find(b, &change->front);

        if (!front) {
                if (!(front = make(b, &change->front)))
                        return -ENOMEM;
                front_list_append(&b->found, front);
        }
        if (change->kind == BALANCER_BACK)
                return find_back(&front->has, change->n, &change->back);
        front->count = change->n;
        front->has.keep = change->keep ? FRONT_KEEPS : 0;
        return 0;
}

static int find_one(struct balance *b, const struct balancer_change *change) {
        switch (change->kind) {
        case BALANCER_ADDRESS:
                return counted_find(&b->addresses, &change->front.ip);
        case BALANCER_SELF:
                return counted_find(&b->selfs, &change->front.ip);
        default:
                return find_front(b, change);
        }
}

/* As this program leaves one behind. */
static bool is_whole(const struct service_front *front) {
        for (size_t i = 0; i < front->has.n; i++)
                if (!front->has.backs[i].ip.family)
                        return false;
        return front->has.n > 0 && (front->has.keep || front->count == front->has.n);
}

int fronts_find(struct balance *b, const struct balancer_change *changes, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = find_one(b, &changes[i]);
        LIST_EACH (front_list, front, &b->found)
                if (r == 0 && !is_whole(front))
                        r = -EINVAL;
        return r;
}

int fronts_sweep(struct services *s) {
        struct balance *b = &s->balance;
        struct service_front *front;
        int r = 0;

        while (r == 0 && (front = front_list_pop(&b->found)))
                r = drop(s, front);
        if (r < 0 || (r = counted_sweep(b, &b->addresses)) < 0)
                return r;
        return counted_sweep(b, &b->selfs);
}

static void forget_all(struct balance *b, struct front_list *fronts) {
        struct service_front *front;

        while ((front = front_list_pop(fronts)))
                destroy(b, front);
}

void fronts_done(struct balance *b, struct model_service *service) {
        forget_all(b, &service->fronts);
        free(service->addresses);
        service->addresses = NULL;
        service->n_addresses = 0;
}

void fronts_forget(struct balance *b) {
        LIST_EACH (services_all, service, &b->all)
                fronts_done(b, service);
        forget_all(b, &b->found);
        counted_forget(&b->addresses);
        counted_forget(&b->selfs);
        table_clear(&b->fronts_by_key);
}
