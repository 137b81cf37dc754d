#include "lib/stream/bearer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/err.h"
#include "lib/http/exchange.h"
#include "lib/http/parts.h"
#include "lib/utf8.h"

#define FIELD "sec-websocket-protocol"
#define PREFIX "base64url.bearer.authorization.k8s.io."

/* The next one of *@list, which is what follows it then. An empty list has one, that is empty. */
static bool next(const char **list, struct http_part *ret) {
        const char *end;

        if (!*list)
                return false;
        end = *list + strcspn(*list, ",");
        *ret = http_part_of(*list, (size_t)(end - *list));
        *list = *end ? end + 1 : NULL;
        return true;
}

static bool is_bearer(const struct http_part *item) {
        return item->n >= strlen(PREFIX) && memcmp(item->at, PREFIX, strlen(PREFIX)) == 0;
}

static int decode(const struct http_part *item, struct arena *arena, const char **ret_token, struct err **err) {
        const char *text = item->at + strlen(PREFIX);
        size_t size = item->n - strlen(PREFIX);
        char *token = arena_alloc(arena, size + 1);
        int64_t n;

        if (!token)
                return -ENOMEM;
        n = base64_url_decode(text, size, token);
        if (n < 0)
                return err_set(err, EACCES, "the token among a WebSocket's protocols is no base64url");
        if (!utf8_valid(token, (size_t)n) || memchr(token, '\0', (size_t)n))
                return err_set(err, EACCES, "the token among a WebSocket's protocols is no text");
        token[n] = '\0';
        *ret_token = token;
        return 0;
}

/* What is offered in all fields together, which are one list (RFC 6455, 11.3.4). */
struct offers {
        struct http_part bearer; /* its text is NULL: none yet */
        unsigned n_bearers, n_others;
};

static void read_list(const char *list, struct offers *offers) {
        struct http_part item;

        while (next(&list, &item))
                if (is_bearer(&item)) {
                        offers->bearer = item;
                        offers->n_bearers++;
                } else
                        offers->n_others++;
}

int websocket_bearer(const struct http_request *request, struct arena *arena, const char **ret_token,
                     struct err **err) {
        const struct http_fields *fields = &request->fields;
        struct offers offers = { 0 };
        const char *token = "";
        int r;

        if (!request->upgrade || strcasecmp(request->upgrade, "websocket") != 0)
                return -ENODATA;
        for (uint32_t i = 0; i < fields->count; i++)
                if (strcmp(fields->items[i].name, FIELD) == 0)
                        read_list(fields->items[i].value, &offers);
        if (offers.n_bearers == 0)
                return -ENODATA;
        if (offers.n_bearers > 1)
                return err_set(err, EACCES, "there are %u tokens among a WebSocket's protocols", offers.n_bearers);
        r = decode(&offers.bearer, arena, &token, err);
        if (r < 0)
                return r;
        if (!*token)
                return -ENODATA;
        if (offers.n_others == 0)
                return err_set(err, EACCES, "a WebSocket offers a token, and no protocol beside it");
        *ret_token = token;
        return 0;
}

const char *websocket_protocols_but_bearer(struct arena *arena, const char *list) {
        struct arena_text text = { .arena = arena };
        const char *rest = list;
        struct http_part item;

        if (!strstr(list, PREFIX))
                return list;
        while (next(&rest, &item))
                if (!is_bearer(&item))
                        arena_text_add(&text, "%s%.*s", text.length > 0 ? ", " : "", (int)item.n, item.at);
        return arena_text_of(&text);
}
