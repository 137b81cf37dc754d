/* Answers: objects, lists, texts, in the form that was negotiated. Each ends the request's part of the exchange. */
#pragma once

#include <stddef.h>

#include "api/server/pipeline.h"

struct api_request;
struct http_exchange;
struct bytes;
struct object;

/* The Status in @json, @length bytes; in the negotiated form where that is one for it, else JSON. NULL: without memory,
 * the exchange is given up. */
void api_respond_status(struct api_request *r, int code, const char *json, size_t length);

void api_respond_text(struct api_request *r, int code, const char *text);

/* JSON as it is, or laid out where the client wants that. */
void api_respond_json(struct api_request *r, int code, struct bytes *json);

/* Bytes of @content_type. */
void api_respond_bytes(struct api_request *r, int code, const char *content_type, struct bytes *bytes);

struct http_body;

/* The same of @head and, behind it, a rest that many answers have. */
void api_respond_headed(struct api_request *r, const char *content_type, struct bytes *head, struct http_body *rest);

/* The object in the version and form that were asked for. */
enum api_step api_respond_object(struct api_request *r, int code, struct object *object);

/* The exchange, of which the request hears no more; NULL: the client has gone. */
struct http_exchange *api_let_go(struct api_request *r);
