#include "cni/host_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"

const char *cni_host_port_protocol(uint8_t protocol) {
        switch (protocol) {
        case IPPROTO_TCP:
                return "tcp";
        case IPPROTO_UDP:
                return "udp";
        case IPPROTO_SCTP:
                return "sctp";
        }
        return "?";
}

int cni_host_port_probe(uint8_t protocol, const struct ip *ip, uint16_t port, struct err **err) {
        int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        _cleanup_close_ int fd = socket(ip->family, type | SOCK_CLOEXEC, protocol);
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
        int r;

        if (fd < 0)
                return 0;
        /* Connections that linger do not count; for UDP the option would let two listeners share. */
        if (protocol != IPPROTO_UDP)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (ip->family == AF_INET6) {
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
                memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
                r = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
        } else {
                memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
                r = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
        }
        if (r < 0 && errno == EADDRINUSE)
                return err_set(err, EADDRINUSE, "host port %u/%s is in use by a process of the host", port,
                               cni_host_port_protocol(protocol));
        return 0;
}
