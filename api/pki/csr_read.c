#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "api/pki/csr.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/ip.h"
#include "lib/openssl.h"

static void chars_freep(char **text) {
        OPENSSL_free(*text);
}

/* @list has room for PKI_CSR_NAMES_MAX. */
static int add(string_list *list, const char *text, struct err **err) {
        if (!text)
                return -ENOMEM;
        if (list->count == PKI_CSR_NAMES_MAX)
                return err_set(err, E2BIG, "certificate request: more than %d names of a kind", PKI_CSR_NAMES_MAX);
        list->items[list->count++] = text;
        return 0;
}

/* *@ret_text in @arena; -EINVAL for what is no text. */
static int read_string(struct arena *arena, const ASN1_STRING *string, const char **ret_text, struct err **err) {
        _cleanup_openssl_ unsigned char *utf8 = NULL;
        int size = ASN1_STRING_to_UTF8(&utf8, string);

        if (size < 0 || memchr(utf8, '\0', (size_t)size))
                return err_set(err, EINVAL, "certificate request: a name is not text");
        *ret_text = arena_strndup(arena, (const char *)utf8, (size_t)size);
        return *ret_text ? 0 : -ENOMEM;
}

static int read_subject(struct arena *arena, X509_REQ *request, struct pki_csr *csr, struct err **err) {
        X509_NAME *subject = X509_REQ_get_subject_name(request);
        int r;

        for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
                X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
                int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
                const char *text;

                if (nid != NID_commonName && nid != NID_organizationName)
                        continue;
                if ((r = read_string(arena, X509_NAME_ENTRY_get_data(entry), &text, err)) < 0)
                        return r;
                if (nid == NID_commonName)
                        csr->common_name = text;
                else if ((r = add(&csr->organizations, text, err)) < 0)
                        return r;
        }
        return 0;
}

static int add_address(struct arena *arena, const ASN1_OCTET_STRING *bytes, struct pki_csr *csr, struct err **err) {
        int size = ASN1_STRING_length(bytes);
        struct ip ip = { .family = size == 4 ? AF_INET : AF_INET6 };
        char text[IP_TEXT_MAX];

        if (size != 4 && size != 16)
                return err_set(err, EINVAL, "certificate request: an address of %d bytes", size);
        memcpy(ip.bytes, ASN1_STRING_get0_data(bytes), (size_t)size);
        return add(&csr->addresses, arena_strdup(arena, ip_format(&ip, text)), err);
}

static int add_name(struct arena *arena, const GENERAL_NAME *name, struct pki_csr *csr, struct err **err) {
        string_list *list = name->type == GEN_DNS ? &csr->dns : name->type == GEN_EMAIL ? &csr->emails : &csr->uris;
        const char *text;
        int r;

        if (name->type == GEN_IPADD)
                return add_address(arena, name->d.iPAddress, csr, err);
        if (name->type != GEN_DNS && name->type != GEN_EMAIL && name->type != GEN_URI)
                return 0;
        r = read_string(arena, name->d.ia5, &text, err);
        return r < 0 ? r : add(list, text, err);
}

static int read_names(struct arena *arena, X509_REQ *request, struct pki_csr *csr, struct err **err) {
        _cleanup_extensions_ STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        _cleanup_names_ GENERAL_NAMES *names = NULL;
        int critical = -1, r = 0;

        names = X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
        ERR_clear_error();
        if (!names && critical != -1)
                return err_set(err, EINVAL, "certificate request: its subjectAltName cannot be read");
        for (int i = 0; r >= 0 && i < sk_GENERAL_NAME_num(names); i++)
                r = add_name(arena, sk_GENERAL_NAME_value(names, i), csr, err);
        return r;
}

static int check_key(X509_REQ *request, struct err **err) {
        EVP_PKEY *key = X509_REQ_get0_pubkey(request);
        int good = key ? X509_REQ_verify(request, key) : 0;

        ERR_clear_error();
        if (good != 1)
                return err_set(err, EINVAL, "certificate request: its signature is not its key's");
        return EVP_PKEY_get_security_bits(key) >= 80 ?
                       0 :
                       err_set(err, EINVAL, "certificate request: its key is too short");
}

static int prepare(struct arena *arena, struct pki_csr *csr) {
        string_list *lists[] = { &csr->organizations, &csr->dns, &csr->addresses, &csr->emails, &csr->uris };

        csr->common_name = "";
        for (unsigned i = 0; i < ELEMENTS(lists); i++) {
                lists[i]->items = arena_alloc_array(arena, PKI_CSR_NAMES_MAX, sizeof(*lists[i]->items));
                if (!lists[i]->items)
                        return -ENOMEM;
        }
        return 0;
}

static int keep_der(struct arena *arena, X509_REQ *request, struct pki_csr *csr) {
        _cleanup_openssl_ unsigned char *der = NULL;
        int size = i2d_X509_REQ(request, &der);
        void *copy = size > 0 ? arena_alloc(arena, (size_t)size) : NULL;

        if (!copy)
                return -ENOMEM;
        memcpy(copy, der, (size_t)size);
        csr->der = copy;
        csr->size = (size_t)size;
        return 0;
}

static int open_request(const void *pem, size_t size, X509_REQ **ret_request, struct err **err) {
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)size);
        _cleanup_(chars_freep) char *name = NULL, *header = NULL;
        _cleanup_openssl_ unsigned char *data = NULL;
        const unsigned char *at;
        long length = 0;
        int found = bio ? PEM_read_bio(bio, &name, &header, &data, &length) : 0;

        ERR_clear_error();
        if (found != 1 || strcmp(name, PEM_STRING_X509_REQ) != 0)
                return err_set(err, EINVAL, "PEM block type must be CERTIFICATE REQUEST");
        at = data;
        *ret_request = d2i_X509_REQ(NULL, &at, length);
        ERR_clear_error();
        if (*ret_request && at == data + length)
                return 0;
        X509_REQ_free(*ret_request);
        return err_set(err, EINVAL, "certificate request: it is no PKCS#10");
}

static int read_parts(struct arena *arena, X509_REQ *request, struct pki_csr *csr, struct err **err) {
        int r;

        if ((r = prepare(arena, csr)) < 0 || (r = check_key(request, err)) < 0 ||
            (r = read_subject(arena, request, csr, err)) < 0 || (r = read_names(arena, request, csr, err)) < 0)
                return r;
        return keep_der(arena, request, csr);
}

int pki_csr_read(struct arena *arena, const void *pem, size_t size, struct pki_csr *ret_csr, struct err **err) {
        struct pki_csr csr = { .arena = arena };
        X509_REQ *request = NULL;
        int r;

        if (size > PKI_CSR_MAX)
                return err_set(err, E2BIG, "certificate request: more than %zu bytes", PKI_CSR_MAX);
        r = open_request(pem, size, &request, err);
        if (r < 0)
                return r;
        r = read_parts(arena, request, &csr, err);
        X509_REQ_free(request);
        if (r >= 0)
                *ret_csr = csr;
        return r;
}
