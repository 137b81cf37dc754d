#include "api/advertise.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/config.h"
#include "lib/cleanup.h"

/* Documentation's networks (RFC 5737, RFC 3849), to which the default route leads; nothing is sent. */
#define ELSEWHERE_4 "192.0.2.1"
#define ELSEWHERE_6 "2001:db8::1"

static bool is_loopback(const struct cluster_ip *address) {
        return address->six ? address->high == 0 && address->low == 1 : address->low >> 24 == 127;
}

static bool is_any(const struct cluster_ip *address) {
        return address->high == 0 && address->low == 0;
}

static bool source_4(struct sockaddr_in *address) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(*address);

        *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(9) };
        inet_pton(AF_INET, ELSEWHERE_4, &address->sin_addr);
        return fd >= 0 && connect(fd, (struct sockaddr *)address, size) == 0 &&
               getsockname(fd, (struct sockaddr *)address, &size) == 0;
}

static bool source_6(struct sockaddr_in6 *address) {
        _cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(*address);

        *address = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(9) };
        inet_pton(AF_INET6, ELSEWHERE_6, &address->sin6_addr);
        return fd >= 0 && connect(fd, (struct sockaddr *)address, size) == 0 &&
               getsockname(fd, (struct sockaddr *)address, &size) == 0;
}

static bool find_source(bool six, char ret_text[CLUSTER_IP_TEXT_MAX]) {
        struct sockaddr_in6 six_address;
        struct sockaddr_in address;

        if (!six && source_4(&address))
                return inet_ntop(AF_INET, &address.sin_addr, ret_text, CLUSTER_IP_TEXT_MAX);
        return source_6(&six_address) && inet_ntop(AF_INET6, &six_address.sin6_addr, ret_text, CLUSTER_IP_TEXT_MAX);
}

bool api_advertised(const struct api_config *config, char ret_text[CLUSTER_IP_TEXT_MAX]) {
        struct cluster_ip address;

        if (!cluster_ip_parse(config->advertised ?: config->bind_address, &address))
                return false;
        if (!is_any(&address))
                cluster_ip_format(&address, ret_text);
        else if (!find_source(address.six, ret_text) || !cluster_ip_parse(ret_text, &address))
                return false;
        return !is_loopback(&address);
}
