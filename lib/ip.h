/* IP addresses and CIDR blocks as values: an address family and bytes in network order.
 *
 * Texts are those of inet_pton(3): "10.0.0.1", "fd00::1"; a block is "10.88.0.0/16". No zones, no leading zeros.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

/* The longest text of an address (INET6_ADDRSTRLEN) and of a block, with its NUL. */
#define IP_TEXT_MAX 46
#define IP_CIDR_TEXT_MAX 50

struct ip {
        uint8_t family;    /* AF_INET, AF_INET6; 0 (AF_UNSPEC): none */
        uint8_t bytes[16]; /* network order; the first 4 for AF_INET, the rest 0 */
};

struct ip_cidr {
        struct ip ip; /* as written: bits behind the prefix may be set */
        uint8_t prefix;
};

/* Reads an address. Returns 0, or -EINVAL with *@err quoting @text. */
int ip_parse(const char *text, struct ip *ret_ip, struct err **err);

/* Reads "address/prefix". Returns 0, or -EINVAL with *@err quoting @text. */
int ip_cidr_parse(const char *text, struct ip_cidr *ret_cidr, struct err **err);

/* Writes the shortest text ("" for none) and returns @ret_text. */
const char *ip_format(const struct ip *ip, char ret_text[IP_TEXT_MAX]);
const char *ip_cidr_format(const struct ip_cidr *cidr, char ret_text[IP_CIDR_TEXT_MAX]);

/* Bytes of an address of @family: 4, 16, or 0. */
static inline size_t ip_size(uint8_t family) {
        return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

bool ip_equal(const struct ip *a, const struct ip *b);

/* The block's first address: bits behind the prefix cleared. */
struct ip ip_cidr_base(const struct ip_cidr *cidr);

/* Whether @ip is of the block's family and inside it. */
bool ip_cidr_contains(const struct ip_cidr *cidr, const struct ip *ip);

/* @ip plus @n, carried through all bytes; wraps at the family's end. */
struct ip ip_add(const struct ip *ip, uint32_t n);

/* @ip minus @base where it fits into 32 bits, else UINT32_MAX; of one family. */
uint32_t ip_distance(const struct ip *base, const struct ip *ip);
