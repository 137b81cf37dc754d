#include "api/services/ports.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/err.h"

#define PORT_MAX 65535

/* KEP-3682: between these, and a 32nd of the range, are for who asks for one by number. */
#define STATIC_MIN 16
#define STATIC_MAX 128
#define STATIC_PART 32

struct ports {
        pthread_mutex_t lock; /* of @holders */
        uint32_t first, n, dynamic;
        char text[16];
        uint32_t holders[]; /* services and claims, of each port */
};

static struct ports *refuse(const char *range, struct err **err) {
        err_set(err, EINVAL, "--service-node-port-range %s: give a range of ports such as 30000-32767", range);
        return NULL;
}

static uint32_t static_part(uint32_t n) {
        uint32_t part = n / STATIC_PART;

        if (n <= STATIC_MIN)
                return 0;
        return part < STATIC_MIN ? STATIC_MIN : part > STATIC_MAX ? STATIC_MAX : part;
}

struct ports *ports_new(const char *range, struct err **err) {
        unsigned first, second;
        struct ports *ports;
        char between, end;

        if (sscanf(range, "%5u%c%5u%c", &first, &between, &second, &end) != 3 || (between != '-' && between != '+'))
                return refuse(range, err);
        if (between == '+')
                second += first;
        if (first == 0 || first > second || second > PORT_MAX)
                return refuse(range, err);
        ports = calloc(1, sizeof(*ports) + (second - first + 1) * sizeof(*ports->holders));
        if (!ports) {
                err_set(err, ENOMEM, "no memory for node ports");
                return NULL;
        }
        pthread_mutex_init(&ports->lock, NULL);
        ports->first = first;
        ports->n = second - first + 1;
        ports->dynamic = static_part(ports->n);
        snprintf(ports->text, sizeof(ports->text), "%u-%u", first, second);
        return ports;
}

struct ports *ports_free(struct ports *ports) {
        if (ports)
                pthread_mutex_destroy(&ports->lock);
        free(ports);
        return NULL;
}

const char *ports_text(const struct ports *ports) {
        return ports->text;
}

static uint32_t *holders_of(struct ports *ports, int32_t port) {
        uint32_t at = (uint32_t)port - ports->first;

        return at < ports->n ? &ports->holders[at] : NULL;
}

void ports_hold(struct ports *ports, int32_t port, bool holds) {
        uint32_t *holders = holders_of(ports, port);

        pthread_mutex_lock(&ports->lock);
        if (holders && holds)
                ++*holders;
        else if (holders && *holders > 0)
                --*holders;
        pthread_mutex_unlock(&ports->lock);
}

int ports_try(struct ports *ports, int32_t port) {
        const uint32_t *holders = holders_of(ports, port);
        int r;

        pthread_mutex_lock(&ports->lock);
        r = !holders ? PORTS_OUTSIDE : *holders > 0 ? PORTS_TAKEN : 0;
        pthread_mutex_unlock(&ports->lock);
        return r;
}

int ports_claim(struct ports *ports, int32_t port) {
        uint32_t *holders = holders_of(ports, port);
        int r = PORTS_OUTSIDE;

        pthread_mutex_lock(&ports->lock);
        if (holders)
                r = (*holders)++ > 0 ? PORTS_TAKEN : 0;
        if (r == PORTS_TAKEN)
                --*holders;
        pthread_mutex_unlock(&ports->lock);
        return r;
}

/* Of the @n from place @from on, beginning anywhere; the range's size: none is free. */
static uint32_t find_free(const struct ports *ports, uint32_t from, uint32_t n) {
        uint32_t random = 0;

        if (n == 0 || getrandom(&random, sizeof(random), 0) != sizeof(random))
                return ports->n;
        for (uint32_t i = 0; i < n; i++) {
                uint32_t at = from + (random % n + i) % n;

                if (ports->holders[at] == 0)
                        return at;
        }
        return ports->n;
}

int ports_claim_any(struct ports *ports, int32_t *ret_port) {
        uint32_t at;

        pthread_mutex_lock(&ports->lock);
        at = find_free(ports, ports->dynamic, ports->n - ports->dynamic);
        if (at == ports->n)
                at = find_free(ports, 0, ports->dynamic);
        if (at < ports->n)
                ports->holders[at]++;
        pthread_mutex_unlock(&ports->lock);
        if (at == ports->n)
                return PORTS_FULL;
        *ret_port = (int32_t)(ports->first + at);
        return 0;
}

void ports_unclaim(struct ports *ports, int32_t port) {
        ports_hold(ports, port, false);
}
