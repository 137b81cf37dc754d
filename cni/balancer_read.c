#include "cni/balancer_read.h"

#include <errno.h>
#include <string.h>

#include "cni/balancer_kept.h"
#include "lib/grow.h"

/* -- fields, whose sizes have been looked at --------------------------------------------------------------- */

static const uint8_t *take_ip(const uint8_t *from, uint8_t family, struct ip *ret_ip) {
        *ret_ip = (struct ip){ .family = family };
        memcpy(ret_ip->bytes, from, ip_size(family));
        return from + ip_size(family);
}

static const uint8_t *take_port(const uint8_t *from, uint16_t *ret_port) {
        *ret_port = (uint16_t)(from[0] << 8 | from[1]);
        return from + 4;
}

static const uint8_t *take_front(const uint8_t *from, uint8_t family, struct balancer_front *ret_front) {
        from = take_ip(from, family, &ret_front->ip);
        ret_front->protocol = *from;
        return take_port(from + 4, &ret_front->port);
}

/* -- elements ---------------------------------------------------------------------------------------------- */

static int take_count(const char *chain, struct balancer_change *change) {
        struct balancer_choice choice = { 0 };
        char keeps[BALANCER_KEPT_NAME_MAX];

        cni_balancer_keeps_name(&change->front, keeps);
        change->keep = strcmp(chain, keeps) == 0;
        if (!change->keep && cni_balancer_choice_of(chain, change->front.ip.family, &choice) < 0)
                return -EINVAL;
        change->n = choice.n;
        return 0;
}

static int take_back(const uint8_t *number, const uint8_t *data, struct balancer_change *change) {
        memcpy(&change->n, number, sizeof(change->n));
        take_port(take_ip(data, change->front.ip.family, &change->back.ip), &change->back.port);
        return change->n < BALANCER_BACKS_MAX ? 0 : -EINVAL;
}

static int append(struct balancer_found *found, const struct balancer_change *change) {
        int r = GROW(found->changes, found->size, found->n + 1, BALANCER_CHANGES_MAX);

        if (r == 0)
                found->changes[found->n++] = *change;
        return r;
}

static int take_element(const struct nft_element *element, void *data) {
        struct balancer_found *found = data;
        struct balancer_change change = { .kind = found->kind, .add = true };
        const uint8_t *key = element->key.bytes;
        int r = 0;

        switch (found->kind) {
        case BALANCER_COUNT:
                take_front(key, found->family, &change.front);
                r = take_count(element->chain, &change);
                break;
        case BALANCER_BACK:
                key = take_front(key, found->family, &change.front);
                r = take_back(key, element->data.bytes, &change);
                break;
        default:
                take_ip(key, found->family, &change.front.ip);
        }
        return r < 0 ? r : append(found, &change);
}

int cni_balancer_find(const struct balancer_rules *rules, struct netlink *netlink, struct balancer_found *found) {
        return cni_nft_for_each_element(netlink, rules->table, cni_balancer_set(found->family, found->kind),
                                        take_element, found, NULL);
}
