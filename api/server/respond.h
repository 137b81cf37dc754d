/* Answers: objects, lists, texts, in the form that was negotiated. Each ends the request's part of the exchange. */
#pragma once

#include <stddef.h>

#include "api/server/pipeline.h"

struct api_request;
struct http_field;
struct bytes;
struct object;

/* The fields of an answer's head: what all answers have, warnings, the @n of @own; in the request's arena, NULL
 * without memory. The answer counts as given, with @code and @size bytes of body. While the request has its exchange.
 */
struct http_field *api_answer_fields(struct api_request *r, int code, size_t size, const struct http_field *own,
                                     size_t n, size_t *ret_n);

/* An answer with these of its own, and cache-control among them. @body may be NULL. Ends the request's part. */
struct http_body;
void api_respond_with(struct api_request *r, int code, const struct http_field *own, size_t n, struct http_body *body);

/* The Status in @json, @length bytes; in the negotiated form where that is one for it, else JSON. NULL: without memory,
 * the exchange is given up. */
void api_respond_status(struct api_request *r, int code, const char *json, size_t length);

/* 204. */
void api_respond_nothing(struct api_request *r);

void api_respond_text(struct api_request *r, int code, const char *text);

/* What the client gets, as the JSON that it is kept and audited as. */
void api_keep_answer(struct api_request *r, struct bytes *json);

/* JSON as it is, or laid out where the client wants that. */
void api_respond_json(struct api_request *r, int code, struct bytes *json);

/* Bytes of @content_type. */
void api_respond_bytes(struct api_request *r, int code, const char *content_type, struct bytes *bytes);

struct http_body;

/* The same of @head and, behind it, a rest that many answers have. */
void api_respond_headed(struct api_request *r, const char *content_type, struct bytes *head, struct http_body *rest);

/* The object in the version and form that were asked for. */
enum api_step api_respond_object(struct api_request *r, int code, struct object *object);
