/* A byte stream on a loop: a Unix or TCP socket, plain or in TLS 1.2/1.3, from either side.
 *
 * A stream belongs to one loop and its thread. Several loops may each take connections from one listening socket: give
 * each a listener of its own on a dup() of the descriptor. Nothing here blocks. Bytes that come are handed over in the
 * reading thread's one buffer, so that a stream at rest has no memory but its own; output that the socket does not
 * take waits as references (lib/bytes.h), and its amount is the writer's to watch.
 *
 *     opened ──► received* ──► ended ──► closed          closed comes once, whatever came before
 *          ╰───────────────── error ──────────╯
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

struct bytes;
struct tls_context;
struct transport;

/* Read at once. */
#define TRANSPORT_READ_SIZE ((size_t)64 << 10)

/* TLS handshakes that take longer end with ETIMEDOUT. */
#define TRANSPORT_HANDSHAKE_MS 10000

/* Bytes of a name for SNI (RFC 6066) and of an ALPN protocol. */
#define TRANSPORT_NAME_MAX 255

struct transport_events {
        /* Connected, and the TLS handshake done. Always first, unless the stream ends before. */
        void (*opened)(void *data);
        /* @bytes may be changed; they are gone after the call. Not called while paused. */
        void (*received)(void *data, uint8_t *bytes, size_t n);
        /* The peer sends nothing further; it may still read. In TLS, only after its close_notify (RFC 8446, 6.1). */
        void (*ended)(void *data);
        /* All that waited has been given to the kernel. May be NULL. */
        void (*drained)(void *data);
        /* The end, from the loop. @error is the negative errno that made it, 0 after transport_close(stream, 0); @why
         * is its text where there is more to say than strerror() has (TLS), else NULL. TLS that fails is -EPROTO, and
         * -EPROTOTYPE when a server answers it in plain HTTP. The stream is gone after it. */
        void (*closed)(void *data, int error, const char *why);
};

/* Serves @fd, a connected socket, which is taken over in any case; in TLS as the server when @tls is not NULL, whose
 * reference is the caller's. opened() comes from the loop. Returns 0 or a negative errno. */
int transport_accept(uv_loop_t *loop, int fd, struct tls_context *tls, const struct transport_events *events,
                     void *data, struct transport **ret_stream);

struct transport_target {
        const struct sockaddr *address; /* AF_UNIX, AF_INET, AF_INET6 */
        socklen_t n_address;
        struct tls_context *tls; /* NULL: plain */
        const char *name;        /* TLS: the peer's name or address, for SNI and the certificate's check */
};

/* Connects. Failures to connect are told by closed(); what cannot be begun is returned. */
int transport_connect(uv_loop_t *loop, const struct transport_target *target, const struct transport_events *events,
                      void *data, struct transport **ret_stream);

/* Sends @n ranges (TRANSPORT_RANGES_MAX at most): what the socket does not take at once is copied and waits. 0; -ENOMEM
 * (a part may be lost: close it); -EPIPE after transport_finish(). An error of the socket comes as closed(), and a
 * stream that is closing swallows what it gets. Not before opened(). */
#define TRANSPORT_RANGES_MAX 16
int transport_write(struct transport *stream, const struct iovec *ranges, unsigned n);

/* The same; where @owners[i] is not NULL, the range lies in these shared bytes, of which a reference is kept instead of
 * a copy. */
int transport_write_shared(struct transport *stream, const struct iovec *ranges, struct bytes *const *owners,
                           unsigned n);

/* Bytes that wait for the socket. */
size_t transport_pending(const struct transport *stream);

/* After what waits, the end of output: close_notify in TLS, and the socket is shut down for writing. */
void transport_finish(struct transport *stream);

/* Stops and goes on with received() and ended(). */
void transport_pause(struct transport *stream);
void transport_resume(struct transport *stream);

/* Drops what waits and closes; no event but closed() comes after this. With -ETIMEDOUT what the kernel still has is
 * dropped, too, and the peer is reset. Calling it again is fine. */
void transport_close(struct transport *stream, int error);

/* The socket, for getsockopt(); stays the stream's. */
int transport_fd(const struct transport *stream);

/* The protocol that ALPN agreed on (RFC 7301), @ret_size bytes without a NUL; NULL: none. */
const char *transport_protocol(const struct transport *stream, size_t *ret_size);

/* The TLS session, for the peer's certificate; NULL for a plain stream. */
struct ssl_st *transport_tls(const struct transport *stream);
