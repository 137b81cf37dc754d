/* Subject alternative names (RFC 5280, 4.2.1.6) of texts: an address where the text is one, else a DNS name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct stack_st_GENERAL_NAME;
struct x509_st;

/* To be freed by GENERAL_NAMES_free() (_cleanup_names_ of lib/openssl.h); NULL without memory. */
struct stack_st_GENERAL_NAME *x509_names_of(const char *const *texts, size_t n);

/* Whether @certificate has these @n different names, and no others. */
bool x509_names_are(const struct x509_st *certificate, const char *const *texts, size_t n);
