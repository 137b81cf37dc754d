/* Addresses as apimachinery reads them (k8s.io/apimachinery/pkg/util/validation/ip.go). */
#include <stdio.h>
#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/core.h"
#include "kube/validate/warnings.h"
#include "lib/ip.h"

struct address {
        struct ip ip;
        bool mapped; /* an IPv4 address, written as an IPv6 one */
        bool zeros;  /* leading ones, which only a lenient reader takes */
};

/* A number of 1 to 3 digits up to 255, with leading zeros ("010" is ten). Returns what is behind, or NULL. */
static const char *read_octet(const char *text, const char *end, uint8_t *ret, bool *zeros) {
        unsigned number = 0;
        const char *p = text;

        for (; p < end && *p >= '0' && *p <= '9'; p++) {
                number = number * 10 + (unsigned)(*p - '0');
                if (number > 255)
                        return NULL;
        }
        if (p == text)
                return NULL;
        *zeros |= *text == '0' && p - text > 1;
        *ret = (uint8_t)number;
        return p;
}

static bool read_ipv4(const char *text, const char *end, struct address *ret) {
        *ret = (struct address){ .ip.family = AF_INET };
        for (size_t i = 0; i < 4; i++) {
                if (i > 0 && (text == end || *text++ != '.'))
                        return false;
                text = read_octet(text, end, &ret->ip.bytes[i], &ret->zeros);
                if (!text)
                        return false;
        }
        return text == end;
}

static bool read_ipv6(const char *text, const char *end, struct address *ret) {
        static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
        char copy[IP_TEXT_MAX];

        if ((size_t)(end - text) >= sizeof(copy))
                return false;
        memcpy(copy, text, (size_t)(end - text));
        copy[end - text] = '\0';
        *ret = (struct address){ 0 };
        if (ip_parse(copy, &ret->ip, NULL) < 0)
                return false;
        ret->mapped = memcmp(ret->ip.bytes, prefix, sizeof(prefix)) == 0;
        return true;
}

static bool read_address(const char *text, const char *end, struct address *ret) {
        return memchr(text, ':', (size_t)(end - text)) ? read_ipv6(text, end, ret) : read_ipv4(text, end, ret);
}

struct block {
        struct address address;
        uint8_t prefix;
        bool zeros;
};

static bool read_block(const char *text, struct block *ret) {
        const char *slash = strchr(text, '/');
        unsigned prefix = 0;
        size_t n;

        *ret = (struct block){ 0 };
        if (!slash || !read_address(text, slash, &ret->address))
                return false;
        n = strspn(slash + 1, "0123456789");
        if (n == 0 || slash[1 + n] != '\0')
                return false;
        for (size_t i = 0; i < n && prefix <= 128; i++)
                prefix = prefix * 10 + (unsigned)(slash[1 + i] - '0');
        ret->prefix = (uint8_t)prefix;
        ret->zeros = slash[1] == '0' && n > 1;
        return prefix <= 8 * ip_size(ret->address.ip.family);
}

bool validate_is_ip(const char *text) {
        struct address address;

        return text && read_address(text, text + strlen(text), &address);
}

bool validate_is_ipv6(const char *text) {
        return validate_is_ip(text) && strchr(text, ':');
}

bool validate_is_cidr(const char *text) {
        struct block block;

        return text && read_block(text, &block);
}

bool validate_is_ipv6_cidr(const char *text) {
        return validate_is_cidr(text) && strchr(text, ':');
}

