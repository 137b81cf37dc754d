/* The heads of answers as Go's net/http takes them, for clients that must get on with any server that others get on
 * with: kubelet's probes and hooks are made by it.
 *
 * Beside what parse.h takes: lines that end with LF alone; lines folded into several; names with blanks in them, which
 * are passed over; a length that is said twice, or beside chunks, which count then; Transfer-Encoding in HTTP/1.0,
 * which does not. A client may be so lenient where a server may not: it asks once, and nobody reads the connection
 * after it.
 */
#pragma once

#include "lib/http/parse.h"

/* What is said of one past HTTP_HEAD_MAX or HTTP_FIELDS_MAX. */
#define HTTP_HEAD_TOO_LARGE "the answer's head is too large"

/* As http_parse_find(), but that it also fails at once where the first line does not begin as an answer's. */
ssize_t http_lenient_find(const char *bytes, size_t n, size_t scanned);

/* As http_parse_response(). */
int http_lenient_response(struct arena *arena, const char *head, size_t n, const char *method,
                          struct http_response *ret_response, struct http_parsed *ret_parsed);
