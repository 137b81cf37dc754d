/* From a request's head to the handler in its server's table of routes, or to the refusal. */
#pragma once

struct http_exchange;
struct http_server;

/* @x is @server's from then on, and may be ended when this returns. */
void dispatch(struct http_server *server, struct http_exchange *x);