/* What is as it should be is not looked for among the @old, which may be many. */
void validate_ip(struct validation *v, const struct place *at, const char *ip, const string_list *old) {
        const char *text = ip ?: "";
        struct address address;
        bool good = read_address(text, text + strlen(text), &address);

        if ((good && !address.zeros && !address.mapped) || (!validate_is_full(v) && kube_has(old, text)))
                return;
        if (!good) {
                validate_invalid(v, at, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
                return;
        }
        if (address.zeros)
                validate_invalid(v, at, text, "must not have leading 0s");
        if (address.mapped)
                validate_invalid(v, at, text, "must not be an IPv4-mapped IPv6 address");
}

static bool has_bits_beyond(const struct block *block) {
        struct ip_cidr cidr = { block->address.ip, block->prefix };
        struct ip base = ip_cidr_base(&cidr);

        return !ip_equal(&base, &cidr.ip);
}

void validate_cidr(struct validation *v, const struct place *at, const char *cidr, const string_list *old) {
        const char *text = cidr ?: "";
        struct block block;
        bool good = read_block(text, &block);

        if ((good && !block.zeros && !block.address.zeros && !block.address.mapped && !has_bits_beyond(&block)) ||
            (!validate_is_full(v) && kube_has(old, text)))
                return;
        if (!good)
                validate_invalid(v, at, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        else if (block.zeros || block.address.zeros)
                validate_invalid(v, at, text, "must not have leading 0s in IP or prefix length");
        else if (block.address.mapped)
                validate_invalid(v, at, text, "must not have an IPv4-mapped IPv6 address");
        else if (has_bits_beyond(&block))
                validate_invalid(v, at, text, "must not have bits set beyond the prefix length");
}

/* As Go's net.IP writes it: a mapped address as the one that it means, and no dots in what is IPv6. */
static const char *go_text(const struct ip *ip, bool mapped, char ret_text[IP_TEXT_MAX]) {
        static const uint8_t none[12];
        const uint8_t *b = ip->bytes;

        if (mapped)
                snprintf(ret_text, IP_TEXT_MAX, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
        else if (ip->family == AF_INET6 && memcmp(b, none, sizeof(none)) == 0 && (b[12] || b[13]))
                snprintf(ret_text, IP_TEXT_MAX, "::%x:%x", b[12] << 8 | b[13], b[14] << 8 | b[15]);
        else
                ip_format(ip, ret_text);
        return ret_text;
}

static void check_canonical(struct validation *v, const struct place *at, const char *text, const char *canonical) {
        if (strcmp(text, canonical) != 0)
                validate_invalid(v, at, text,
                                 validate_text(v, "must be in canonical form (%s)", validate_quoted(v, canonical)));
}

void validate_canonical_ip(struct validation *v, const struct place *at, const char *ip) {
        unsigned before = validate_errors(v);
        struct address address;
        char text[IP_TEXT_MAX];

        validate_ip(v, at, ip, NULL);
        if (validate_errors(v) == before && read_address(ip, ip + strlen(ip), &address))
                check_canonical(v, at, ip, go_text(&address.ip, false, text));
}

void validate_canonical_cidr(struct validation *v, const struct place *at, const char *cidr) {
        unsigned before = validate_errors(v);
        char text[IP_CIDR_TEXT_MAX];
        struct block block;

        validate_cidr(v, at, cidr, NULL);
        if (validate_errors(v) == before && read_block(cidr, &block))
                check_canonical(v, at, cidr, ip_cidr_format(&(struct ip_cidr){ block.address.ip, block.prefix }, text));
}

/* As it would be written: an IPv4 block that is written as an IPv6 one as what it means. */
void validate_interface_address(struct validation *v, const struct place *at, const char *address) {
        char text[IP_TEXT_MAX];
        struct block block;
        bool mapped;

        if (!address || !read_block(address, &block)) {
                validate_invalid(v, at, address,
                                 "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)");
                return;
        }
        mapped = block.address.mapped;
        check_canonical(v, at, address,
                        validate_key(v, "%s/%d", go_text(&block.address.ip, mapped, text),
                                     block.prefix - (mapped && block.prefix > 32 ? 96 : 0)));
}

/* --- where traffic may go --- */

/* The first @n bits are @bits; an IPv4 address written as an IPv6 one counts as IPv4. */
static bool begins(const struct address *a, const uint8_t *bits, unsigned n) {
        const uint8_t *bytes = a->mapped ? a->ip.bytes + 12 : a->ip.bytes;

        for (unsigned i = 0; i < n / 8; i++)
                if (bytes[i] != bits[i])
                        return false;
        return n % 8 == 0 || (bytes[n / 8] ^ bits[n / 8]) >> (8 - n % 8) == 0;
}

static const struct {
        bool four;
        uint8_t bits[16];
        uint8_t n;
        const char *text;
} special[] = {
        { true, { 0 }, 32, NULL },
        { false, { 0 }, 128, NULL },
        { true, { 127 }, 8, "may not be in the loopback range (127.0.0.0/8, ::1/128)" },
        { false, { [15] = 1 }, 128, "may not be in the loopback range (127.0.0.0/8, ::1/128)" },
        { true, { 169, 254 }, 16, "may not be in the link-local range (169.254.0.0/16, fe80::/10)" },
        { false, { 0xfe, 0x80 }, 10, "may not be in the link-local range (169.254.0.0/16, fe80::/10)" },
        { true, { 224 }, 24, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)" },
        { false, { 0xff, 0x02 }, 16, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)" },
};

void validate_endpoint_ip(struct validation *v, const struct place *at, const char *ip) {
        const char *text = ip ?: "";
        struct address a;

        if (!read_address(text, text + strlen(text), &a)) {
                validate_invalid(v, at, text, "must be a valid IP address");
                return;
        }
        for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
                if (special[i].four == (a.ip.family == AF_INET || a.mapped) &&
                    begins(&a, special[i].bits, special[i].n))
                        validate_invalid(v, at, text,
                                         special[i].text ?: validate_text(v, "may not be unspecified (%s)", text));
}

/* --- warnings --- */

void validate_warn_ip(struct validation *v, const struct place *at, const char *text) {
        char canonical[IP_TEXT_MAX];
        struct address address;

        if (!text || !read_address(text, text + strlen(text), &address))
                return;
        go_text(&address.ip, address.mapped, canonical);
        if (address.zeros || address.mapped)
                validate_warn(v, at, "non-standard IP address %s is invalid: use %s", validate_quoted(v, text),
                              validate_quoted(v, canonical));
        else if (address.ip.family == AF_INET6 && strcmp(canonical, text) != 0)
                validate_warn(v, at, "IPv6 address %s should be in RFC 5952 canonical format (%s)",
                              validate_quoted(v, text), validate_quoted(v, canonical));
}

/* A mapped block is written as the IPv4 one, where it is one. */
static const char *base_text(struct validation *v, const struct block *block) {
        struct ip_cidr cidr = { block->address.ip, block->prefix };
        bool mapped = block->address.mapped && block->prefix >= 96;
        struct ip base = ip_cidr_base(&cidr);
        char text[IP_TEXT_MAX];

        return validate_key(v, "%s/%u", go_text(&base, mapped, text), block->prefix - (mapped ? 96U : 0));
}

void validate_warn_cidr(struct validation *v, const struct place *at, const char *text) {
        struct block block;
        const char *base;
        char ip[IP_TEXT_MAX];
        bool odd, beyond;

        if (!text || !read_block(text, &block))
                return;
        base = base_text(v, &block);
        odd = block.zeros || block.address.zeros || block.address.mapped;
        beyond = has_bits_beyond(&block);
        if (beyond)
                validate_warn(v, at, "CIDR value %s is ambiguous in this context (should be %s or \"%s/%zu\"?)",
                              validate_quoted(v, text), validate_quoted(v, base),
                              go_text(&block.address.ip, block.address.mapped, ip),
                              8 * ip_size(block.address.ip.family));
        if (odd)
                validate_warn(v, at, "non-standard CIDR value %s is invalid: use %s", validate_quoted(v, text),
                              validate_quoted(v, base));
        else if (!beyond && block.address.ip.family == AF_INET6 && strcmp(base, text) != 0)
                validate_warn(v, at, "IPv6 CIDR value %s should be in RFC 5952 canonical format (%s)",
                              validate_quoted(v, text), validate_quoted(v, base));
}
