/* Shared by the files of this room alone. */
#pragma once

#include "api/pki/certificate.h"
#include "api/pki/pki.h"

struct arena;

/* Extensions of certificates that are made. */
int pki_extend(struct x509_st *certificate, struct x509_st *issuer, int nid, const char *value, struct err **err);

/* A random serial number, both ends of validity, the public key. */
int pki_certificate_begin(struct x509_st *certificate, struct evp_pkey_st *key, int64_t begins, int64_t ends,
                          struct err **err);

/* The text of DIR/admin.kubeconfig, allocated; NULL without memory. */
char *pki_kubeconfig(const char *server, const char *authority, const char *certificate, const char *key);

/* The names of the serving certificate, each once, in @arena. -EINVAL for what is no name, -E2BIG. */
int pki_serving_names(struct arena *arena, const struct pki_config *config, string_list *ret_names, struct err **err);

/* DIRECTORY/sa.key, made where it never was; allocated. */
int pki_token_key_load(const char *directory, char **ret_pem, struct err **err);

/* PATH/NAME as text; -ENOENT without an error's text. */
int pki_file_read(const char *directory, const char *name, char **ret_text, struct err **err);
int pki_file_write(const char *directory, const char *name, const char *text, struct err **err);
