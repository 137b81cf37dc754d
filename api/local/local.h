/* The client of who lives in the service's own process (client/client.h): lists and watches are the cache's, with the
 * bytes that everybody gets; a change goes through the whole pipeline, with its user's rights, but without HTTP and
 * TLS. All is of one loop.
 */
#pragma once

#include <uv.h>

struct api_local;
struct api_server;
struct client;

/* Watchers are told of a change at once, so many times in a row; what follows those closely is told together, once in
 * so long, by which they earn one more. */
#define API_LOCAL_AT_ONCE_MAX 32
#define API_LOCAL_GATHER_MS 2
#define API_LOCAL_WATCHES_MAX 256
#define API_LOCAL_CLIENTS_MAX 64

/* 0 or a negative errno. */
int api_local_new(struct api_server *server, uv_loop_t *loop, struct api_local **ret_local);

/* The client that asks as the service account @name of kube-system; NULL: as the service itself (system:apiserver,
 * which may do everything). It is @local's. NULL without memory. */
struct client *api_local_client(struct api_local *local, const char *name);

/* The same as the user @name, of no group but that of all who are known: what it may do, roles say. @agent is whom the
 * server takes for the owner of what it writes. Texts outlive @local. */
struct client *api_local_user(struct api_local *local, const char *name, const char *agent);

/* Answers do not come any more. Memory goes once the loop has closed the handles: then api_local_free(). */
void api_local_close(struct api_local *local);
void api_local_free(struct api_local *local); /* NULL is fine */
