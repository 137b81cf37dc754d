/* Certificates that clients show: who vouches for them, whether they count, and whom they name. As Go's crypto/x509
 * and Kubernetes' x509 request authenticator have it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct stack_st_X509;
struct x509_st;
struct x509_store_st;

#define X509_AUTHORITIES_MAX ((size_t)1 << 20) /* bytes of their PEM text */
#define X509_CHAIN_MAX 8                       /* certificates between a client's and an authority */

/* Who vouches, of a text in PEM. As in Go any of them ends a chain, also one that another has signed. -EINVAL: it holds
 * no certificate; -ENOMEM. */
int x509_authorities_read(const char *pem, struct x509_store_st **ret_authorities, struct err **err);

/* Whether @certificate is a client's, at @now (seconds since 1970; X509_ANY_TIME: its time does not matter), by way of
 * @others (NULL: none). *@ret_until: when the first of the chain ends. 0; -EACCES with its subject and what is wrong;
 * -EKEYEXPIRED likewise, where that is the time; -ENOMEM. */
#define X509_ANY_TIME INT64_C(-1)
int x509_check_client(struct x509_store_st *authorities, struct x509_st *certificate, struct stack_st_X509 *others,
                      int64_t now, int64_t *ret_until, struct err **err);

#define X509_USER_UID "1.3.6.1.4.1.57683.2" /* a user's uid in a subject (KEP-4828) */

/* Of a subject: CN, the O's in their order, the uid of KEP-4828; and what tells the certificate from others. */
#define X509_ORGANIZATIONS_MAX 256
#define X509_CREDENTIAL_SIZE sizeof("X509SHA256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
struct x509_subject {
        const char *name, *uid; /* NULL: none */
        const char *organizations[X509_ORGANIZATIONS_MAX];
        size_t n_organizations;
        char credential[X509_CREDENTIAL_SIZE]; /* "X509SHA256=HEX" */
};

/* Texts are in @arena. -EACCES: it is no text, or too much of it; -ENOMEM. */
int x509_subject_read(struct arena *arena, struct x509_st *certificate, struct x509_subject *ret_subject,
                      struct err **err);

void x509_storep(struct x509_store_st **authorities);
#define _cleanup_x509_authorities_ __attribute__((cleanup(x509_storep)))
