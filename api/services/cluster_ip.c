#include "api/services/cluster_ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* KEP-3070: between these, and a 16th of the range. */
#define STATIC_MIN 16
#define STATIC_MAX 256
#define STATIC_PART 16

static uint64_t read_be(const uint8_t *bytes, unsigned n) {
        uint64_t number = 0;

        for (unsigned i = 0; i < n; i++)
                number = number << 8 | bytes[i];
        return number;
}

bool cluster_ip_parse(const char *text, struct cluster_ip *ret_address) {
        uint8_t bytes[16];
        bool six = strchr(text, ':');

        if (inet_pton(six ? AF_INET6 : AF_INET, text, bytes) != 1)
                return false;
        *ret_address = six ? (struct cluster_ip){ true, read_be(bytes, 8), read_be(bytes + 8, 8) } :
                             (struct cluster_ip){ false, 0, read_be(bytes, 4) };
        return true;
}

void cluster_ip_format(const struct cluster_ip *address, char ret_text[CLUSTER_IP_TEXT_MAX]) {
        uint8_t bytes[16];

        for (unsigned i = 0; i < 8; i++) {
                bytes[i] = (uint8_t)(address->high >> (8 * (7 - i)));
                bytes[8 + i] = (uint8_t)(address->low >> (8 * (7 - i)));
        }
        inet_ntop(address->six ? AF_INET6 : AF_INET, address->six ? bytes : bytes + 12, ret_text, CLUSTER_IP_TEXT_MAX);
}

const char *cluster_ip_family(bool six) {
        return six ? "IPv6" : "IPv4";
}

static int refuse(struct err **err, const char *text) {
        return err_set(err, EINVAL, "%s is no range of addresses: give one such as 10.96.0.0/16 or fd00::/108", text);
}

/* Of @size addresses; 0 is 2^64. */
static uint64_t static_part(uint64_t size) {
        uint64_t part = size ? size / STATIC_PART : STATIC_MAX;

        if (size && size <= STATIC_MIN)
                return 0;
        return part < STATIC_MIN ? STATIC_MIN : part > STATIC_MAX ? STATIC_MAX : part;
}

int cluster_range_parse(const char *text, struct cluster_range *ret_range, struct err **err) {
        const char *slash = strchr(text, '/');
        char network[CLUSTER_IP_TEXT_MAX], *end;
        struct cluster_range range = { 0 };
        struct cluster_ip address;
        unsigned long bits;
        uint64_t hosts, size;

        if (!slash || (size_t)(slash - text) >= sizeof(network) || slash[1] < '0' || slash[1] > '9')
                return refuse(err, text);
        memcpy(network, text, (size_t)(slash - text));
        network[slash - text] = '\0';
        bits = strtoul(slash + 1, &end, 10);
        if (*end || !cluster_ip_parse(network, &address) || bits > (address.six ? 128 : 32))
                return refuse(err, text);
        if (address.six && bits < CLUSTER_SIX_BITS_MIN)
                return err_set(err, EINVAL, "%s is too large: a range of IPv6 has a prefix of %d bits or more", text,
                               CLUSTER_SIX_BITS_MIN);
        bits = (address.six ? 128 : 32) - bits;
        hosts = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
        size = hosts + 1;
        range.six = address.six;
        range.high = address.high;
        address.low &= ~hosts;
        range.first = address.low + 1;
        range.last = (address.low | hosts) - (address.six || hosts == 0 ? 0 : 1);
        range.dynamic = range.first + static_part(size);
        cluster_ip_format(&address, network);
        snprintf(range.text, sizeof(range.text), "%s/%lu", network, (address.six ? 128 : 32) - bits);
        *ret_range = range;
        return 0;
}

bool cluster_range_contains(const struct cluster_range *range, const struct cluster_ip *address) {
        return address->six == range->six && address->high == range->high && address->low >= range->first &&
               address->low <= range->last;
}
