#include "lib/x509_pem.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/arena.h"
#include "lib/openssl.h"
#include "lib/texts.h"

#define NO_MEMORY "out of memory"
#define BROKEN "asn1: structure error: tags don't match"

/* One block. */
struct block {
        char *type, *header;
        unsigned char *data;
        long size;
};

static void block_clear(struct block *b) {
        OPENSSL_free(b->type);
        OPENSSL_free(b->header);
        OPENSSL_free(b->data);
        *b = (struct block){ 0 };
}

static BIO *open_text(const struct x509_text *text) {
        return text->size <= INT_MAX ? BIO_new_mem_buf(text->size ? text->data : "", (int)text->size) : NULL;
}

/* The next block that is one: what begins as one and is none is passed over. */
static bool next_block(BIO *bio, struct block *ret) {
        block_clear(ret);
        while (!PEM_read_bio(bio, &ret->type, &ret->header, &ret->data, &ret->size)) {
                unsigned long error = ERR_peek_last_error();
                bool ends = ERR_GET_REASON(error) == PEM_R_NO_START_LINE || BIO_pending(bio) == 0;

                ERR_clear_error();
                if (ends)
                        return false;
        }
        return true;
}

/* --- requests --- */

static const char *signature_problem(X509_REQ *request, EVP_PKEY *key) {
        int result = key ? X509_REQ_verify(request, key) : -1;

        ERR_clear_error();
        if (result == 1)
                return NULL;
        switch (key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
        case EVP_PKEY_RSA:
                return "crypto/rsa: verification error";
        case EVP_PKEY_EC:
                return "x509: ECDSA verification failure";
        case EVP_PKEY_ED25519:
                return "x509: Ed25519 verification failure";
        default:
                return "x509: cannot verify signature: algorithm unimplemented";
        }
}

static const char *read_request(const struct block *b) {
        const unsigned char *at = b->data;
        _cleanup_request_ X509_REQ *request = d2i_X509_REQ(NULL, &at, b->size);
        _cleanup_key_ EVP_PKEY *key = request ? X509_REQ_get_pubkey(request) : NULL;

        ERR_clear_error();
        if (!request)
                return BROKEN;
        return at < b->data + b->size ? "asn1: syntax error: trailing data" : signature_problem(request, key);
}

const char *x509_request_problem(struct arena *arena, const struct x509_text *pem) {
        _cleanup_bio_ BIO *bio = open_text(pem);
        _cleanup_(block_clear) struct block b = { 0 };

        (void)arena;
        if (!bio)
                return NO_MEMORY;
        if (!next_block(bio, &b) || strcmp(b.type, "CERTIFICATE REQUEST") != 0)
                return "PEM block type must be CERTIFICATE REQUEST";
        return read_request(&b);
}

/* --- pairs --- */

/* Which blocks were passed over. */
struct passed {
        char *types; /* "A B"; of one, it is that */
        size_t length;
        unsigned n;
};

/* All types together are shorter than the @pem that they stand in. */
static bool pass(struct arena *arena, const struct x509_text *pem, struct passed *p, const char *type) {
        size_t n = strlen(type);

        if (!p->types)
                p->types = arena_alloc(arena, pem->size + 1);
        if (!p->types)
                return false;
        if (p->n++ > 0)
                p->types[p->length++] = ' ';
        memcpy(p->types + p->length, type, n + 1);
        p->length += n;
        return true;
}

static bool is_key(const char *type) {
        return strcmp(type, "PRIVATE KEY") == 0 || texts_end_in(type, " PRIVATE KEY");
}

static bool is_certificate(const char *type) {
        return strcmp(type, "CERTIFICATE") == 0;
}

static const char *no_certificate(struct arena *arena, const struct passed *p) {
        if (p->n == 0)
                return "tls: failed to find any PEM data in certificate input";
        if (p->n == 1 && texts_end_in(p->types, "PRIVATE KEY"))
                return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM "
                       "inputs may have been switched";
        return arena_printf(arena,
                            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM "
                            "blocks of the following types: [%s]",
                            p->types) ?:
                       NO_MEMORY;
}

static const char *no_key(struct arena *arena, const struct passed *p) {
        if (p->n == 0)
                return "tls: failed to find any PEM data in key input";
        if (p->n == 1 && is_certificate(p->types))
                return "tls: found a certificate rather than a key in the PEM for the private key";
        return arena_printf(arena,
                            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after "
                            "skipping PEM blocks of the following types: [%s]",
                            p->types) ?:
                       NO_MEMORY;
}

/* The first block that is wanted; else what is said of those that were passed over. */
static const char *find_block(struct arena *arena, const struct x509_text *pem, bool (*wanted)(const char *type),
                              const char *(*none)(struct arena *arena, const struct passed *p), struct block *ret) {
        _cleanup_bio_ BIO *bio = open_text(pem);
        struct passed passed = { 0 };

        if (!bio)
                return NO_MEMORY;
        while (next_block(bio, ret)) {
                if (wanted(ret->type))
                        return NULL;
                if (!pass(arena, pem, &passed, ret->type))
                        return NO_MEMORY;
        }
        return none(arena, &passed);
}

static const char *match(X509 *certificate, EVP_PKEY *key) {
        EVP_PKEY *public = X509_get0_pubkey(certificate);
        int type = public ? EVP_PKEY_get_base_id(public) : EVP_PKEY_NONE;
        bool same;

        if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC && type != EVP_PKEY_ED25519)
                return "tls: unknown public key algorithm";
        if (EVP_PKEY_get_base_id(key) != type)
                return "tls: private key type does not match public key type";
        same = EVP_PKEY_eq(public, key) == 1;
        ERR_clear_error();
        return same ? NULL : "tls: private key does not match public key";
}

const char *x509_pair_problem(struct arena *arena, const struct x509_text *certificate, const struct x509_text *key) {
        _cleanup_(block_clear) struct block shown = { 0 }, secret = { 0 };
        const char *problem = find_block(arena, certificate, is_certificate, no_certificate, &shown);
        _cleanup_x509_ X509 *parsed = NULL;
        _cleanup_key_ EVP_PKEY *private = NULL;
        const unsigned char *at;

        if (problem || (problem = find_block(arena, key, is_key, no_key, &secret)))
                return problem;
        at = shown.data;
        parsed = d2i_X509(NULL, &at, shown.size);
        ERR_clear_error();
        if (!parsed)
                return "x509: malformed certificate";
        at = secret.data;
        private = d2i_AutoPrivateKey(NULL, &at, secret.size);
        ERR_clear_error();
        return private ? match(parsed, private) : "tls: failed to parse private key";
}
