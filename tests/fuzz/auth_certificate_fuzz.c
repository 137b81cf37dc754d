/* A client's certificate in DER, any bytes: none that our authority has not signed is anybody's. With the first byte
 * even the certificate that can be read is signed by it first: then its names are text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "api/auth/authenticate.h"
#include "api/pki/certificate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/openssl.h"
#include "lib/utf8.h"

#define NOW INT64_C(1796000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static X509 *authority;
static struct auth_authenticator *authenticator;

static void begin(void) {
        struct pki_order order = { .common_name = "ca", .begins = 0, .ends = 2 * NOW, .authority = true };
        _cleanup_free_ char *pem = NULL;
        struct auth_config config = { 0 };

        if (authenticator)
                return;
        if (pki_key_new(&key, NULL) < 0 || pki_certificate_new(&order, key, NULL, NULL, &authority, NULL) < 0)
                abort();
        pem = pki_certificate_pem(authority);
        config.authorities = pem;
        if (auth_authenticator_new(&config, &authenticator, NULL) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_x509_ X509 *certificate = NULL;
        const unsigned char *at = data + 1;
        struct auth_identity identity;
        bool ours;

        begin();
        if (size == 0)
                return 0;
        ours = data[0] % 2 == 0;
        certificate = d2i_X509(NULL, &at, (long)size - 1);
        if (!certificate)
                return 0;
        if (ours && (X509_set_issuer_name(certificate, X509_get_subject_name(authority)) != 1 ||
                     X509_sign(certificate, key, EVP_sha256()) == 0))
                return 0;
        if (auth_certificate(authenticator, &(struct auth_credentials){ .certificate = certificate }, NOW, arena,
                             &identity, NULL) < 0)
                return 0;
        if (!ours || !identity.user.name[0] || !utf8_valid(identity.user.name, strlen(identity.user.name)))
                abort();
        return 0;
}
