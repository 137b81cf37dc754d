/* Addresses of services, and the ranges that they are given from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define CLUSTER_IP_TEXT_MAX 46 /* with the NUL */
#define CLUSTER_RANGE_TEXT_MAX (CLUSTER_IP_TEXT_MAX + 4)
#define CLUSTER_SIX_BITS_MIN 64 /* the shortest prefix of an IPv6 range, as kube-apiserver has it */

struct cluster_ip {
        bool six;
        uint64_t high, low; /* IPv4: @low alone */
};

/* False where @text is none. Leading zeros and zones are refused. */
bool cluster_ip_parse(const char *text, struct cluster_ip *ret_address);

/* As Kubernetes names IPAddress objects. */
void cluster_ip_format(const struct cluster_ip *address, char ret_text[CLUSTER_IP_TEXT_MAX]);

/* "IPv4", "IPv6". */
const char *cluster_ip_family(bool six);

/* A range without its first address and, of IPv4, its last. Those in front of @dynamic are for who asks for one by name
 * (KEP-3070); they are given to others only when the rest is taken. */
struct cluster_range {
        bool six;
        uint64_t high, first, dynamic, last; /* @first > @last: it has none */
        char text[CLUSTER_RANGE_TEXT_MAX];
};

/* "10.96.0.0/16". -EINVAL, with what is wrong. */
int cluster_range_parse(const char *text, struct cluster_range *ret_range, struct err **err);

bool cluster_range_contains(const struct cluster_range *range, const struct cluster_ip *address);
