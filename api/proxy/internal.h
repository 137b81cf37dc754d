/* What the files of this room share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/proxy/proxy.h"

struct value;

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

/* A path below the request's own: what stands behind "proxy". */
const char *proxy_rest(struct api_request *r);

enum api_step proxy_log(struct api_request *r);
enum api_step proxy_stream(struct api_request *r);
enum api_step proxy_forward(struct api_request *r);
enum api_step proxy_pod(struct api_request *r);
enum api_step proxy_node(struct api_request *r);
enum api_step proxy_service(struct api_request *r);
