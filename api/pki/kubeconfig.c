#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pki/internal.h"
#include "lib/base64.h"

static char *base64_of(const char *text) {
        char *encoded = malloc(BASE64_LENGTH(strlen(text)) + 1);

        if (encoded)
                base64_encode(text, strlen(text), encoded);
        return encoded;
}

char *pki_kubeconfig(const char *server, const char *authority, const char *certificate, const char *key) {
        _cleanup_free_ char *ca = base64_of(authority), *cert = base64_of(certificate), *secret = base64_of(key);
        char *text = NULL;

        if (!ca || !cert || !secret ||
            asprintf(&text,
                     "apiVersion: v1\n"
                     "kind: Config\n"
                     "clusters:\n"
                     "- name: kubernetes\n"
                     "  cluster:\n"
                     "    server: %s\n"
                     "    certificate-authority-data: %s\n"
                     "users:\n"
                     "- name: kubernetes-admin\n"
                     "  user:\n"
                     "    client-certificate-data: %s\n"
                     "    client-key-data: %s\n"
                     "contexts:\n"
                     "- name: kubernetes-admin@kubernetes\n"
                     "  context:\n"
                     "    cluster: kubernetes\n"
                     "    user: kubernetes-admin\n"
                     "current-context: kubernetes-admin@kubernetes\n",
                     server, ca, cert, secret) < 0)
                return NULL;
        return text;
}
