/* TLS for HTTPS probes: bytes in, bytes out, no I/O of its own; certificates are not verified.
 *
 * OpenSSL is loaded when the first HTTPS probe runs (dlopen): a node without one never has its 3 MB in memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tls;

/* A client's session towards @host (sent as the server's name unless it is an address). -ELIBACC when OpenSSL is not
 * there, -ENOMEM. */
int probe_tls_new(const char *host, struct tls **ret_tls);
void probe_tls_free(struct tls *tls);

/* Gives the session bytes from the other side. -ENOMEM. */
int probe_tls_feed(struct tls *tls, const char *data, size_t length);

/* Takes up to @size bytes for the other side; 0: none. */
size_t probe_tls_take(struct tls *tls, char *data, size_t size);

/* 0 when the handshake is done, -EAGAIN when it wants bytes, -EPROTO when it failed. */
int probe_tls_handshake(struct tls *tls);
bool probe_tls_is_open(const struct tls *tls);

/* Encrypts all of @data. -EPROTO. */
int probe_tls_write(struct tls *tls, const char *data, size_t length);

/* Plain bytes; 0 at the session's end, -EAGAIN when there are none, -EPROTO. */
int probe_tls_read(struct tls *tls, char *data, size_t size);

/* Frees what sessions share. */
void probe_tls_cleanup(void);
