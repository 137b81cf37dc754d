/* What the server shows and whom it trusts: made at the first start (api/pki), or given by files; renewed while it
 * runs. Of one thread, which may block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api_access;
struct api_config;
struct api_credentials;
struct api_keeper;
struct api_server;
struct err;
struct pki_csr;
struct pki_csr_spec;
struct tls_context;

/* Reads the files, and makes those of api/pki that are missing. */
int api_credentials_open(const struct api_config *config, struct api_credentials **ret_credentials, struct err **err);
struct api_credentials *api_credentials_free(struct api_credentials *credentials); /* NULL is fine */

/* PEM, valid until the next renewal: who signs clients' certificates; the key of service account tokens. */
const char *api_credentials_authorities(const struct api_credentials *credentials);
const char *api_credentials_authority(const struct api_credentials *credentials); /* who signed what the server shows */
/* Signs as the cluster's authority, as pki_csr_sign(). From any thread. */
int api_credentials_sign(struct api_credentials *credentials, const struct pki_csr *csr,
                         const struct pki_csr_spec *spec, const char **ret_pem, struct err **err);
/* Whether what the server shows is for @name, an address or a DNS name. From any thread. */
bool api_credentials_name(struct api_credentials *credentials, const char *name);
const char *api_credentials_token_key(const struct api_credentials *credentials);

/* What connections are made with from now on; one reference. */
int api_credentials_tls(const struct api_credentials *credentials, struct tls_context **ret_tls, struct err **err);

/* The same of connections to kubelets. */
int api_credentials_kubelet_tls(const struct api_credentials *credentials, struct tls_context **ret_tls,
                                struct err **err);

/* A timer that is readable when something is due, and whenever the wall clock was set: to be closed, and to be passed
 * to api_credentials_renew() then. */
int api_credentials_timer(const struct api_credentials *credentials, int *ret_fd, struct err **err);

/* Makes anew what is due, has @server, @access and @keeper use it, and arms @timer for the next time. What fails is
 * logged; the old ones go on. */
void api_credentials_renew(struct api_credentials *credentials, int timer, struct api_server *server,
                           struct api_access *access, struct api_keeper *keeper);
