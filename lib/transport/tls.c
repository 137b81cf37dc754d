#include "lib/openssl.h"
#include "lib/transport/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/ip.h"
#include "lib/transport/transport.h"

/* What a read of the stream gives at most, as full records with all that is around their content. */
#define READ_AHEAD                                                                                                     \
        (TRANSPORT_READ_SIZE / SSL3_RT_MAX_PLAIN_LENGTH * (SSL3_RT_HEADER_LENGTH + SSL3_RT_MAX_TLS13_ENCRYPTED_LENGTH))

struct tls_context {
        uint32_t refs;
        SSL_CTX *ctx;
        enum tls_verify verify;
        bool server;
        int64_t since; /* with any_time */
        /* Names on the wire: each behind its length. */
        uint8_t protocols[TLS_PROTOCOLS_MAX * (TRANSPORT_NAME_MAX + 1)];
        unsigned n_protocols;
        pthread_mutex_t lock; /* of what follows */
        SSL_SESSION *session; /* a client's last one, for its resumption */
        char *session_name;
};

static int context_slot = -1;
static pthread_once_t context_slot_once = PTHREAD_ONCE_INIT;

static void make_context_slot(void) {
        context_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int openssl_error(struct err **err, const char *what) {
        unsigned long code = ERR_get_error();
        char text[TLS_WHY_MAX] = "";

        ERR_error_string_n(code, text, sizeof(text));
        ERR_clear_error();
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                return err_set(err, ENOMEM, "%s: out of memory", what);
        return err_set(err, EINVAL, "%s: %s", what, ERR_reason_error_string(code) ?: text);
}

static BIO *open_pem(const char *pem) {
        size_t size = strlen(pem);

        return size > TLS_PEM_MAX ? NULL : BIO_new_mem_buf(pem, (int)size);
}

/* The chain behind the first certificate; ends well where the text does. */
static int add_chain(SSL_CTX *ctx, BIO *bio, struct err **err) {
        for (;;) {
                X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);

                if (!next) {
                        ERR_clear_error();
                        return 0;
                }
                if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
                        X509_free(next);
                        return openssl_error(err, "certificate chain");
                }
        }
}

static int use_certificate(SSL_CTX *ctx, const struct tls_config *config, struct err **err) {
        _cleanup_bio_ BIO *chain = open_pem(config->certificate), *key = open_pem(config->key ?: "");
        _cleanup_x509_ X509 *own = NULL;
        EVP_PKEY *pkey;
        int ok;

        if (!chain || !key)
                return err_set(err, EINVAL, "certificate or key: more than %zu bytes", TLS_PEM_MAX);
        own = PEM_read_bio_X509(chain, NULL, NULL, NULL);
        if (!own || SSL_CTX_use_certificate(ctx, own) != 1)
                return openssl_error(err, "certificate");
        pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
        if (!pkey)
                return openssl_error(err, "key");
        ok = SSL_CTX_use_PrivateKey(ctx, pkey);
        EVP_PKEY_free(pkey);
        if (ok != 1)
                return openssl_error(err, "key");
        return add_chain(ctx, chain, err);
}

/* The names of the CAs go to clients too, so that they can choose among their certificates. */
static int trust(SSL_CTX *ctx, const struct tls_config *config, struct err **err) {
        X509_STORE *store = SSL_CTX_get_cert_store(ctx);
        _cleanup_bio_ BIO *bio = NULL;
        unsigned n = 0;

        if (!config->authorities)
                return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : openssl_error(err, "the system's certificates");
        bio = open_pem(config->authorities);
        if (!bio)
                return err_set(err, EINVAL, "certificate authorities: more than %zu bytes", TLS_PEM_MAX);
        for (;; n++) {
                _cleanup_x509_ X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);

                if (!ca)
                        break;
                if (X509_STORE_add_cert(store, ca) != 1 ||
                    (config->side == TLS_SERVER && SSL_CTX_add_client_CA(ctx, ca) != 1))
                        return openssl_error(err, "certificate authorities");
        }
        if (n == 0)
                return openssl_error(err, "certificate authorities");
        ERR_clear_error();
        return 0;
}

