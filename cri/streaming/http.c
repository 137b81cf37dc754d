#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/stream/websocket.h"

#define VALUE_MAX 512

/* A protocol: its name behind "vN" and what it means. */
struct protocol {
        const char *name;
        unsigned version;
        bool base64, websocket;
        const struct wire *wire;
};

/* First those of clients that name none, over WebSocket and over SPDY. */
static const struct protocol exec_protocols[] = {
        { "", 1, false, true, &websocket_wire },
        { "", 1, false, false, &spdy_wire },
        { "v5.channel.k8s.io", 5, false, true, &websocket_wire },
        { "v4.channel.k8s.io", 4, false, true, &websocket_wire },
        { "v4.base64.channel.k8s.io", 4, true, true, &websocket_wire },
        { "channel.k8s.io", 1, false, true, &websocket_wire },
        { "base64.channel.k8s.io", 1, true, true, &websocket_wire },
        { "v4.channel.k8s.io", 4, false, false, &spdy_wire },
        { "v3.channel.k8s.io", 3, false, false, &spdy_wire },
        { "v2.channel.k8s.io", 2, false, false, &spdy_wire },
        { "channel.k8s.io", 1, false, false, &spdy_wire },
};
static const struct protocol forward_protocols[] = {
        { "", 4, false, true, &websocket_forward_wire },
        { "portforward.k8s.io", 1, false, false, &spdy_wire },
        { "SPDY/3.1+portforward.k8s.io", 1, false, true, &tunnel_wire },
        { "v4.channel.k8s.io", 4, false, true, &websocket_forward_wire },
        { "v4.base64.channel.k8s.io", 4, true, true, &websocket_forward_wire },
};

/* The value of the @index-th header @name of the request; false when there is none. */
static bool get_header(const char *head, const char *name, unsigned index, char ret_value[VALUE_MAX]) {
        size_t n = strlen(name);

        for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
                const char *p = line + 2;

                if (strncasecmp(p, name, n) != 0 || p[n] != ':' || index-- > 0)
                        continue;
                p += n + 1;
                p += strspn(p, " \t");
                snprintf(ret_value, VALUE_MAX, "%.*s", (int)strcspn(p, "\r"), p);
                return true;
        }
        return false;
}

/* The @index-th item of the lists, separated by commas, of all headers @name; false when there is none. */
static bool get_item(const char *head, const char *name, unsigned index, char ret_item[VALUE_MAX]) {
        char value[VALUE_MAX];

        for (unsigned i = 0; get_header(head, name, i, value); i++) {
                char *rest = value, *item;

                while ((item = strsep(&rest, ","))) {
                        item += strspn(item, " \t");
                        item[strcspn(item, " \t")] = '\0';
                        if (!*item || index-- > 0)
                                continue;
                        strcpy(ret_item, item);
                        return true;
                }
        }
        return false;
}

static bool header_has(const char *head, const char *name, const char *word) {
        char item[VALUE_MAX];

        for (unsigned i = 0; get_item(head, name, i, item); i++)
                if (strcasecmp(item, word) == 0)
                        return true;
        return false;
}

static void refuse(struct client *client, const char *status, const char *text) {
        char answer[512];
        int n = snprintf(
                answer, sizeof(answer),
                "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
                strlen(text), text);

        client_write(client, answer, (size_t)n);
        client_close_after_flush(client);
}

/* The first protocol of the client's list that is known. A client that offers none means the first version there was.
 */
static const struct protocol *choose(const char *head, bool forward, bool websocket) {
        const char *header = websocket ? "Sec-WebSocket-Protocol" : "X-Stream-Protocol-Version";
        const struct protocol *protocols = forward ? forward_protocols : exec_protocols;
        size_t n = forward ? ELEMENTS(forward_protocols) : ELEMENTS(exec_protocols);
        char item[VALUE_MAX];

        if (!get_header(head, header, 0, item))
                return &protocols[websocket ? 0 : 1];
        for (unsigned k = 0; get_item(head, header, k, item); k++)
                for (size_t i = 0; i < n; i++)
                        if (protocols[i].websocket == websocket && *protocols[i].name &&
                            strcasecmp(protocols[i].name, item) == 0)
                                return &protocols[i];
        return NULL;
}

static void accept_spdy(struct client *client, const struct protocol *protocol) {
        char answer[256];
        int n = snprintf(answer, sizeof(answer),
                         "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n%s%s%s\r\n",
                         *protocol->name ? "X-Stream-Protocol-Version: " : "", protocol->name,
                         *protocol->name ? "\r\n" : "");

        client->wire = protocol->wire;
        client_write(client, answer, (size_t)n);
}

