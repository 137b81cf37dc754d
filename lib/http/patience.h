/* How long a server waits for a client: each connection has one timer, which looks at all that may be due. The times
 * are the server's configuration (lib/http/server.h).
 */
#pragma once

struct http_connection;
struct served;

/* Has the timer go off when patience ends first; to be called after whatever may bring that nearer. */
void patience_arm(struct served *served);

/* Notes whether output moves: what waits is measured against what waited before. */
void patience_watch_output(struct http_connection *connection);
