/* What a message's head holds, the same for HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113): fields, methods, reasons.
 *
 * Names of fields are lower-case. Texts end with a NUL and hold none; they live as long as the message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define HTTP_HEAD_MAX                                                                                                  \
        ((size_t)64 << 10)  /* bytes of a head: the target, names and values, 32 a field as RFC 9113, 6.5.2 */
#define HTTP_FIELDS_MAX 256 /* of a head that comes */
#define HTTP_FIELDS_SENT_MAX (HTTP_FIELDS_MAX + 32) /* of one that is sent: who passes one on adds to it */
#define HTTP_TARGET_MAX ((size_t)32 << 10)

struct http_field {
        const char *name, *value;
};

struct http_fields {
        struct http_field *items;
        uint32_t count, size;
};

/* Adds a field, copied into @arena, with its name in lower case. 0, -ENOMEM, or -E2BIG past HTTP_FIELDS_MAX. */
int http_fields_add(struct http_fields *fields, struct arena *arena, const char *name, size_t n_name, const char *value,
                    size_t n_value);

/* The same of a head that is to be sent: -E2BIG past HTTP_FIELDS_SENT_MAX. */
int http_fields_copy(struct http_fields *fields, struct arena *arena, const char *name, const char *value);

/* Adds a field that is not copied: @name, in lower case, and @value live as long as @arena. Either may be NULL, which
 * is -ENOMEM. -E2BIG past HTTP_FIELDS_SENT_MAX. */
int http_fields_put(struct http_fields *fields, struct arena *arena, const char *name, const char *value);

/* The value of the first field @name (lower case); NULL when there is none. */
const char *http_fields_get(const struct http_fields *fields, const char *name);

/* The value of the only field @name; NULL when there is none or several. */
const char *http_fields_only(const struct http_fields *fields, const char *name);

/* Whether a field @name lists @token (RFC 9110, 5.6.1), letters' case aside. Parameters behind ";" are not looked at.
 */
bool http_fields_list(const struct http_fields *fields, const char *name, const char *token);

/* Characters of names (RFC 9110, 5.6.2); bytes of values (5.5): no control characters but the tabulator, no blank at
 * either end. */
bool http_is_token(const char *text, size_t size);
bool http_is_value(const char *text, size_t size);

/* A target in origin form, absolute form, "*" or (for CONNECT) authority form is made of these bytes. */
bool http_is_target(const char *text, size_t size);

/* "Not Found"; "" for a status without a registered one. */
const char *http_reason(int status);

/* Whether an answer with @status says where else to ask. */
bool http_is_redirect(int status);

/* A whole number of decimal digits as Content-Length has it (RFC 9110, 8.6); -1: none, or past INT64_MAX. */
int64_t http_length(const char *text);

/* Undoes percent-encoding of @size bytes into @arena; @plus has "+" mean a blank (queries). NULL without memory, and
 * for what is no encoding or holds %00. */
char *http_decode(struct arena *arena, const char *text, size_t size, bool plus);

/* The value of @name in a target's query, decoded into @arena; the first one counts. NULL when it is not there. */
const char *http_query(struct arena *arena, const char *query, const char *name);

/* The next one, and *@query is what follows it. NULL when there is none any more. */
const char *http_query_next(struct arena *arena, const char **query, const char *name);
