/* The request of an HTTP probe, byte for byte as kubelet's is. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "probes/http_request.h"

/* "x-probe-id" is sent as "X-Probe-Id". */
static const char *canonical(struct arena *arena, const char *name) {
        char *copy = arena_strdup(arena, name);
        bool upper = true;

        for (char *p = copy; p && *p; p++) {
                *p = (char)(upper ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
                upper = *p == '-';
        }
        return copy;
}

/* A header that could smuggle in another one, or worse. */
static bool is_plain(const char *text) {
        for (; *text; text++)
                if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
                        return false;
        return true;
}

static const char *trimmed(struct arena *arena, const char *text) {
        size_t n;

        text += strspn(text, " \t");
        n = strlen(text);
        while (n > 0 && strchr(" \t", text[n - 1]))
                n--;
        return arena_strndup(arena, text, n);
}

static const struct probe_header *find(const struct probe_http *http, const char *name) {
        for (size_t i = 0; i < http->n_headers; i++)
                if (strcmp(http->headers[i].name, name) == 0)
                        return &http->headers[i];
        return NULL;
}

/* Takes out all of that name. */
static void drop(struct probe_http *http, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < http->n_headers; i++)
                if (strcmp(http->headers[i].name, name) != 0)
                        http->headers[n++] = http->headers[i];
        http->n_headers = n;
}

void probe_http_drop_credentials(struct probe_http *http) {
        drop(http, "Authorization");
}

/* Those of one name keep their order, which qsort() would not. */
static void sort(struct probe_header *headers, size_t n) {
        for (size_t i = 1; i < n; i++)
                for (size_t k = i; k > 0 && strcmp(headers[k - 1].name, headers[k].name) > 0; k--) {
                        struct probe_header h = headers[k];

                        headers[k] = headers[k - 1];
                        headers[k - 1] = h;
                }
}

/* What the manifest may say, and net/http writes itself: their first value counts, the rest is passed over. */
static void take_own(struct probe_http *http) {
        static const char *const unsent[] = { "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer" };
        const struct probe_header *host = find(http, "Host"), *agent = find(http, "User-Agent"),
                                  *accept = find(http, "Accept");

        if (host && host->value[0])
                http->host_header = host->value;
        if (agent)
                http->user_agent = agent->value;
        if (accept && !accept->value[0])
                drop(http, "Accept");
        else if (!accept)
                http->headers[http->n_headers++] = (struct probe_header){ "Accept", "*/*" };
        for (size_t i = 0; i < ELEMENTS(unsent); i++)
                drop(http, unsent[i]);
}

int probe_http_take_headers(struct probe_http *http, const struct probe_target *target, struct err **err) {
        size_t size = 0;

        if (target->n_headers > PROBE_HEADERS_MAX)
                return err_set(err, E2BIG, "more than %d http headers", PROBE_HEADERS_MAX);
        http->user_agent = arena_strdup(http->arena, target->user_agent ?: "kube-probe/1.36");
        http->headers = arena_alloc_array(http->arena, target->n_headers + 1, sizeof(*http->headers));
        if (!http->headers || !http->user_agent)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < target->n_headers; i++) {
                const struct probe_header *given = &target->headers[i];
                struct probe_header *h = &http->headers[http->n_headers++];

                *h = (struct probe_header){ canonical(http->arena, given->name), trimmed(http->arena, given->value) };
                if (!h->name || !h->value)
                        return err_set(err, ENOMEM, "out of memory");
                if (!is_plain(given->value))
                        http->refusal = arena_printf(http->arena, "net/http: invalid header field value for \"%.64s\"",
                                                     h->name);
                size += strlen(given->name) + strlen(given->value) + 4;
        }
        if (size > PROBE_REQUEST_MAX)
                return err_set(err, E2BIG, "http headers larger than 64 KiB");
        take_own(http);
        sort(http->headers, http->n_headers);
        return 0;
}

/* -- the request ------------------------------------------------------------------------------------------- */

/* A Host that could not be one is sent empty. A zone is this host's business alone. */
const char *probe_http_host(const struct probe_http *http) {
        const char *host = http->host_header ?: http->url.host, *zone, *end;

        for (const char *p = host; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("!$%&()*+,-.:;=['_]~", *p))
                        return "";
        zone = host[0] == '[' ? strchr(host, '%') : NULL;
        end = zone ? strrchr(zone, ']') : NULL;
        return end ? arena_printf(http->arena, "%.*s%s", (int)(zone - host), host, end) : host;
}

/* Of a user in the URL, where the manifest has none. NULL without memory. */
static const char *basic_authorization(struct arena *arena, const struct url *url) {
        const char *plain = arena_printf(arena, "%s:%s", url->user, url->password ?: "");
        size_t n = plain ? strlen(plain) : 0;
        char *encoded = plain ? arena_alloc(arena, BASE64_LENGTH(n) + 1) : NULL;

        if (!encoded)
                return NULL;
        base64_encode(plain, n, encoded);
        return arena_printf(arena, "Basic %s", encoded);
}

static bool closes(const struct probe_http *http) {
        const struct probe_header *connection = find(http, "Connection");

        return connection && strcasecmp(connection->value, "close") == 0;
}

/* The headers in the order in which they are sent. Hooks are asked as if their connection were kept, and their answer
 * read. */
static int list_fields(const struct probe_http *http, struct probe_header *fields, size_t *ret_n) {
        struct probe_header *sorted = fields;
        size_t n = 0;

        if (http->user_agent[0])
                *sorted++ = (struct probe_header){ "User-Agent", http->user_agent };
        for (size_t i = 0; i < http->n_headers; i++)
                sorted[n++] = http->headers[i];
        if (http->url.user && !find(http, "Authorization"))
                sorted[n++] = (struct probe_header){ "Authorization", basic_authorization(http->arena, &http->url) };
        if (n > 0 && !sorted[n - 1].value)
                return -ENOMEM;
        if (http->referer && !find(http, "Referer"))
                sorted[n++] = (struct probe_header){ "Referer", http->referer };
        sort(sorted, n);
        if (http->hook && !find(http, "Accept-Encoding") && !find(http, "Range"))
                sorted[n++] = (struct probe_header){ "Accept-Encoding", "gzip" };
        else if (!http->hook && !closes(http))
                sorted[n++] = (struct probe_header){ "Connection", "close" };
        *ret_n = (size_t)(sorted + n - fields);
        return 0;
}

int probe_http_ask(struct probe_http *http, struct http_client *client, const struct http_events *events, void *data,
                   struct http_exchange **ret_x) {
        struct probe_header listed[HTTP_FIELDS_MAX];
        struct http_field fields[HTTP_FIELDS_MAX];
        size_t n;
        struct http_client_request request = { .method = "GET", .fields = fields };
        int r = list_fields(http, listed, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                fields[i] = (struct http_field){ listed[i].name, listed[i].value };
        request.n_fields = n;
        request.target = probe_url_request_target(http->arena, &http->url);
        return request.target ? http_client_request(client, &request, events, data, ret_x) : -ENOMEM;
}
