/* The other end of a connection that a fuzzer speaks at: a socket with its bytes in it, and TLS contexts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/transport/tls.h"
#include "tests/fuzz/frames.h"

enum { PEER_1, PEER_2, PEER_TLS, PEER_KINDS };

/* What the peer sends for the input: bytes as they are, or as frames behind what begins a connection. */
static inline size_t peer_bytes(int kind, bool client, const uint8_t *data, size_t size, uint8_t *out, size_t room) {
        size_t n = 0;

        if (kind != PEER_2) {
                n = size < room ? size : room;
                memcpy(out, data, n);
                return n;
        }
        if (client) {
                memcpy(out, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
                n = NGHTTP2_CLIENT_MAGIC_LEN;
        }
        memcpy(out + n, frames_settings, sizeof(frames_settings));
        n += sizeof(frames_settings);
        return n + frames_make(data, size, 256, out + n, room - n);
}

static inline char *peer_text(BIO *bio) {
        char *text, *copy;
        long n = BIO_get_mem_data(bio, &text);

        copy = strndup(text, (size_t)n);
        BIO_free(bio);
        return copy;
}

/* With a certificate of its own making. */
static inline struct tls_context *peer_tls(bool server) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        struct tls_config config = { .side = server ? TLS_SERVER : TLS_CLIENT, .protocols = protocols };
        BIO *certificate_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = X509_new();
        struct tls_context *tls;

        X509_set_pubkey(certificate, key);
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
        X509_sign(certificate, key, EVP_sha256());
        PEM_write_bio_X509(certificate_pem, certificate);
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL);
        config.certificate = peer_text(certificate_pem);
        config.key = peer_text(key_pem);
        if (tls_context_new(&config, &tls, NULL) < 0)
                abort();
        free((char *)(uintptr_t)config.certificate);
        free((char *)(uintptr_t)config.key);
        X509_free(certificate);
        EVP_PKEY_free(key);
        return tls;
}
