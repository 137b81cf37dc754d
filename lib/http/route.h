/* Routes: which row of a table a request is for. */
#pragma once

#include "lib/http/internal.h"
#include "lib/http/server.h"

#define ROUTE_UPGRADES (HTTP_ROUTE_UPGRADE | HTTP_ROUTE_MAY_UPGRADE)

/* Whether @path is one that a route may have. */
bool route_is_valid(const char *path);

/* The first of @n routes for the request of @x, whose parameters it sets; NULL with *@ret_status 404, 405 (another
 * method would do), 400 (the path is no valid encoding) or 500 (no memory). */
const struct http_route *route_find(const struct http_route *routes, size_t n, struct http_exchange *x,
                                    int *ret_status);

/* The methods that routes of the request's path have, for Allow; in the exchange's arena, "" without. */
const char *route_methods(const struct http_route *routes, size_t n, struct http_exchange *x);
