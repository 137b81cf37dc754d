#include "lib/http/message.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/hex.h"

#define FIELDS_FIRST 8

static int grow(struct http_fields *fields, struct arena *arena) {
        uint32_t size = fields->size ? fields->size * 2 : FIELDS_FIRST;
        struct http_field *items = arena_alloc_array(arena, size, sizeof(*items));

        if (!items)
                return -ENOMEM;
        if (fields->count > 0)
                memcpy(items, fields->items, fields->count * sizeof(*items));
        fields->items = items;
        fields->size = size;
        return 0;
}

static char *copy_lower(struct arena *arena, const char *name, size_t n) {
        char *copy = arena_strndup(arena, name, n);

        for (char *c = copy; c && *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c |= 0x20;
        return copy;
}

int http_fields_put(struct http_fields *fields, struct arena *arena, const char *name, const char *value) {
        if (!name || !value)
                return -ENOMEM;
        if (fields->count == HTTP_FIELDS_SENT_MAX)
                return -E2BIG;
        if (fields->count == fields->size && grow(fields, arena) < 0)
                return -ENOMEM;
        fields->items[fields->count++] = (struct http_field){ name, value };
        return 0;
}

int http_fields_add(struct http_fields *fields, struct arena *arena, const char *name, size_t n_name, const char *value,
                    size_t n_value) {
        return fields->count >= HTTP_FIELDS_MAX ? -E2BIG :
                                                  http_fields_put(fields, arena, copy_lower(arena, name, n_name),
                                                                  arena_strndup(arena, value, n_value));
}

int http_fields_copy(struct http_fields *fields, struct arena *arena, const char *name, const char *value) {
        return http_fields_put(fields, arena, copy_lower(arena, name, strlen(name)), arena_strdup(arena, value));
}

/* Most names differ in their first letter. */
static bool is_named(const struct http_field *field, const char *name) {
        return field->name[0] == name[0] && strcmp(field->name, name) == 0;
}

const char *http_fields_get(const struct http_fields *fields, const char *name) {
        for (uint32_t i = 0; i < fields->count; i++)
                if (is_named(&fields->items[i], name))
                        return fields->items[i].value;
        return NULL;
}

const char *http_fields_only(const struct http_fields *fields, const char *name) {
        const char *found = NULL;

        for (uint32_t i = 0; i < fields->count; i++) {
                if (!is_named(&fields->items[i], name))
                        continue;
                if (found)
                        return NULL;
                found = fields->items[i].value;
        }
        return found;
}

static bool list_has(const char *list, const char *token) {
        size_t n = strlen(token);

        while (*list) {
                size_t item;

                list += strspn(list, ", \t");
                item = strcspn(list, ",; \t");
                if (item == n && strncasecmp(list, token, n) == 0)
                        return true;
                list += strcspn(list, ",");
        }
        return false;
}

bool http_fields_list(const struct http_fields *fields, const char *name, const char *token) {
        for (uint32_t i = 0; i < fields->count; i++)
                if (is_named(&fields->items[i], name) && list_has(fields->items[i].value, token))
                        return true;
        return false;
}

static bool is_token_byte(unsigned char c) {
        return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
               (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!is_token_byte((unsigned char)text[i]))
                        return false;
        return size > 0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

bool http_is_value(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
                        return false;
        return size == 0 || (!is_blank(text[0]) && !is_blank(text[size - 1]));
}

bool http_is_target(const char *text, size_t size) {
        static const bool refused[256] = { [0 ... ' '] = true, ['#'] = true, [0x7f] = true };

        for (size_t i = 0; i < size; i++)
                if (refused[(unsigned char)text[i]])
                        return false;
        return size > 0 && size <= HTTP_TARGET_MAX;
}

const char *http_reason(int status) {
        static const struct {
                int status;
                const char *reason;
        } reasons[] = {
                { 100, "Continue" },
                { 101, "Switching Protocols" },
                { 103, "Early Hints" },
                { 200, "OK" },
                { 201, "Created" },
                { 202, "Accepted" },
                { 204, "No Content" },
                { 206, "Partial Content" },
                { 301, "Moved Permanently" },
                { 302, "Found" },
                { 303, "See Other" },
                { 304, "Not Modified" },
                { 307, "Temporary Redirect" },
                { 308, "Permanent Redirect" },
                { 400, "Bad Request" },
                { 401, "Unauthorized" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 406, "Not Acceptable" },
                { 408, "Request Timeout" },
                { 409, "Conflict" },
                { 410, "Gone" },
                { 411, "Length Required" },
                { 412, "Precondition Failed" },
                { 413, "Content Too Large" },
                { 414, "URI Too Long" },
                { 415, "Unsupported Media Type" },
                { 416, "Range Not Satisfiable" },
                { 417, "Expectation Failed" },
                { 421, "Misdirected Request" },
                { 422, "Unprocessable Content" },
                { 426, "Upgrade Required" },
                { 428, "Precondition Required" },
                { 429, "Too Many Requests" },
                { 431, "Request Header Fields Too Large" },
                { 500, "Internal Server Error" },
                { 501, "Not Implemented" },
                { 502, "Bad Gateway" },
                { 503, "Service Unavailable" },
                { 504, "Gateway Timeout" },
                { 505, "HTTP Version Not Supported" },
                { 507, "Insufficient Storage" },
        };

        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "";
}

bool http_is_redirect(int status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

int64_t http_length(const char *text) {
        int64_t length = 0;

        if (!*text)
                return -1;
        for (; *text; text++)
                if (*text < '0' || *text > '9' || __builtin_mul_overflow(length, 10, &length) ||
                    __builtin_add_overflow(length, *text - '0', &length))
                        return -1;
        return length;
}

/* The byte that the three characters at @text stand for; -1: none, or NUL. */
static int decode_byte(const char *text, size_t left) {
        int high = left >= 3 ? hex_digit(text[1]) : -1, low = left >= 3 ? hex_digit(text[2]) : -1;

        return high < 0 || low < 0 || (high == 0 && low == 0) ? -1 : high << 4 | low;
}

char *http_decode(struct arena *arena, const char *text, size_t size, bool plus) {
        char *decoded = arena_alloc(arena, size + 1);
        size_t n = 0;

        if (!decoded)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                int byte = plus && text[i] == '+' ? ' ' : (unsigned char)text[i];

                if (byte == '%') {
                        byte = decode_byte(text + i, size - i);
                        i += 2;
                }
                if (byte < 0)
                        return NULL;
                decoded[n++] = (char)byte;
        }
        decoded[n] = '\0';
        return decoded;
}

const char *http_query_next(struct arena *arena, const char **query, const char *name) {
        const char *at = *query, *value = NULL;

        while (*at && !value) {
                size_t n = strcspn(at, "&"), n_name = strcspn(at, "&=");
                /* As Go, which takes no pair that a ";" may have been meant to divide. */
                const char *key = memchr(at, ';', n) ? NULL : http_decode(arena, at, n_name, true);

                if (key && strcmp(key, name) == 0)
                        value = n_name == n ? "" : http_decode(arena, at + n_name + 1, n - n_name - 1, true);
                at += n + (at[n] == '&');
        }
        *query = at;
        return value;
}

const char *http_query(struct arena *arena, const char *query, const char *name) {
        return http_query_next(arena, &query, name);
}
