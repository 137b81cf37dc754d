/* What the files of this room share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/proxy/proxy.h"

struct arena;
struct http_fields;
struct http_field;
struct value;

/* --- what is asked --- */

/* "NAME", "NAME:PORT" or "SCHEME:NAME:PORT": apimachinery's SplitSchemeNamePort(). */
struct proxy_id {
        const char *scheme, *name, *port; /* "" where not given */
};

/* False where it is none. */
bool proxy_id_parse(struct api_request *r, const char *text, struct proxy_id *ret_id);

/* The object of the core group in the request's namespace ("": of the cluster). 0, -ENOENT or -ENOMEM. */
int proxy_find(struct api_request *r, const char *resource, const char *namespace, const char *name,
               const struct value **ret_object);

/* A whole number in decimal, and nothing else. */
bool proxy_number(const char *text, int64_t *ret_number);

/* Whether packets to it leave this host for one other; no name is. */
bool proxy_is_unicast(const char *address);

/* The path below the request's own, as Go cleans and encodes it: what stands behind "proxy". "": none. */
const char *proxy_rest(struct api_request *r);

/* The query that a kubelet gets: of a log's options; of exec, attach and port forwarding. NULL without memory. */
const char *proxy_log_query(struct api_request *r);
const char *proxy_stream_query(struct api_request *r);

/* The first value of the query's @name, decoded; NULL: not given. */
const char *proxy_ask(struct api_request *r, const char *name);

/* Whether it is given and, as apimachinery converts it, true. */
bool proxy_ask_bool(struct api_request *r, const char *name);

/* Percent-encoding as Go's net/url has it for paths and for queries. */
const char *proxy_escape_path(struct arena *arena, const char *text);
const char *proxy_escape_query(struct arena *arena, const char *text);

/* --- heads (head.c) --- */

/* The fields of a client's request that go on, with X-Forwarded-*; @forwarded_uri NULL: without that one. NULL without
 * memory. */
struct http_field *proxy_request_fields(struct api_request *r, const char *forwarded_uri, uint32_t *ret_n);

/* The fields of an answer that go back. */
struct http_field *proxy_answer_fields(struct api_request *r, const struct http_fields *answer, uint32_t *ret_n);

/* How a client calls what is behind a proxy, and how that calls itself. */
struct proxy_here {
        const char *prefix;       /* of paths: "/api/v1/nodes/x/proxy" */
        const char *authority;    /* what the client calls this server */
        const char *there, *host; /* the target; without a port where that is the scheme's own, else "" */
};

int proxy_here_init(struct api_request *r, const struct proxy_target *target, struct proxy_here *ret_here);

/* Where the client finds what an answer calls @url; false: as it stands there, and also past the maximum. */
#define PROXY_URL_MAX 4096
bool proxy_relocate(const struct proxy_here *here, const char *url, char ret_url[PROXY_URL_MAX]);

/* The request's path, as the one who answers it may show it. */
const char *proxy_forwarded_uri(struct api_request *r, const struct proxy_target *target);

/* --- words (words.c) --- */

/* "HOST:PORT" as Go's net.JoinHostPort() has it, with the port that the scheme has where none is given. */
const char *proxy_host_port(struct arena *arena, const struct proxy_target *target);

/* In Go's words why no connection came about, or none stayed; @address NULL: before there was one. */
const char *proxy_dial_words(struct arena *arena, const char *address, int error, const char *why);

/* Answers the request, of which nothing was answered yet, that @target is not reached: @sent says whether the
 * connection was there. */
void proxy_refuse(struct api_request *r, const struct proxy_target *target, const char *words, bool sent);

/* The same of a log that a kubelet does not give: its @status and what it says. */
void proxy_refuse_log(struct api_request *r, int status, const char *text);
void proxy_refuse_redirect(struct api_request *r, const char *location);

/* The same of a target that goes over to @protocol unasked. */
void proxy_refuse_switch(struct api_request *r, const char *protocol);

enum api_step proxy_log(struct api_request *r);
enum api_step proxy_stream(struct api_request *r);
enum api_step proxy_forward(struct api_request *r);
enum api_step proxy_pod(struct api_request *r);
enum api_step proxy_node(struct api_request *r);
enum api_step proxy_service(struct api_request *r);
