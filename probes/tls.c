#include "probes/tls.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "lib/cleanup.h"

/* Every function used, by name; loaded as one. */
/* clang-format off */
#define FUNCTIONS(X)                                                                                                  \
        X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_set_verify) X(SSL_CTX_set_security_level)       \
        X(SSL_CTX_ctrl) X(SSL_new) X(SSL_free) X(SSL_set_connect_state) X(SSL_set_bio) X(SSL_ctrl) X(SSL_do_handshake) \
        X(SSL_is_init_finished) X(SSL_get_error) X(SSL_read) X(SSL_write)
/* clang-format on */
#define CRYPTO_FUNCTIONS(X) X(BIO_new) X(BIO_s_mem) X(BIO_read) X(BIO_write) X(BIO_free) X(ERR_clear_error)

extern void ERR_clear_error(void);

static struct {
#define MEMBER(name) __typeof__(&name) name;
        FUNCTIONS(MEMBER)
        CRYPTO_FUNCTIONS(MEMBER)
#undef MEMBER
        void *ssl, *crypto;
        SSL_CTX *context;
} lib;

struct tls {
        SSL *ssl;
        BIO *in, *out; /* the session's */
};

static bool load_functions(void) {
        const struct {
                void *library;
                const char *name;
                void **function;
        } rows[] = {
#define ROW_SSL(name) { lib.ssl, #name, (void **)&lib.name },
#define ROW_CRYPTO(name) { lib.crypto, #name, (void **)&lib.name },
                FUNCTIONS(ROW_SSL) CRYPTO_FUNCTIONS(ROW_CRYPTO)
#undef ROW_SSL
#undef ROW_CRYPTO
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                *rows[i].function = dlsym(rows[i].library, rows[i].name);
                if (!*rows[i].function)
                        return false;
        }
        return true;
}

static int load(void) {
        if (lib.context)
                return 0;
        if (!lib.crypto)
                lib.crypto = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_LOCAL);
        if (!lib.ssl)
                lib.ssl = dlopen("libssl.so.3", RTLD_LAZY | RTLD_LOCAL);
        if (!lib.ssl || !lib.crypto || !load_functions())
                return -ELIBACC;
        lib.context = lib.SSL_CTX_new(lib.TLS_client_method());
        if (!lib.context)
                return -ENOMEM;
        lib.SSL_CTX_set_verify(lib.context, SSL_VERIFY_NONE, NULL);
        /* Whoever serves a probe with an old key is alive. */
        lib.SSL_CTX_set_security_level(lib.context, 0);
        lib.SSL_CTX_ctrl(lib.context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
        lib.SSL_CTX_ctrl(lib.context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
        return 0;
}

static bool is_address(const char *host) {
        unsigned char bytes[16];

        return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int probe_tls_new(const char *host, struct tls **ret_tls) {
        struct tls *tls;
        int r = load();

        if (r < 0)
                return r;
        tls = calloc(1, sizeof(*tls));
        if (!tls)
                return -ENOMEM;
        tls->ssl = lib.SSL_new(lib.context);
        tls->in = lib.BIO_new(lib.BIO_s_mem());
        tls->out = lib.BIO_new(lib.BIO_s_mem());
        if (!tls->ssl || !tls->in || !tls->out) {
                lib.BIO_free(tls->in);
                lib.BIO_free(tls->out);
                lib.SSL_free(tls->ssl);
                free(tls);
                return -ENOMEM;
        }
        lib.SSL_set_bio(tls->ssl, tls->in, tls->out);
        lib.SSL_set_connect_state(tls->ssl);
        if (!is_address(host))
                lib.SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)host);
        *ret_tls = tls;
        return 0;
}

void probe_tls_free(struct tls *tls) {
        if (!tls)
                return;
        lib.SSL_free(tls->ssl); /* and both BIOs */
        free(tls);
}

int probe_tls_feed(struct tls *tls, const char *data, size_t length) {
        return lib.BIO_write(tls->in, data, (int)length) == (int)length ? 0 : -ENOMEM;
}

size_t probe_tls_take(struct tls *tls, char *data, size_t size) {
        int n = lib.BIO_read(tls->out, data, size > INT_MAX ? INT_MAX : (int)size);

        return n > 0 ? (size_t)n : 0;
}

/* What a call's result means. OpenSSL's error queue is the thread's: it is cleared before each call. */
static int outcome(const struct tls *tls, int result) {
        switch (lib.SSL_get_error(tls->ssl, result)) {
        case SSL_ERROR_NONE:
                return result;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        default:
                return -EPROTO;
        }
}

bool probe_tls_is_open(const struct tls *tls) {
        return lib.SSL_is_init_finished(tls->ssl);
}

int probe_tls_handshake(struct tls *tls) {
        int r;

        if (probe_tls_is_open(tls))
                return 0;
        lib.ERR_clear_error();
        r = outcome(tls, lib.SSL_do_handshake(tls->ssl));
        return r > 0 ? 0 : r == 0 ? -EPROTO : r;
}

int probe_tls_write(struct tls *tls, const char *data, size_t length) {
        lib.ERR_clear_error();
        return lib.SSL_write(tls->ssl, data, (int)length) == (int)length ? 0 : -EPROTO;
}

int probe_tls_read(struct tls *tls, char *data, size_t size) {
        lib.ERR_clear_error();
        return outcome(tls, lib.SSL_read(tls->ssl, data, (int)size));
}

void probe_tls_cleanup(void) {
        if (lib.context)
                lib.SSL_CTX_free(lib.context);
        lib.context = NULL;
}
