/* The socket below a TLS session: OpenSSL's own, but that records in a row are pushed together, and that one which gave
 * less than was asked for is known to have no more. A push of TCP's costs more than what a record costs otherwise, on
 * either side: the reader is woken by each. */
#include <errno.h>
#include <pthread.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "lib/transport/internal.h"

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

/* In the kernel's TLS records are the kernel's. Else send() and recv() have a shorter way to the socket than write()
 * and read(), which OpenSSL calls. */
static int write_socket(BIO *bio, const char *data, int size) {
        const struct transport *stream = BIO_get_app_data(bio);
        ssize_t n;

        if (BIO_get_ktls_send(bio))
                return BIO_meth_get_write(BIO_s_socket())(bio, data, size);
        n = send(stream->fd, data, (size_t)size, MSG_NOSIGNAL | (stream->more ? MSG_MORE : 0));
        BIO_clear_retry_flags(bio);
        if (n < 0 && BIO_sock_should_retry((int)n))
                BIO_set_retry_write(bio);
        return (int)n;
}

/* One record of the kernel's TLS a call, however many there are. */
static int read_socket(BIO *bio, char *data, int size) {
        struct transport *stream = BIO_get_app_data(bio);
        ssize_t n;

        stream->dry = false;
        if (BIO_get_ktls_recv(bio))
                return BIO_meth_get_read(BIO_s_socket())(bio, data, size);
        n = recv(stream->fd, data, (size_t)size, 0);
        BIO_clear_retry_flags(bio);
        stream->dry = n > 0 && n < size;
        if (n < 0 && BIO_sock_should_retry((int)n))
                BIO_set_retry_read(bio);
        else if (n == 0)
                BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
        return (int)n;
}

static void make_method(void) {
        const BIO_METHOD *socket = BIO_s_socket();
        BIO_METHOD *made = BIO_meth_new(BIO_TYPE_SOCKET, "socket");

        if (!made)
                return;
        BIO_meth_set_write(made, write_socket);
        BIO_meth_set_read(made, read_socket);
        BIO_meth_set_puts(made, BIO_meth_get_puts(socket));
        BIO_meth_set_ctrl(made, BIO_meth_get_ctrl(socket));
        BIO_meth_set_create(made, BIO_meth_get_create(socket));
        BIO_meth_set_destroy(made, BIO_meth_get_destroy(socket));
        method = made;
}

int transport_use_socket(struct transport *stream) {
        BIO *bio;

        pthread_once(&method_once, make_method);
        bio = method ? BIO_new(method) : NULL;
        if (!bio)
                return -ENOMEM;
        BIO_set_fd(bio, stream->fd, BIO_NOCLOSE);
        BIO_set_app_data(bio, stream);
        SSL_set_bio(stream->ssl, bio, bio);
        return 0;
}
