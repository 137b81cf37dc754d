/* Addresses that several ask for, and the kernel knows once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/internal.h"

static int change(struct balance *b, const struct counted *counted, const struct ip *ip, bool add) {
        const struct balancer_change made = { .kind = (uint8_t)counted->kind, .add = add, .front.ip = *ip };

        return balance_append(b, &made);
}

static struct counted_ip *find(const struct counted *counted, const struct ip *ip, char text[IP_TEXT_MAX]) {
        return table_object(table_find(&counted->by_ip, ip_format(ip, text)), struct counted_ip, by_ip);
}

static void drop(struct counted *counted, struct counted_ip *one) {
        table_remove(&counted->by_ip, &one->by_ip);
        counted_all_remove(one);
        free(one);
}

static int add(struct counted *counted, const struct ip *ip, const char *text, unsigned uses) {
        size_t size = strlen(text) + 1;
        struct counted_ip *one = calloc(1, sizeof(*one) + size);

        if (!one)
                return -ENOMEM;
        one->ip = *ip;
        one->uses = uses;
        memcpy(one->text, text, size);
        if (table_add(&counted->by_ip, &one->by_ip, one->text) < 0) {
                free(one);
                return -ENOMEM;
        }
        counted_all_append(&counted->all, one);
        return 0;
}

int counted_use(struct balance *b, struct counted *counted, const struct ip *ip, bool more) {
        char text[IP_TEXT_MAX];
        struct counted_ip *one = find(counted, ip, text);
        int r;

        if (more && !one) {
                r = add(counted, ip, text, 1);
                return r < 0 ? r : change(b, counted, ip, true);
        }
        if (more)
                one->uses++;
        else if (one && --one->uses == 0) {
                drop(counted, one);
                return change(b, counted, ip, false);
        }
        return 0;
}

int counted_find(struct counted *counted, const struct ip *ip) {
        char text[IP_TEXT_MAX];

        return find(counted, ip, text) ? 0 : add(counted, ip, text, 0);
}

int counted_sweep(struct balance *b, struct counted *counted) {
        int r;

        LIST_EACH (counted_all, one, &counted->all)
                if (one->uses == 0) {
                        if ((r = change(b, counted, &one->ip, false)) < 0)
                                return r;
                        drop(counted, one);
                }
        return 0;
}

void counted_forget(struct counted *counted) {
        LIST_EACH (counted_all, one, &counted->all)
                drop(counted, one);
        table_clear(&counted->by_ip);
}