static int pack_protocols(struct tls_context *tls, const char *const *protocols, struct err **err) {
        for (unsigned i = 0; protocols && protocols[i]; i++) {
                size_t n = strlen(protocols[i]);

                if (i == TLS_PROTOCOLS_MAX || n == 0 || n > TRANSPORT_NAME_MAX)
                        return err_set(err, EINVAL, "ALPN protocol \"%s\": %d of 1 to %d bytes are allowed",
                                       protocols[i], TLS_PROTOCOLS_MAX, TRANSPORT_NAME_MAX);
                tls->protocols[tls->n_protocols++] = (uint8_t)n;
                memcpy(tls->protocols + tls->n_protocols, protocols[i], n);
                tls->n_protocols += (unsigned)n;
        }
        return 0;
}

/* Ours in their order, the first that the client has too; with none in common the handshake fails (RFC 7301, 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_size, const unsigned char *offered,
                           unsigned n_offered, void *data) {
        const struct tls_context *tls = data;

        return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_size, tls->protocols, tls->n_protocols,
                                     offered, n_offered) == OPENSSL_NPN_NEGOTIATED ?
                       SSL_TLSEXT_ERR_OK :
                       SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A session (in TLS 1.3, a ticket) arrived that the next connection may resume. */
static int keep_session(SSL *ssl, SSL_SESSION *session) {
        struct tls_context *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot);
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        char *copy = strdup(name ?: "");
        SSL_SESSION *old = session;

        if (!copy)
                return 0;
        pthread_mutex_lock(&tls->lock);
        old = tls->session;
        tls->session = session;
        free(tls->session_name);
        tls->session_name = copy;
        pthread_mutex_unlock(&tls->lock);
        SSL_SESSION_free(old);
        return 1;
}

static void set_server(struct tls_context *tls) {
        static const unsigned char id[] = "nacelle";

        /* Tickets are bound to it: without, a session with a client's certificate is not resumed. */
        SSL_CTX_set_session_id_context(tls->ctx, id, sizeof(id) - 1);
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
        if (tls->n_protocols > 0)
                SSL_CTX_set_alpn_select_cb(tls->ctx, choose_protocol, tls);
}

/* For who asks whether a server lives, not who it is. */
static void set_lenient(struct tls_context *tls) {
        SSL_CTX_set_security_level(tls->ctx, 0);
        SSL_CTX_set_options(tls->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
}

static void set_resumption(struct tls_context *tls) {
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls->ctx, keep_session);
}

static int set_client(struct tls_context *tls, bool lenient, struct err **err) {
        if (lenient)
                set_lenient(tls);
        else
                set_resumption(tls);
        if (tls->n_protocols > 0 && SSL_CTX_set_alpn_protos(tls->ctx, tls->protocols, tls->n_protocols) != 0)
                return openssl_error(err, "ALPN");
        return 0;
}

/* What is wrong with a certificate is in the session's verify result, and no reason to end the handshake. */
static int take_any(int good, X509_STORE_CTX *store) {
        return 1;
}

/* X509_V_FLAG_NO_CHECK_TIME has the clock left out; here is what is asked in its place. */
static int check_since(int good, X509_STORE_CTX *store) {
        const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        const struct tls_context *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot);
        struct tm ends;

        if (!good || X509_STORE_CTX_get_error_depth(store) > 0)
                return good;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(X509_STORE_CTX_get_current_cert(store)), &ends) == 1 &&
            (int64_t)timegm(&ends) > tls->since)
                return 1;
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED);
        return 0;
}

static void set_any_time(struct tls_context *tls, int64_t since) {
        tls->since = since;
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->ctx), X509_V_FLAG_NO_CHECK_TIME);
        SSL_CTX_set_verify(tls->ctx, SSL_CTX_get_verify_mode(tls->ctx), check_since);
}

