#include "lib/x509_names.h"

#include <string.h>

#include <openssl/x509v3.h>

#include "lib/ip.h"
#include "lib/openssl.h"

static GENERAL_NAME *name_of(const char *text) {
        struct ip ip;
        bool address = ip_parse(text, &ip, NULL) == 0;
        ASN1_STRING *string = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
        GENERAL_NAME *name = GENERAL_NAME_new();
        const void *bytes = address ? (const void *)ip.bytes : text;

        if (!name || !string ||
            ASN1_STRING_set(string, bytes, (int)(address ? ip_size(ip.family) : strlen(text))) != 1) {
                GENERAL_NAME_free(name);
                ASN1_STRING_free(string);
                return NULL;
        }
        GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, string);
        return name;
}

GENERAL_NAMES *x509_names_of(const char *const *texts, size_t n) {
        GENERAL_NAMES *names = GENERAL_NAMES_new();

        for (size_t i = 0; names && i < n; i++) {
                GENERAL_NAME *name = name_of(texts[i]);

                if (!name || sk_GENERAL_NAME_push(names, name) == 0) {
                        GENERAL_NAME_free(name);
                        GENERAL_NAMES_free(names);
                        return NULL;
                }
        }
        return names;
}

static bool has_name(GENERAL_NAMES *names, const char *text) {
        GENERAL_NAME *wanted = name_of(text);
        bool found = false;

        for (int i = 0; wanted && !found && i < sk_GENERAL_NAME_num(names); i++)
                found = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), wanted) == 0;
        GENERAL_NAME_free(wanted);
        return found;
}

bool x509_names_are(const X509 *certificate, const char *const *texts, size_t n) {
        _cleanup_names_ GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

        if (n != (names ? (size_t)sk_GENERAL_NAME_num(names) : 0))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!has_name(names, texts[i]))
                        return false;
        return true;
}
