#include "client/remote/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "https://"

/* https://HOST, https://HOST:PORT, https://[ADDRESS]:PORT, without a path. */
static int read_place(const char *server, struct remote_place *place, struct err **err) {
        const char *at = strncmp(server, SCHEME, strlen(SCHEME)) == 0 ? server + strlen(SCHEME) : NULL, *end, *rest;
        bool six = at && *at == '[';

        end = !at ? NULL : six ? strchr(at, ']') : at + strcspn(at, ":/?#");
        rest = end ? end + six : NULL;
        at += at && six;
        if (!end || end == at || (size_t)(end - at) >= sizeof(place->host) ||
            (*rest && strcmp(rest, "/") != 0 && *rest != ':') || strlen(rest) > sizeof(place->port))
                return err_set(err, EINVAL, "server %s: give https://HOST:PORT", server);
        snprintf(place->host, sizeof(place->host), "%.*s", (int)(end - at), at);
        snprintf(place->port, sizeof(place->port), "%s", *rest == ':' ? rest + 1 : "443");
        place->port[strcspn(place->port, "/")] = '\0';
        snprintf(place->authority, sizeof(place->authority), six ? "[%s]:%s" : "%s:%s", place->host, place->port);
        return 0;
}

static int look_up(struct remote_place *place, struct err **err) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *all;
        int r = getaddrinfo(place->host, place->port, &hints, &all);

        if (r != 0)
                return err_set(err, r == EAI_MEMORY ? ENOMEM : ENOENT, "server %s: %s", place->authority,
                               gai_strerror(r));
        memcpy(&place->address, all->ai_addr, all->ai_addrlen);
        place->n_address = all->ai_addrlen;
        freeaddrinfo(all);
        return 0;
}

int remote_place_find(struct remote_place *place, const char *server, struct err **err) {
        int r = read_place(server, place, err);

        return r < 0 ? r : look_up(place, err);
}
