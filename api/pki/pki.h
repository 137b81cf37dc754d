/* The service's keys and certificates: made at the first start, kept in DIR/pki, renewed by themselves.
 *
 *     ca.crt ca.key                  the cluster's authority: serving, clients, CSRs          10 years
 *     front-proxy-ca.crt .key        who vouches for an aggregator's headers                   10 years
 *     apiserver.crt .key             serving: addresses and names that clients use              1 year
 *     front-proxy-client.crt .key    what the service shows to aggregated APIs                  1 year
 *     apiserver-kubelet-client.crt   what it shows to kubelets                                  1 year
 *     admin.crt .key                 CN=kubernetes-admin, O=system:masters                      1 year
 *     sa.key sa.pub                  signs service account tokens
 *     DIR/admin.kubeconfig           made of admin.crt, anew with it
 *
 * All are EC P-256. Files are 0600 (certificates too), DIR/pki 0700, each put in place by rename and synced; a key
 * comes before its certificate, and a leaf that does not fit its key is made anew, so that a crash between the two
 * leaves nothing to repair. The keys of authorities and tokens are never made anew, since all that was signed would be
 * void: one that is not readable is an error that says which file to restore.
 *
 * The clock is not trusted. A certificate begins PKI_BACKDATE before now; the authorities' not after PKI_CLOCK_FLOOR,
 * before which no clock was right, and nothing ends as if now were earlier than that. A leaf is made anew after two
 * thirds of its life, when it is not valid yet, and when it ends later than one made now would: whatever the clock did,
 * the next look makes it fit. An authority's certificate is made anew with the same key and name, so that who trusts
 * the old one goes on to trust what is signed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct evp_pkey_st;
struct pki;
struct x509_st;

#define PKI_CLOCK_FLOOR INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define PKI_BACKDATE ((int64_t)24 * 3600)
#define PKI_LEAF_SECONDS ((int64_t)365 * 24 * 3600)
#define PKI_AUTHORITY_SECONDS ((int64_t)3650 * 24 * 3600)
#define PKI_NAMES_MAX 64 /* of the serving certificate */
#define PKI_FILE_MAX ((size_t)64 << 10)

struct pki_config {
        const char *directory;    /* --data-dir */
        const char *server;       /* of the kubeconfig: "https://127.0.0.1:6443" */
        const char *const *names; /* of the serving certificate beside the usual ones: addresses and DNS names, ends
                                   * with NULL: the bind address, the first service address, the host's name */
        const char *domain;       /* "cluster.local" */
};

enum pki_file {
        PKI_AUTHORITY,
        PKI_FRONT_PROXY_AUTHORITY,
        PKI_SERVING,
        PKI_FRONT_PROXY_CLIENT,
        PKI_KUBELET_CLIENT,
        PKI_ADMIN,
        PKI_FILES,
};

/* Reads what is there and makes what is not, at @now (seconds since 1970). Blocks: at start, or on the pool.
 * -EBUSY: another process has it, which would make others. */
int pki_open(const struct pki_config *config, int64_t now, struct pki **ret_pki, struct err **err);
struct pki *pki_free(struct pki *pki);

/* When to look next: the earliest time at which something is due; at most a day after @now, since clocks are set. Look
 * also when the clock was set (CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET). */
int64_t pki_due(const struct pki *pki, int64_t now);

/* Makes anew what is due at @now. *@ret_changed: a bit (1 << enum pki_file) for each, to be taken into use by whoever
 * has the old one (a new TLS context). Blocks. What could not be made is an error, and the old one goes on. */
int pki_renew(struct pki *pki, int64_t now, unsigned *ret_changed, struct err **err);

/* PEM texts, valid until pki_renew() or pki_free(). */
const char *pki_certificate(const struct pki *pki, enum pki_file file);
const char *pki_key(const struct pki *pki, enum pki_file file);
const char *pki_token_key(const struct pki *pki); /* the private key of sa.key */

/* For signing CSRs (api/pki/csr.h). */
struct x509_st *pki_authority(const struct pki *pki);
struct evp_pkey_st *pki_authority_key(const struct pki *pki);
