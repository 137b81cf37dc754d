/* The request of an HTTP probe, byte for byte as Go's net/http writes kubelet's. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "probes/http_exchange.h"

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

static const struct probe_header *find(const struct probe_http_exchange *http, const char *name) {
        for (size_t i = 0; i < http->n_headers; i++)
                if (strcmp(http->headers[i].name, name) == 0)
                        return &http->headers[i];
        return NULL;
}

/* Takes out all of that name. */
static void drop(struct probe_http_exchange *http, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < http->n_headers; i++)
                if (strcmp(http->headers[i].name, name) != 0)
                        http->headers[n++] = http->headers[i];
        http->n_headers = n;
}

void probe_http_drop_credentials(struct probe_http_exchange *http) {
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
static void take_own(struct probe_http_exchange *http) {
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

int probe_http_take_headers(struct probe_http_exchange *http, const struct probe_target *target, struct err **err) {
        size_t size = 0;

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
static void write_host(const struct probe_http_exchange *http, FILE *f) {
        const char *host = http->host_header ?: http->url.host, *zone, *end;

        for (const char *p = host; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("!$%&()*+,-.:;=['_]~", *p))
                        host = "";
        zone = host[0] == '[' ? strchr(host, '%') : NULL;
        end = zone ? strrchr(zone, ']') : NULL;
        if (end)
                fprintf(f, "Host: %.*s%s\r\n", (int)(zone - host), host, end);
        else
                fprintf(f, "Host: %s\r\n", host);
}

/* Of a user in the URL, where the manifest has none. */
static char *basic_authorization(const struct url *url) {
        _cleanup_free_ char *plain = NULL, *encoded = NULL;
        char *text = NULL;
        int n = asprintf(&plain, "%s:%s", url->user, url->password ?: "");

        if (n < 0) {
                plain = NULL;
                return NULL;
        }
        if (!(encoded = malloc(BASE64_LENGTH((size_t)n) + 1)))
                return NULL;
        base64_encode(plain, (size_t)n, encoded);
        return asprintf(&text, "Basic %s", encoded) < 0 ? NULL : text;
}

static bool closes(const struct probe_http_exchange *http) {
        const struct probe_header *connection = find(http, "Connection");

        return connection && strcasecmp(connection->value, "close") == 0;
}

static void write_all(const struct probe_http_exchange *http, const struct probe_header *headers, size_t n, FILE *f) {
        const char *path = http->url.path[0] ? http->url.path : "/";

        fprintf(f, "GET %s%s%s HTTP/1.1\r\n", path, http->url.asks ? "?" : "", http->url.query);
        write_host(http, f);
        if (http->user_agent[0])
                fprintf(f, "User-Agent: %s\r\n", http->user_agent);
        for (size_t i = 0; i < n; i++)
                fprintf(f, "%s: %s\r\n", headers[i].name, headers[i].value);
        fprintf(f, "%s\r\n", closes(http) ? "" : "Connection: close\r\n");
}

char *probe_http_write_request(const struct probe_http_exchange *http, size_t *ret_length) {
        _cleanup_free_ struct probe_header *headers = calloc(http->n_headers + 2, sizeof(*headers));
        _cleanup_free_ char *authorization = NULL;
        size_t n = 0, length = 0;
        char *text = NULL;
        FILE *f;

        for (size_t i = 0; headers && i < http->n_headers; i++)
                headers[n++] = http->headers[i];
        if (!headers || !(f = open_memstream(&text, &length)))
                return NULL;
        if (http->url.user && !find(http, "Authorization") && (authorization = basic_authorization(&http->url)))
                headers[n++] = (struct probe_header){ "Authorization", authorization };
        if (http->referer && !find(http, "Referer"))
                headers[n++] = (struct probe_header){ "Referer", http->referer };
        sort(headers, n);
        write_all(http, headers, n, f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        *ret_length = length;
        return text;
}