static int configure(struct tls_context *tls, const struct tls_config *config, struct err **err) {
        static const int modes[] = {
                [TLS_VERIFY_NONE] = SSL_VERIFY_NONE,
                [TLS_VERIFY_LATER] = SSL_VERIFY_PEER,
                [TLS_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
                [TLS_VERIFY_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        };
        int r = pack_protocols(tls, config->protocols, err);

        if (r < 0)
                return r;
        SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
        /* An idle stream keeps no buffers; renegotiation is the client's way to have us work for nothing. */
        SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                           SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_KTLS |
                                              SSL_OP_CIPHER_SERVER_PREFERENCE);
        /* Records that are there are read by one call, not two for each. */
        SSL_CTX_set_read_ahead(tls->ctx, 1);
        SSL_CTX_set_default_read_buffer_len(tls->ctx, READ_AHEAD);
        SSL_CTX_set_verify(tls->ctx, modes[config->verify], config->verify == TLS_VERIFY_LATER ? take_any : NULL);
        if (config->any_time)
                set_any_time(tls, config->since);
        if (config->certificate) {
                r = use_certificate(tls->ctx, config, err);
                if (r < 0)
                        return r;
        }
        if (config->verify != TLS_VERIFY_NONE) {
                r = trust(tls->ctx, config, err);
                if (r < 0)
                        return r;
        }
        if (!tls->server)
                return set_client(tls, config->lenient, err);
        set_server(tls);
        return 0;
}

int tls_context_new(const struct tls_config *config, struct tls_context **ret_tls, struct err **err) {
        struct tls_context *tls = calloc(1, sizeof(*tls));
        int r = -ENOMEM;

        if (!tls)
                return err_set(err, ENOMEM, "out of memory");
        tls->refs = 1;
        tls->verify = config->verify;
        tls->server = config->side == TLS_SERVER;
        pthread_mutex_init(&tls->lock, NULL);
        pthread_once(&context_slot_once, make_context_slot);
        tls->ctx = SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());
        if (!tls->ctx || SSL_CTX_set_ex_data(tls->ctx, context_slot, tls) != 1)
                r = openssl_error(err, "TLS");
        else
                r = configure(tls, config, err);
        if (r < 0) {
                tls_context_unref(tls);
                return r;
        }
        *ret_tls = tls;
        return 0;
}

struct tls_context *tls_context_ref(struct tls_context *tls) {
        __atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
        return tls;
}

struct tls_context *tls_context_unref(struct tls_context *tls) {
        if (!tls || __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        SSL_SESSION_free(tls->session);
        free(tls->session_name);
        SSL_CTX_free(tls->ctx);
        pthread_mutex_destroy(&tls->lock);
        free(tls);
        return NULL;
}

/* A certificate names a server by DNS or by address (RFC 6125, 6.4; RFC 9110, 4.3.5); only a name may be sent as SNI.
 */
static bool name_peer(SSL *ssl, const char *name) {
        struct ip ip;

        if (ip_parse(name, &ip, NULL) == 0)
                return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip.bytes, ip_size(ip.family)) == 1;
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static void offer_session(struct tls_context *tls, SSL *ssl, const char *name) {
        struct ip ip;

        if (ip_parse(name, &ip, NULL) == 0)
                name = "";
        pthread_mutex_lock(&tls->lock);
        if (tls->session && strcmp(tls->session_name, name) == 0)
                SSL_set_session(ssl, tls->session);
        pthread_mutex_unlock(&tls->lock);
}

struct ssl_st *tls_session_new(struct tls_context *tls, const char *name) {
        SSL *ssl = SSL_new(tls->ctx);

        if (!ssl || (name && !name_peer(ssl, name))) {
                SSL_free(ssl);
                ERR_clear_error();
                return NULL;
        }
        if (tls->server) {
                SSL_set_accept_state(ssl);
                return ssl;
        }
        SSL_set_connect_state(ssl);
        if (name)
                offer_session(tls, ssl, name);
        return ssl;
}

void tls_session_why(const struct ssl_st *session, char ret_why[TLS_WHY_MAX]) {
        long verified = SSL_get_verify_result(session);
        unsigned long code = ERR_get_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        if (verified != X509_V_OK && !SSL_is_init_finished(session))
                reason = X509_verify_cert_error_string(verified);
        snprintf(ret_why, TLS_WHY_MAX, "%s", reason ?: "");
}
