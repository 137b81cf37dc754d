#include "lib/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

int ip_parse(const char *text, struct ip *ret_ip, struct err **err) {
        struct ip ip = { 0 };

        if (inet_pton(AF_INET, text, ip.bytes) == 1)
                ip.family = AF_INET;
        else if (inet_pton(AF_INET6, text, ip.bytes) == 1)
                ip.family = AF_INET6;
        else
                return err_set(err, EINVAL, "\"%.64s\" is not an IP address", text);
        *ret_ip = ip;
        return 0;
}

/* Decimal digits only, no sign and no leading zero, at most three. */
static bool parse_prefix(const char *text, unsigned limit, uint8_t *ret_prefix) {
        unsigned n = 0;

        if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0') || strlen(text) > 3)
                return false;
        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return false;
                n = n * 10 + (unsigned)(*p - '0');
        }
        if (n > limit)
                return false;
        *ret_prefix = (uint8_t)n;
        return true;
}

int ip_cidr_parse(const char *text, struct ip_cidr *ret_cidr, struct err **err) {
        const char *slash = strchr(text, '/');
        struct ip_cidr cidr = { 0 };
        char address[IP_TEXT_MAX];

        if (!slash || (size_t)(slash - text) >= sizeof(address))
                return err_set(err, EINVAL, "\"%.64s\" is not a CIDR such as 10.62.0.0/16 or fd00:88::/64", text);
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = '\0';
        if (ip_parse(address, &cidr.ip, NULL) < 0 ||
            !parse_prefix(slash + 1, (unsigned)ip_size(cidr.ip.family) * 8, &cidr.prefix))
                return err_set(err, EINVAL, "\"%.64s\" is not a CIDR such as 10.62.0.0/16 or fd00:88::/64", text);
        *ret_cidr = cidr;
        return 0;
}

const char *ip_format(const struct ip *ip, char ret_text[IP_TEXT_MAX]) {
        if (!ip->family || !inet_ntop(ip->family, ip->bytes, ret_text, IP_TEXT_MAX))
                ret_text[0] = '\0';
        return ret_text;
}

const char *ip_cidr_format(const struct ip_cidr *cidr, char ret_text[IP_CIDR_TEXT_MAX]) {
        char address[IP_TEXT_MAX];

        snprintf(ret_text, IP_CIDR_TEXT_MAX, "%s/%u", ip_format(&cidr->ip, address), cidr->prefix);
        return ret_text;
}

bool ip_equal(const struct ip *a, const struct ip *b) {
        return a->family == b->family && memcmp(a->bytes, b->bytes, ip_size(a->family)) == 0;
}

struct ip ip_cidr_base(const struct ip_cidr *cidr) {
        struct ip base = cidr->ip;
        unsigned prefix = cidr->prefix;

        for (size_t i = 0; i < sizeof(base.bytes); i++) {
                unsigned kept = prefix > 8 ? 8 : prefix;

                base.bytes[i] &= (uint8_t)(0xff00u >> kept);
                prefix -= kept;
        }
        return base;
}

bool ip_cidr_contains(const struct ip_cidr *cidr, const struct ip *ip) {
        struct ip_cidr other = { .ip = *ip, .prefix = cidr->prefix };
        struct ip a = ip_cidr_base(cidr), b = ip_cidr_base(&other);

        return ip_equal(&a, &b);
}

struct ip ip_add(const struct ip *ip, uint32_t n) {
        struct ip sum = *ip;
        uint64_t carry = n;

        for (size_t i = ip_size(ip->family); i-- > 0 && carry;) {
                carry += sum.bytes[i];
                sum.bytes[i] = (uint8_t)carry;
                carry >>= 8;
        }
        return sum;
}

uint32_t ip_distance(const struct ip *base, const struct ip *ip) {
        size_t size = ip_size(ip->family);
        unsigned __int128 a = 0, b = 0;

        for (size_t i = 0; i < size; i++) {
                a = a << 8 | base->bytes[i];
                b = b << 8 | ip->bytes[i];
        }
        return b < a || b - a > UINT32_MAX ? UINT32_MAX : (uint32_t)(b - a);
}
