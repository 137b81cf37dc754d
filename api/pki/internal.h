/* Shared by the files of this room alone. */
#pragma once

#include "api/pki/certificate.h"
#include "api/pki/pki.h"

struct stack_st_X509_EXTENSION;

/* Extensions of certificates that are made. */
int pki_extend(struct x509_st *certificate, struct x509_st *issuer, int nid, const char *value, struct err **err);

/* A random serial number, both ends of validity, the public key. */
int pki_certificate_begin(struct x509_st *certificate, struct evp_pkey_st *key, int64_t begins, int64_t ends,
                          struct err **err);

/* The text of DIR/admin.kubeconfig, allocated; NULL without memory. */
char *pki_kubeconfig(const char *server, const char *authority, const char *certificate, const char *key);

/* PATH/NAME as text; -ENOENT without an error's text. */
int pki_file_read(const char *directory, const char *name, char **ret_text, struct err **err);
int pki_file_write(const char *directory, const char *name, const char *text, struct err **err);
