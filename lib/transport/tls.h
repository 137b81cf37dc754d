/* What TLS streams of one purpose share: certificates, trust, protocols, sessions. TLS 1.2 (RFC 5246) and 1.3 (RFC
 * 8446).
 *
 * A context may be used by streams of several loops at a time. It is counted: a certificate is rotated by making a new
 * context; streams of the old one go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct ssl_st;
struct tls_context;

#define TLS_PEM_MAX ((size_t)1 << 20) /* bytes of each PEM text */
#define TLS_PROTOCOLS_MAX 8
#define TLS_WHY_MAX 256 /* bytes of an error's text, with its NUL */

enum tls_verify {
        TLS_VERIFY_NONE,     /* the peer's certificate is not looked at */
        TLS_VERIFY_LATER,    /* servers: clients may come with any certificate; whoever serves them looks at it */
        TLS_VERIFY_OPTIONAL, /* servers: clients may come without a certificate, but not with a wrong one */
        TLS_VERIFY_REQUIRED, /* servers: clients must have one. Clients: the server's must be right, and for its name */
};

struct tls_config {
        enum { TLS_CLIENT, TLS_SERVER } side;
        enum tls_verify verify;
        const char *certificate, *key; /* PEM: the chain, and its key. NULL: none (clients only) */
        const char *authorities;       /* PEM: who vouches for the peer. NULL: whom the system trusts */
        const char *const *protocols;  /* ALPN (RFC 7301), best first, ends with NULL; NULL: no ALPN */
        bool any_time; /* clients: the server's certificates count whatever the clock says, if the first ends behind
                        * @since, in seconds since 1970. For who has one authority, and no clock to be sure of */
        int64_t since;
        bool lenient; /* clients: takes keys of any size, a socket's end for the stream's, and resumes no session */
};

/* Returns 0; -EINVAL when a PEM text is none, too long, or key and certificate do not belong together; -ENOMEM. */
int tls_context_new(const struct tls_config *config, struct tls_context **ret_tls, struct err **err);

struct tls_context *tls_context_ref(struct tls_context *tls);

/* NULL is fine. Returns NULL. */
struct tls_context *tls_context_unref(struct tls_context *tls);

/* For lib/transport: a session that has no socket yet. @name is the peer's name or address, NULL for servers. NULL
 * without memory. */
struct ssl_st *tls_session_new(struct tls_context *tls, const char *name);

/* Why @session failed, in words; "" when OpenSSL has none. Empties this thread's error queue. */
void tls_session_why(const struct ssl_st *session, char ret_why[TLS_WHY_MAX]);
