#include "lib/http/lenient.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"

/* Whether a line ends at @bytes[i] that is empty. */
static bool is_empty_line(const char *bytes, size_t i) {
        if (i > 0 && bytes[i - 1] == '\r')
                i--;
        return i == 0 || bytes[i - 1] == '\n';
}

ssize_t http_lenient_find(const char *bytes, size_t n, size_t scanned) {
        static const char begin[] = "HTTP/";
        size_t limit = n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX, known = n < sizeof(begin) - 1 ? n : sizeof(begin) - 1;

        if (memcmp(bytes, begin, known) != 0)
                return -EPROTO;
        for (size_t i = scanned; i < limit; i++)
                if (bytes[i] == '\n' && is_empty_line(bytes, i))
                        return (ssize_t)(i + 1);
        return n >= HTTP_HEAD_MAX ? -E2BIG : 0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* Copies the line at *@at, without what follows it, to @to. Returns the end of the copy. */
static char *copy_line(const char **at, const char *end, char *to) {
        const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line)) ?: end;

        *at = stop < end ? stop + 1 : end;
        if (stop > line && stop[-1] == '\r')
                stop--;
        while (stop > line && is_blank(stop[-1]))
                stop--;
        memcpy(to, line, (size_t)(stop - line));
        return to + (stop - line);
}

/* The same, with the lines behind it that it goes on in. Each takes a byte less than it was, or as many. */
static char *copy_folded(const char **at, const char *end, char *to) {
        to = copy_line(at, end, to);
        while (*at < end && is_blank(**at)) {
                while (*at < end && is_blank(**at))
                        (*at)++;
                *to++ = ' ';
                to = copy_line(at, end, to);
        }
        *to = '\0';
        return to;
}

static int refuse(struct http_parsed *parsed, const char *why) {
        parsed->why = why;
        return -EPROTO;
}

/* "HTTP/1.1  200 OK": any version that is one, blanks, three digits. */
static int read_status(const char *line, int *ret_version, int *ret_status) {
        const char *code = line + 8;

        if (strlen(line) < 9 || line[5] < '0' || line[5] > '9' || line[6] != '.' || line[7] < '0' || line[7] > '9' ||
            *code != ' ')
                return -EPROTO;
        code += strspn(code, " ");
        if (strspn(code, "0123456789") != 3 || (code[3] != ' ' && code[3] != '\0') || code[0] == '0')
                return -EPROTO;
        *ret_version = (line[5] - '0') * 10 + line[7] - '0';
        *ret_status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
        return 0;
}

static int add_field(struct http_fields *fields, struct arena *arena, const char *line, const char *end) {
        const char *colon = strchr(line, ':'), *value;
        size_t n = colon ? (size_t)(colon - line) : 0;

        if (n == 0 || memchr(line, '\0', (size_t)(end - line)))
                return -EPROTO;
        value = colon + 1 + strspn(colon + 1, " \t");
        while (end > value && is_blank(end[-1]))
                end--;
        if (!http_is_value(value, (size_t)(end - value)))
                return -EPROTO;
        if (memchr(line, ' ', n))
                return 0;
        if (!http_is_token(line, n))
                return -EPROTO;
        return http_fields_add(fields, arena, line, n, value, (size_t)(end - value));
}

static int read_fields(struct arena *arena, const char *at, const char *end, char *scratch,
                       struct http_fields *fields) {
        if (at < end && is_blank(*at))
                return -EPROTO;
        while (at < end) {
                char *line_end = copy_folded(&at, end, scratch);
                int r;

                if (line_end == scratch)
                        return 0;
                r = add_field(fields, arena, scratch, line_end);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void drop(struct http_fields *fields, const char *name, bool all_but_first) {
        uint32_t kept = 0;

        for (uint32_t i = 0; i < fields->count; i++) {
                bool named = strcmp(fields->items[i].name, name) == 0;

                if (!named || all_but_first)
                        fields->items[kept++] = fields->items[i];
                if (named)
                        all_but_first = false;
        }
        fields->count = kept;
}

/* Makes the fields say once what the body's length is. */
static int settle_length(struct http_fields *fields, int version, struct http_parsed *parsed) {
        const char *length = http_fields_get(fields, "content-length");

        for (uint32_t i = 0; length && i < fields->count; i++)
                if (strcmp(fields->items[i].name, "content-length") == 0 && strcmp(fields->items[i].value, length) != 0)
                        return refuse(parsed, "Content-Length is there twice");
        if (length && http_length(length) < 0)
                return refuse(parsed, "Content-Length is no number");
        if (version < 11)
                drop(fields, "transfer-encoding", false);
        drop(fields, "content-length", http_fields_get(fields, "transfer-encoding") == NULL);
        return 0;
}

static int read_head(struct arena *arena, const char *head, size_t n, int *ret_version,
                     struct http_response *response) {
        char *scratch = arena_alloc(arena, n + 1);
        const char *at = head;
        int r;

        if (!scratch)
                return -ENOMEM;
        *copy_line(&at, head + n, scratch) = '\0';
        r = read_status(scratch, ret_version, &response->status);
        return r < 0 ? r : read_fields(arena, at, head + n, scratch, &response->fields);
}

int http_lenient_response(struct arena *arena, const char *head, size_t n, const char *method,
                          struct http_response *ret_response, struct http_parsed *ret_parsed) {
        int version = 0, r;

        *ret_response = (struct http_response){ 0 };
        *ret_parsed = (struct http_parsed){ 0 };
        r = read_head(arena, head, n, &version, ret_response);
        if (r == -E2BIG)
                return refuse(ret_parsed, HTTP_HEAD_TOO_LARGE);
        if (r == -EPROTO)
                return refuse(ret_parsed, "the answer's head is no HTTP");
        if (r < 0 || (r = settle_length(&ret_response->fields, version, ret_parsed)) < 0)
                return r;
        return http_parse_response_framing(ret_response, version, method, ret_parsed);
}
