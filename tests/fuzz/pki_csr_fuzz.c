/* A certificate signing request, DER behind a byte that says which signer it is for (odd: PEM, as it is): what a signer
 * takes is signed, is no authority, and reads with the names that were checked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "api/pki/certificate.h"
#include "api/pki/csr.h"
#include "lib/arena.h"
#include "lib/files.h"
#include "lib/openssl.h"

#define NOW INT64_C(1796000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pki *pki;

static void begin(void) {
        char directory[] = "/tmp/nacelle-csr-fuzz-XXXXXX";
        struct pki_config config = { directory, "https://127.0.0.1", NULL, "cluster.local" };

        if (pki)
                return;
        if (!mkdtemp(directory) || pki_open(&config, NOW, &pki, NULL) < 0)
                abort();
        files_remove_tree(directory, NULL);
}

static void check(struct arena *arena, const struct pki_csr *csr, const struct pki_csr_spec *spec) {
        _cleanup_x509_ X509 *certificate = NULL;
        struct pki_csr_spec now = *spec;
        const char *pem;

        if (pki_csr_check(csr, spec, NULL) < 0 || pki_csr_sign(pki, csr, &now, &pem, NULL) < 0)
                return;
        certificate = pki_certificate_read(pem);
        if (!certificate || X509_check_ca(certificate) != 0 ||
            !pki_certificate_signed_by(certificate, pki_authority(pki)))
                abort();
        if (strcmp(spec->signer, PKI_SIGNER_CLIENT) != 0 && strncmp(csr->common_name, "system:node:", 12) != 0)
                abort();
}

/* In a PEM block. */
static char *wrap(struct arena *arena, const uint8_t *der, size_t size) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *copy;
        long n;

        PEM_write_bio(bio, PEM_STRING_X509_REQ, "", der, (long)size);
        n = BIO_get_mem_data(bio, &text);
        copy = arena_strndup(arena, text, (size_t)n);
        BIO_free(bio);
        return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *client[] = { "digital signature", "client auth" },
                          *server[] = { "digital signature", "server auth" };
        const struct pki_csr_spec specs[] = {
                { .signer = PKI_SIGNER_CLIENT, .usages = { client, 2 } },
                { .signer = PKI_SIGNER_KUBELET_CLIENT, .usages = { client, 2 } },
                { .signer = PKI_SIGNER_KUBELET_SERVING, .usages = { server, 2 } },
        };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pki_csr csr;
        const char *pem;

        begin();
        if (size == 0)
                return 0;
        pem = data[0] % 2 ? arena_strndup(arena, (const char *)data + 1, size - 1) : wrap(arena, data + 1, size - 1);
        if (pki_csr_read(arena, pem, strlen(pem), &csr, NULL) == 0)
                check(arena, &csr, &specs[data[0] / 2 % 3]);
        return 0;
}
