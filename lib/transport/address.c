#include "lib/transport/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "lib/err.h"
#include "lib/ip.h"
#include "lib/listen.h"

static int parse_unix(const char *path, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err **err) {
        struct sockaddr_un *address = (struct sockaddr_un *)ret_address;
        size_t n = strlen(path);

        if (n >= sizeof(address->sun_path))
                return err_set(err, EINVAL, "socket %s: the path is longer than %zu bytes", path,
                               sizeof(address->sun_path) - 1);
        memset(ret_address, 0, sizeof(*ret_address));
        address->sun_family = AF_UNIX;
        memcpy(address->sun_path, path, n);
        *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
        return 0;
}

static bool parse_port(const char *text, uint16_t *ret_port) {
        unsigned port = 0;

        if (!*text || strlen(text) > 5)
                return false;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                port = port * 10 + (unsigned)(*text - '0');
        }
        *ret_port = (uint16_t)port;
        return port <= UINT16_MAX;
}

static void set_ip(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret_address, socklen_t *ret_size) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
        struct sockaddr_in *four = (struct sockaddr_in *)ret_address;

        memset(ret_address, 0, sizeof(*ret_address));
        ret_address->ss_family = ip->family;
        if (ip->family == AF_INET6) {
                six->sin6_port = htons(port);
                memcpy(&six->sin6_addr, ip->bytes, sizeof(six->sin6_addr));
                *ret_size = sizeof(*six);
                return;
        }
        four->sin_port = htons(port);
        memcpy(&four->sin_addr, ip->bytes, sizeof(four->sin_addr));
        *ret_size = sizeof(*four);
}

int address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err **err) {
        const char *path = listen_unix_path(text), *colon = strrchr(text, ':');
        bool bracket = text[0] == '[' && colon && colon > text + 1 && colon[-1] == ']';
        const char *host = bracket ? text + 1 : text;
        size_t n_host = colon ? (size_t)(colon - host) - bracket : 0;
        char copy[IP_TEXT_MAX];
        struct ip ip;
        uint16_t port;

        if (path)
                return parse_unix(path, ret_address, ret_size, err);
        if (!colon || n_host >= sizeof(copy) || !parse_port(colon + 1, &port))
                return err_set(err, EINVAL, "\"%s\" is no ADDRESS:PORT, [ADDRESS]:PORT or unix:///PATH", text);
        snprintf(copy, sizeof(copy), "%.*s", (int)n_host, host);
        if (ip_parse(copy, &ip, NULL) < 0 || (ip.family == AF_INET6) != bracket)
                return err_set(err, EINVAL, "\"%s\" is no ADDRESS:PORT, [ADDRESS]:PORT or unix:///PATH", text);
        set_ip(&ip, port, ret_address, ret_size);
        return 0;
}

uint16_t address_port(const struct sockaddr_storage *address) {
        switch (address->ss_family) {
        case AF_INET:
                return ntohs(((const struct sockaddr_in *)address)->sin_port);
        case AF_INET6:
                return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
        default:
                return 0;
        }
}
