#include "lib/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "lib/pool.h"

#define HOST_MAX 254 /* a DNS name and its NUL */

struct resolve {
        struct pool_job job; /* first */
        char host[HOST_MAX], port[6];
        char targets[RESOLVE_TARGETS_MAX][RESOLVE_TARGET_MAX];
        size_t n;
        int error;         /* of getaddrinfo() */
        resolve_done done; /* NULL: nobody waits any more */
        void *data;
};

static bool is_unix(const char *endpoint) {
        return strncmp(endpoint, "unix:", 5) == 0;
}

static bool split(const char *endpoint, char host[HOST_MAX], char port[6]) {
        const char *text = strncmp(endpoint, "dns://", 6) == 0 ? endpoint + 6 : endpoint, *colon;
        bool bracketed;
        size_t n;
        long number;
        char *end;

        text += text[0] == '/' && text != endpoint;
        colon = strrchr(text, ':');
        bracketed = text[0] == '[';
        if (!colon || colon == text || (bracketed && colon[-1] != ']') || strpbrk(text, "/ @?#"))
                return false;
        n = (size_t)(colon - text) - (bracketed ? 2 : 0);
        number = strtol(colon + 1, &end, 10);
        if (*end || colon[1] < '0' || colon[1] > '9' || number < 1 || number > 65535 || n == 0 || n >= HOST_MAX)
                return false;
        memcpy(host, text + bracketed, n);
        host[n] = '\0';
        snprintf(port, 6, "%ld", number);
        return bracketed || !strchr(host, ':');
}

int resolve_check(const char *endpoint) {
        char host[HOST_MAX], port[6];
        struct in6_addr address;

        if (is_unix(endpoint))
                return strncmp(endpoint, "unix:///", 8) == 0 && endpoint[8] &&
                                       strlen(endpoint + 7) < sizeof(((struct sockaddr_un *)0)->sun_path) ?
                               0 :
                               -EINVAL;
        if (!split(endpoint, host, port))
                return -EINVAL;
        return strchr(host, ':') && inet_pton(AF_INET6, host, &address) != 1 ? -EINVAL : 0;
}

static void add(struct resolve *resolve, const char *address) {
        bool six = strchr(address, ':');

        if (resolve->n < RESOLVE_TARGETS_MAX)
                snprintf(resolve->targets[resolve->n++], RESOLVE_TARGET_MAX, "%s%.64s%s:%s", six ? "[" : "", address,
                         six ? "]" : "", resolve->port);
}

static void look_up(struct pool_job *job) {
        struct resolve *resolve = (struct resolve *)job;
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG };
        struct addrinfo *list = NULL;
        char address[NI_MAXHOST];

        resolve->error = getaddrinfo(resolve->host, resolve->port, &hints, &list);
        for (const struct addrinfo *i = resolve->error ? NULL : list; i; i = i->ai_next)
                if (getnameinfo(i->ai_addr, i->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST) == 0 &&
                    !strchr(address, '%')) /* an interface's own addresses cannot be told */
                        add(resolve, address);
        if (list)
                freeaddrinfo(list);
}

static void looked_up(struct pool_job *job) {
        struct resolve *resolve = (struct resolve *)job;

        if (resolve->done)
                resolve->done(resolve->data, (const char(*)[RESOLVE_TARGET_MAX])resolve->targets, resolve->n,
                              resolve->error ? gai_strerror(resolve->error) : "the name has no address");
        free(resolve);
}

/* What is told without a look-up; localhost is loopback by its definition (RFC 6761, 6.3). */
static bool add_known(struct resolve *resolve, const char *endpoint) {
        struct in6_addr address;

        if (is_unix(endpoint))
                snprintf(resolve->targets[resolve->n++], RESOLVE_TARGET_MAX, "%s", endpoint);
        else if (!split(endpoint, resolve->host, resolve->port))
                return true;
        else if (inet_pton(AF_INET, resolve->host, &address) == 1 || inet_pton(AF_INET6, resolve->host, &address) == 1)
                add(resolve, resolve->host);
        else if (strcasecmp(resolve->host, "localhost") == 0) {
                add(resolve, "127.0.0.1");
                add(resolve, "::1");
        } else
                return false;
        return true;
}

int resolve_begin(struct pool *pool, const char *endpoint, resolve_done done, void *data,
                  struct resolve **ret_resolve) {
        struct resolve *resolve = calloc(1, sizeof(*resolve));

        *ret_resolve = NULL;
        if (!resolve)
                return -ENOMEM;
        resolve->done = done;
        resolve->data = data;
        if (add_known(resolve, endpoint)) {
                looked_up(&resolve->job);
                return 0;
        }
        *ret_resolve = resolve;
        resolve->job = (struct pool_job){ .work = look_up, .done = looked_up };
        pool_submit(pool, &resolve->job);
        return 0;
}

void resolve_forget(struct resolve *resolve) {
        if (resolve)
                resolve->done = NULL;
}
