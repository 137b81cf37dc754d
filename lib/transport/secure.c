#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/transport/internal.h"

/* Of a TLS record's content (RFC 8446, 5.1): what is small goes into one. */
#define RECORD_MAX 16384

/* What is left in this thread's queue would be taken for the next call's. To look is cheaper than to clear. */
static void clear_errors(void) {
        if (ERR_peek_error())
                ERR_clear_error();
}

/* What OpenSSL's answer @result to a call came to. A peer that closes the socket without close_notify has cut the
 * stream off: that is an error, never an end. */
static int outcome(struct transport *stream, int result) {
        int saved = errno;

        switch (SSL_get_error(stream->ssl, result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        case SSL_ERROR_SYSCALL:
                return saved > 0 ? -saved : -ECONNRESET;
        default:
                if (stream->plain_http)
                        return -EPROTOTYPE;
                if (!stream->why) {
                        char why[TLS_WHY_MAX];

                        tls_session_why(stream->ssl, why);
                        stream->why = strdup(why);
                }
                return -EPROTO;
        }
}

/* Each record's head goes by here before anything is made of it. */
static void on_message(int sent, int version, int type, const void *bytes, size_t n, SSL *ssl, void *data) {
        struct transport *stream = data;

        if (!sent && type == SSL3_RT_HEADER && n >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
                stream->plain_http = true;
}

void transport_recognize_http(struct transport *stream) {
        if (SSL_is_server(stream->ssl))
                return;
        SSL_set_msg_callback(stream->ssl, on_message);
        SSL_set_msg_callback_arg(stream->ssl, stream);
}

static ssize_t read_secure(struct transport *stream, void *buffer, size_t size) {
        size_t n = 0;
        int r;

        clear_errors();
        errno = 0;
        stream->wants_write = false;
        r = SSL_read_ex(stream->ssl, buffer, size, &n);
        if (r == 1)
                return (ssize_t)n;
        stream->wants_write = SSL_want_write(stream->ssl);
        return outcome(stream, r);
}

/* Several small ranges become one record. */
static size_t gather(const struct iovec *ranges, unsigned n_ranges, uint8_t *buffer, const void **ret_data) {
        size_t size = 0;

        if (n_ranges == 1 || ranges[0].iov_len >= RECORD_MAX) {
                *ret_data = ranges[0].iov_base;
                return ranges[0].iov_len < RECORD_MAX ? ranges[0].iov_len : RECORD_MAX;
        }
        for (unsigned i = 0; i < n_ranges && size < RECORD_MAX; i++) {
                size_t n = ranges[i].iov_len < RECORD_MAX - size ? ranges[i].iov_len : RECORD_MAX - size;

                if (n > 0) /* a range of nothing has perhaps no address */
                        memcpy(buffer + size, ranges[i].iov_base, n);
                size += n;
        }
        *ret_data = buffer;
        return size;
}

static bool are_more(const struct iovec *ranges, unsigned n_ranges, size_t size) {
        size_t all = 0;

        for (unsigned i = 0; i < n_ranges && all <= size; i++)
                all += ranges[i].iov_len;
        return all > size;
}

static ssize_t write_secure(struct transport *stream, const struct iovec *ranges, unsigned n_ranges) {
        uint8_t buffer[RECORD_MAX];
        const void *data;
        size_t size = gather(ranges, n_ranges, buffer, &data), n = 0;
        int r;

        if (size == 0)
                return 0;
        stream->more = are_more(ranges, n_ranges, size);
        clear_errors();
        errno = 0;
        stream->wants_read = false;
        r = SSL_write_ex(stream->ssl, data, size, &n);
        if (r == 1)
                return (ssize_t)n;
        stream->wants_read = SSL_want_read(stream->ssl);
        r = outcome(stream, r);
        return r == 0 ? -EPIPE : r;
}

static int handshake_secure(struct transport *stream) {
        int r;

        clear_errors();
        errno = 0;
        r = SSL_do_handshake(stream->ssl);
        stream->wants_read = r != 1 && SSL_want_read(stream->ssl);
        stream->wants_write = r != 1 && SSL_want_write(stream->ssl);
        if (r == 1) {
                SSL_set_msg_callback(stream->ssl, NULL);
                return 0;
        }
        r = outcome(stream, r);
        return r == 0 ? -ECONNRESET : r;
}

/* The peer's own close_notify is not waited for (RFC 8446, 6.1): each direction ends by itself. */
static int shutdown_secure(struct transport *stream) {
        int r;

        clear_errors();
        r = SSL_shutdown(stream->ssl);
        if (r < 0 && SSL_want_write(stream->ssl))
                return -EAGAIN;
        clear_errors();
        return 0;
}

static bool buffered_secure(const struct transport *stream) {
        return SSL_has_pending(stream->ssl);
}

const struct transport_kind transport_in_tls = { read_secure, write_secure, handshake_secure, shutdown_secure,
                                                 buffered_secure };
