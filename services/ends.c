/* Who is behind a port of a Service, and the changes of the kernel's maps that lead to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "services/internal.h"

/* Ends that are looked at for all fronts of a Service. */
#define LOOKS_MAX 4000000

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

/* What is asked for of a Service: the ends of a port, in one family. */
struct asked {
        const struct model_service *service;
        const struct model_port *port;
        uint8_t family;
        bool ready; /* or, of those that end, serve */
        size_t looks;
};

static bool is_asked_for(const struct asked *asked, const struct slice_end *end) {
        return end->ip.family == asked->family && end->ready == asked->ready && (end->ready || end->ends) &&
               (end->local || !asked->service->local_only);
}

/* The first of @slice's ports that is the one asked for; there may be more behind it. */
static size_t find_port(const struct slice *slice, const struct model_port *port) {
        size_t low = 0, high = slice->n_ports;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (model_compare_ports(&slice->ports[middle], port) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* In @ret_backs where it is not NULL. Returns how many. */
static size_t gather(const struct asked *asked, struct balancer_back *ret_backs) {
        size_t n = 0, looks = 0;

        LIST_EACH (slices, slice, &asked->service->slices)
                for (size_t i = find_port(slice, asked->port);
                     i < slice->n_ports && model_compare_ports(&slice->ports[i], asked->port) == 0; i++)
                        for (size_t k = 0; k < slice->n_ends && looks < asked->looks; k++, looks++) {
                                if (!is_asked_for(asked, &slice->ends[k]))
                                        continue;
                                if (ret_backs)
                                        ret_backs[n] = (struct balancer_back){ .ip = slice->ends[k].ip,
                                                                               .port = slice->ports[i].port };
                                n++;
                        }
        return n;
}

/* Where nobody is ready, who ends and still serves is better than nobody (KEP-1669). */
int ends_find(const struct model_service *service, const struct model_port *port, uint8_t family,
              struct balancer_back **ret_wanted, size_t *ret_n) {
        struct asked asked = { .service = service, .port = port, .family = family, .ready = true };
        size_t n, kept = 0, cap = fronts_cap(service);
        struct balancer_back *backs;

        asked.looks = LOOKS_MAX / (SERVICES_BACKS_MAX / cap);
        n = gather(&asked, NULL);
        asked.ready = n > 0;
        n = n > 0 ? n : gather(&asked, NULL);
        backs = calloc(n + 1, sizeof(*backs));
        if (!backs)
                return -ENOMEM;
        gather(&asked, backs);
        qsort(backs, n, sizeof(*backs), compare_backs);
        for (size_t i = 0; i < n && kept < cap; i++)
                if (kept == 0 || compare_backs(&backs[kept - 1], &backs[i]) != 0)
                        backs[kept++] = backs[i];
        *ret_wanted = backs;
        *ret_n = kept;
        return 0;
}

/* -- from what was to what is ------------------------------------------------------------------------------ */

/* @old and @wanted, which is in order, as numbers: who stays keeps its number where that is possible. */
static void number(const struct front_ends *old, const struct balancer_back *wanted, size_t n,
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

static int count(struct balance *b, const struct balancer_front *at, const struct front_ends *ends, bool add) {
        const struct balancer_change change = {
                .kind = BALANCER_COUNT, .add = add, .keep = ends->keep, .front = *at, .n = (uint32_t)ends->n
        };

        return ends->n > 0 ? balance_append(b, &change) : 0;
}

static int change_back(struct balance *b, const struct balancer_front *at, size_t i, const struct balancer_back *back,
                       bool add) {
        const struct balancer_change change = {
                .kind = BALANCER_BACK, .add = add, .front = *at, .n = (uint32_t)i, .back = *back
        };

        return balance_append(b, &change);
}

/* -- fronts that keep senders ------------------------------------------------------------------------------ */

/* A front, from what it was to what it is. */
struct turn {
        struct balance *b;
        const struct balancer_front *at;
        const struct front_ends *old, *now;
        const struct balancer_back *wanted;
};

static int change_kept(const struct turn *t, enum balancer_kind kind, bool add, const struct balancer_back *back,
                       uint32_t n) {
        struct balancer_change change = {
                .kind = (uint8_t)kind, .add = add, .keep = t->now->keep, .front = *t->at, .n = n
        };

        if (back)
                change.back = *back;
        return balance_append(t->b, &change);
}

/* The rules of a front: first who is kept at an end, then, for who is at none, one of the ends. */
static int tell_ways(const struct turn *t) {
        size_t n = t->now->n;
        int r = change_kept(t, BALANCER_KEEPS, true, NULL, 0);

        for (size_t i = 0; i < n && r == 0; i++)
                r = change_kept(t, BALANCER_STAYS, true, &t->wanted[i], 0);
        for (size_t i = 0; i < n && r == 0; i++)
                r = change_kept(t, BALANCER_STAYS, true, &t->wanted[i], (uint32_t)(n - i));
        return r;
}

/* The ends that go. Of those that stay as they are @ret_had is set. */
static int drop_ends(const struct turn *t, bool *ret_had, bool *ret_changed) {
        bool same = t->old->keep == t->now->keep;
        int r = 0;

        for (size_t i = 0; i < t->old->n && r == 0; i++) {
                const struct balancer_back *stays =
                        t->now->keep ? find_back(t->wanted, t->now->n, &t->old->backs[i]) : NULL;

                if (stays)
                        ret_had[stays - t->wanted] = same;
                else {
                        *ret_changed = true;
                        r = change_kept(t, BALANCER_END, false, &t->old->backs[i], 0);
                }
        }
        return r;
}

/* An end that stays keeps whom it has, also for another time. */
static int change_ends(const struct turn *t) {
        _cleanup_free_ bool *had = calloc(t->now->n + 1, sizeof(*had));
        bool changed = t->old->keep != t->now->keep;
        int r = had ? 0 : -ENOMEM;

        if (r == 0 && t->old->keep)
                r = drop_ends(t, had, &changed);
        for (size_t i = 0; i < t->now->n && t->now->keep && r == 0; i++)
                if (!had[i]) {
                        changed = true;
                        r = change_kept(t, BALANCER_END, true, &t->wanted[i], 0);
                }
        if (r < 0 || !changed)
                return r;
        if (t->now->keep && t->now->n > 0)
                return tell_ways(t);
        return t->old->keep && t->old->n > 0 ? change_kept(t, BALANCER_KEEPS, false, NULL, 0) : 0;
}

/* -- all of it --------------------------------------------------------------------------------------------- */

/* Whether the address and port lead to the same chain. */
static bool same_count(const struct front_ends *old, const struct front_ends *now) {
        if (old->n == 0 || now->n == 0)
                return old->n == now->n;
        return old->keep || now->keep ? old->keep && now->keep : old->n == now->n;
}

/* One number's: what it was, and is. NULL: nobody has it. */
static int change_number(const struct turn *t, size_t i) {
        static const struct balancer_back elsewhere;
        const struct balancer_back *was = i < t->old->n ? &t->old->backs[i] : NULL,
                                   *is = i < t->now->n ? &t->now->backs[i] : NULL;
        int r;

        if (was && is && compare_backs(was, is) == 0)
                return 0;
        if (was &&
            (r = change_back(t->b, t->at, i, find_back(t->wanted, t->now->n, was) ? &elsewhere : was, false)) < 0)
                return r;
        return is ? change_back(t->b, t->at, i, is, true) : 0;
}

int ends_change(struct balance *b, const struct balancer_front *at, const struct front_ends *old,
                const struct balancer_back *wanted, struct front_ends *now) {
        const struct turn t = { b, at, old, now, wanted };
        int r;

        now->backs = calloc(now->n + 1, sizeof(*now->backs));
        if (!now->backs)
                return -ENOMEM;
        number(old, wanted, now->n, now->backs);
        if ((old->keep || now->keep) && (r = change_ends(&t)) < 0)
                return r;
        if (!same_count(old, now) && ((r = count(b, at, old, false)) < 0 || (r = count(b, at, now, true)) < 0))
                return r;
        for (size_t i = 0; i < old->n || i < now->n; i++)
                if ((r = change_number(&t, i)) < 0)
                        return r;
        return 0;
}
