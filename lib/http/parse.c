#include "lib/http/parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"

/* What is left of a head. */
struct reader {
        const char *at, *end;
};

ssize_t http_parse_find(const char *bytes, size_t n, size_t scanned) {
        size_t limit = n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX;

        for (size_t i = scanned > 3 ? scanned - 3 : 0; i < limit; i++) {
                char c = bytes[i];

                if (c == '\0')
                        return -EPROTO;
                if (c == '\r' && i + 1 < n && bytes[i + 1] != '\n')
                        return -EPROTO;
                if (c != '\n')
                        continue;
                if (i == 0 || bytes[i - 1] != '\r')
                        return -EPROTO;
                if (i >= 3 && bytes[i - 2] == '\n')
                        return (ssize_t)(i + 1);
        }
        return n >= HTTP_HEAD_MAX ? -E2BIG : 0;
}

/* The next line, without its end. False at the empty line. */
static bool next_line(struct reader *r, const char **ret_line, size_t *ret_size) {
        const char *end = memchr(r->at, '\r', (size_t)(r->end - r->at));

        if (!end || end == r->at)
                return false;
        *ret_line = r->at;
        *ret_size = (size_t)(end - r->at);
        r->at = end + 2;
        return true;
}

static const char *add_field(struct http_fields *fields, struct arena *arena, const char *line, size_t n, int *ret) {
        const char *colon = memchr(line, ':', n), *value, *end = line + n;

        *ret = -EPROTO;
        if (!colon || !http_is_token(line, (size_t)(colon - line)))
                return "a header field has no valid name";
        for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
                ;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        if (!http_is_value(value, (size_t)(end - value)))
                return "a header field has no valid value";
        *ret = http_fields_add(fields, arena, line, (size_t)(colon - line), value, (size_t)(end - value));
        return *ret == -E2BIG ? "too many header fields" : NULL;
}

static int read_fields(struct reader *r, struct arena *arena, struct http_fields *fields, struct http_parsed *parsed) {
        const char *line;
        size_t n;
        int ret = 0;

        while (next_line(r, &line, &n)) {
                const char *why = add_field(fields, arena, line, n, &ret);

                if (why) {
                        parsed->why = why;
                        parsed->status = ret == -E2BIG ? 431 : 400;
                        return -EPROTO;
                }
                if (ret < 0)
                        return ret;
        }
        return 0;
}

static int refuse(struct http_parsed *parsed, int status, const char *why) {
        parsed->status = status;
        parsed->why = why;
        return -EPROTO;
}

/* "HTTP/1.1" into 11. */
static int read_version(const char *text, size_t n) {
        if (n != 8 || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' || text[6] != '.' ||
            text[7] < '0' || text[7] > '9')
                return -1;
        return (text[5] - '0') * 10 + text[7] - '0';
}

/* The lengths that a message has given (RFC 9112, 6.3); -1 none, -2 wrong. */
static int64_t read_length(const struct http_fields *fields) {
        const char *first = http_fields_get(fields, "content-length"),
                   *only = http_fields_only(fields, "content-length");
        int64_t length = first ? http_length(first) : -1;

        if (!first)
                return -1;
        return !only || length < 0 ? -2 : length;
}

static int read_framing(const struct http_fields *fields, int version, struct http_parsed *parsed) {
        const char *coding = http_fields_get(fields, "transfer-encoding");
        int64_t length = read_length(fields);

        if (length == -2)
                return refuse(parsed, 400, "Content-Length is no number, or there twice");
        if (!coding) {
                parsed->framing = length < 0 ? HTTP_NO_BODY : HTTP_BY_LENGTH;
                parsed->length = length;
                return 0;
        }
        if (length >= 0)
                return refuse(parsed, 400, "both Content-Length and Transfer-Encoding");
        if (version < 11)
                return refuse(parsed, 400, "Transfer-Encoding in HTTP/1.0");
        coding = http_fields_only(fields, "transfer-encoding");
        if (!coding || strcasecmp(coding, "chunked") != 0)
                return refuse(parsed, 501, "a Transfer-Encoding other than chunked");
        parsed->framing = HTTP_BY_CHUNKS;
        parsed->length = -1;
        return 0;
}

static bool keeps_alive(const struct http_fields *fields, int version) {
        return version >= 11 && !http_fields_list(fields, "connection", "close");
}

/* Divides the target: absolute form names the authority itself, which then counts for Host (RFC 9112, 3.2.2). */
static bool split_target(struct arena *arena, struct http_request *request) {
        const char *target = request->target, *query, *authority;
        bool connect = strcmp(request->method, "CONNECT") == 0;

        if (connect && !request->upgrade) {
                request->authority = target;
                request->target = request->query = "";
                return true;
        }
        if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
                authority = strchr(target, '/') + 2;
                target = authority + strcspn(authority, "/?");
                request->authority = arena_strndup(arena, authority, (size_t)(target - authority));
                if (!request->authority || !*request->authority)
                        return false;
                target = *target == '/' ? target : arena_printf(arena, "/%s", target);
        }
        if (!target || (*target != '/' && strcmp(target, "*") != 0))
                return false;
        request->target = target;
        query = strchr(target, '?');
        request->n_path = query ? (size_t)(query - target) : strlen(target);
        request->query = query ? query + 1 : "";
        return true;
}