static void accept_websocket(struct client *client, const struct protocol *protocol, const char *key) {
        char answer[512], accept[WEBSOCKET_ACCEPT_LENGTH + 1];
        int n;

        websocket_accept(key, strlen(key), accept);
        n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
                     "websocket\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                     accept, *protocol->name ? "Sec-WebSocket-Protocol: " : "", protocol->name,
                     *protocol->name ? "\r\n" : "");
        client->wire = protocol->wire;
        client_write(client, answer, (size_t)n);
}

/* Whether each of the request's ports has its channels. */
static bool check_ports(struct client *client, const struct protocol *protocol) {
        const struct streaming_request *request = &client->session->request;
        size_t most = protocol->base64 ? STREAMING_BASE64_PORTS_MAX : STREAMING_PORTS_MAX;
        char text[128];

        if (protocol->wire != &websocket_forward_wire)
                return true;
        for (size_t i = 0; i < request->n_ports; i++) {
                if (i == most)
                        snprintf(text, sizeof(text), "%zu ports: this protocol has room for %zu\n", request->n_ports,
                                 most);
                else if (request->ports[i] < 1 || request->ports[i] > UINT16_MAX)
                        snprintf(text, sizeof(text), "port %d is not between 1 and 65535\n", request->ports[i]);
                else
                        continue;
                refuse(client, "400 Bad Request", text);
                return false;
        }
        return true;
}

/* Everything about the request is known to be right but its session. */
static void upgrade(struct client *client, enum streaming_kind kind, const char *token, const struct protocol *protocol,
                    const char *key) {
        client->session = streaming_claim(client->streaming, kind, token);
        if (!client->session)
                return refuse(client, "404 Not Found", "the token is unknown, used or too old\n");
        client->session->client = client;
        client->version = protocol->version;
        client->base64 = protocol->base64;
        if (!check_ports(client, protocol))
                return;
        client_set_timer(client, STREAMS_SECONDS);
        if (key)
                accept_websocket(client, protocol, key);
        else
                accept_spdy(client, protocol);
}

/* "GET /exec/TOKEN?… HTTP/1.1" */
static bool parse_line(const char *head, enum streaming_kind *ret_kind, char ret_token[TOKEN_LENGTH + 1],
                       bool *ret_method_known) {
        static const char *const kinds[] = {
                [STREAMING_EXEC] = "/exec/",
                [STREAMING_ATTACH] = "/attach/",
                [STREAMING_PORT_FORWARD] = "/portforward/",
        };
        const char *path = strchr(head, ' '), *token = NULL;
        size_t n;

        if (!path)
                return false;
        *ret_method_known = strncmp(head, "GET ", 4) == 0 || strncmp(head, "POST ", 5) == 0;
        path++;
        for (size_t i = 0; i < ELEMENTS(kinds) && !token; i++)
                if (strncmp(path, kinds[i], strlen(kinds[i])) == 0) {
                        token = path + strlen(kinds[i]);
                        *ret_kind = (enum streaming_kind)i;
                }
        n = token ? strspn(token, "0123456789abcdef") : 0;
        if (n != TOKEN_LENGTH || (token[n] != ' ' && token[n] != '?'))
                return false;
        memcpy(ret_token, token, n);
        ret_token[n] = '\0';
        return true;
}

static void handle_request(struct client *client, const char *head) {
        char token[TOKEN_LENGTH + 1], key[VALUE_MAX];
        bool websocket, spdy, method_known;
        enum streaming_kind kind;
        const struct protocol *protocol;

        if (!parse_line(head, &kind, token, &method_known))
                return refuse(client, "404 Not Found", "there is nothing here\n");
        if (!method_known)
                return refuse(client, "405 Method Not Allowed", "use GET or POST\n");
        websocket = header_has(head, "Upgrade", "websocket");
        spdy = header_has(head, "Upgrade", "SPDY/3.1");
        if (!header_has(head, "Connection", "upgrade") || (!websocket && !spdy))
                return refuse(client, "400 Bad Request", "an upgrade to SPDY/3.1 or websocket is needed\n");
        if (websocket && !get_header(head, "Sec-WebSocket-Key", 0, key))
                return refuse(client, "400 Bad Request", "Sec-WebSocket-Key is missing\n");
        protocol = choose(head, kind == STREAMING_PORT_FORWARD, websocket);
        if (!protocol)
                return refuse(client, "403 Forbidden", "none of the stream protocols offered is known\n");
        upgrade(client, kind, token, protocol, websocket ? key : NULL);
}

size_t client_head(struct client *client) {
        const char *end;
        size_t n;

        client->head[client->n_head] = '\0';
        end = strstr(client->head, "\r\n\r\n");
        if (!end)
                return 0;
        n = (size_t)(end - client->head) + 4;
        handle_request(client, client->head);
        return client->wire ? n : 0;
}