static int read_request_line(struct arena *arena, const char *line, size_t n, struct http_request *request,
                             struct http_parsed *parsed) {
        const char *first = memchr(line, ' ', n), *last = memrchr(line, ' ', n);

        if (!first || first == last || !http_is_token(line, (size_t)(first - line)))
                return refuse(parsed, 400, "the first line is no METHOD TARGET HTTP/1.1");
        request->version = read_version(last + 1, (size_t)(line + n - last - 1));
        if (request->version < 0)
                return refuse(parsed, 400, "the first line is no METHOD TARGET HTTP/1.1");
        if (request->version / 10 != 1)
                return refuse(parsed, 505, "the version is not HTTP/1");
        if ((size_t)(last - first - 1) > HTTP_TARGET_MAX)
                return refuse(parsed, 414, "the target is too long");
        if (!http_is_target(first + 1, (size_t)(last - first - 1)))
                return refuse(parsed, 400, "the target is not valid");
        request->method = arena_strndup(arena, line, (size_t)(first - line));
        request->target = arena_strndup(arena, first + 1, (size_t)(last - first - 1));
        return request->method && request->target ? 0 : -ENOMEM;
}

static bool is_authority(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f || strchr("/?#@\\\"<>", *text))
                        return false;
        return true;
}

static int check_host(struct http_request *request, struct http_parsed *parsed) {
        const char *host = http_fields_only(&request->fields, "host");

        if (!host && (http_fields_get(&request->fields, "host") || request->version >= 11))
                return refuse(parsed, 400, "Host must be there once");
        request->authority = host ?: "";
        return is_authority(request->authority) ? 0 : refuse(parsed, 400, "Host is not valid");
}

static int read_request(struct reader *r, struct arena *arena, struct http_request *request,
                        struct http_parsed *parsed) {
        const char *line;
        size_t size;
        int ret;

        if (!next_line(r, &line, &size))
                return refuse(parsed, 400, "an empty line before the first");
        if ((ret = read_request_line(arena, line, size, request, parsed)) < 0 ||
            (ret = read_fields(r, arena, &request->fields, parsed)) < 0 || (ret = check_host(request, parsed)) < 0 ||
            (ret = read_framing(&request->fields, request->version, parsed)) < 0)
                return ret;
        if (http_fields_list(&request->fields, "connection", "upgrade") && request->version >= 11)
                request->upgrade = http_fields_get(&request->fields, "upgrade");
        if (!split_target(arena, request))
                return refuse(parsed, 400, "the target is not valid");
        if (!is_authority(request->authority))
                return refuse(parsed, 400, "the target's authority is not valid");
        return 0;
}

int http_parse_request(struct arena *arena, const char *head, size_t n, struct http_request *ret_request,
                       struct http_parsed *ret_parsed) {
        struct reader r = { head, head + n };
        struct http_request request = { .query = "" };
        struct http_parsed parsed = { .status = 400 };
        int ret = read_request(&r, arena, &request, &parsed);

        parsed.keep_alive = ret == 0 && keeps_alive(&request.fields, request.version);
        parsed.expects_continue = request.version >= 11 && http_fields_list(&request.fields, "expect", "100-continue");
        request.length = parsed.framing == HTTP_NO_BODY ? 0 : parsed.length;
        *ret_request = request;
        *ret_parsed = parsed;
        return ret;
}

/* "HTTP/1.1 200 OK"; the reason may be missing, with its blank too, as some servers have it. */
static int read_status_line(const char *line, size_t n, int *ret_version, int *ret_status) {
        if (n < 12 || line[8] != ' ' || (n > 12 && line[12] != ' '))
                return -EPROTO;
        *ret_version = read_version(line, 8);
        *ret_status = 0;
        for (unsigned i = 9; i < 12; i++) {
                if (line[i] < '0' || line[i] > '9')
                        return -EPROTO;
                *ret_status = *ret_status * 10 + line[i] - '0';
        }
        return *ret_version / 10 == 1 && *ret_status >= 100 ? 0 : -EPROTO;
}

/* Responses that have no body whatever their fields say; those to CONNECT and 101 become tunnels. */
static bool has_no_body(int status, const char *method) {
        return status < 200 || status == 204 || status == 304 || strcmp(method, "HEAD") == 0 ||
               (strcmp(method, "CONNECT") == 0 && status < 300);
}

int http_parse_response_framing(struct http_response *response, int version, const char *method,
                                struct http_parsed *parsed) {
        int r = read_framing(&response->fields, version, parsed);

        if (r < 0)
                return r;
        if (parsed->framing == HTTP_NO_BODY)
                parsed->framing = HTTP_BY_CLOSE;
        response->length = parsed->framing == HTTP_BY_LENGTH ? parsed->length : -1;
        if (has_no_body(response->status, method)) {
                parsed->framing = HTTP_NO_BODY;
                response->length = parsed->length = 0;
        }
        parsed->keep_alive = keeps_alive(&response->fields, version) && parsed->framing != HTTP_BY_CLOSE;
        return 0;
}

int http_parse_response(struct arena *arena, const char *head, size_t n, const char *method,
                        struct http_response *ret_response, struct http_parsed *ret_parsed) {
        struct reader r = { head, head + n };
        struct http_response response = { 0 };
        struct http_parsed parsed = { 0 };
        const char *line;
        size_t size;
        int version = 0, ret;

        if (!next_line(&r, &line, &size) || read_status_line(line, size, &version, &response.status) < 0)
                ret = refuse(&parsed, 0, "the first line is no HTTP/1.1 STATUS REASON");
        else
                ret = read_fields(&r, arena, &response.fields, &parsed);
        if (ret == 0)
                ret = http_parse_response_framing(&response, version, method, &parsed);
        *ret_response = response;
        *ret_parsed = parsed;
        return ret;
}
