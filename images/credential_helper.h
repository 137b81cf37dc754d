/* Credentials kept by programs of their own: the protocol of docker-credential-helpers.
 *
 * docker-credential-NAME, found by PATH, is run with what to do as its argument: "get" and "erase" with the server on
 * its standard input, "store" with an object {ServerURL, Username, Secret}; "get" answers with such an object. It is
 * neither run by a shell nor waited for longer than CREDENTIAL_HELPER_TIMEOUT_MS. No error holds what it answered to a
 * successful "get". Blocks: for the pool, or for programs without a loop.
 */
#pragma once

#include <stddef.h>

struct err;

#define CREDENTIAL_HELPER_PREFIX "docker-credential-"
#define CREDENTIAL_HELPER_NAME_MAX 64
#define CREDENTIAL_HELPER_OUTPUT_MAX 32768 /* bytes of an answer */
#define CREDENTIAL_HELPER_TIMEOUT_MS 30000
/* Where PATH is not set. */
#define CREDENTIAL_HELPER_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct credential_helper {
        const char *name;         /* "pass"; without the prefix */
        const char *file, *field; /* where it is named: config.json and "credsStore", for errors */
        int timeout_ms;           /* 0: CREDENTIAL_HELPER_TIMEOUT_MS */
        int cancel_fd;            /* ends it when it becomes readable; negative: none */
};

/* What "get" brought: a user and password, or a token alone. */
struct credentials {
        char *username, *password; /* NULL: @identity_token */
        char *identity_token;
};

/* Returns 1, 0 when the helper has none for @server, or a negative errno with an error that names file, field and
 * helper: -EINVAL (its name, its answer), -ENOENT (it is not installed), -E2BIG, -ETIMEDOUT, -ECANCELED, -EIO (it
 * failed). Clear the credentials with image_credentials_clear(). */
int image_credential_helper_get(const struct credential_helper *helper, const char *server,
                                struct credentials *ret_credentials, struct err **err);

/* Returns 0 or a negative errno, as above. */
int image_credential_helper_store(const struct credential_helper *helper, const char *server, const char *username,
                                  const char *password, struct err **err);

/* Returns 1, 0 when there was nothing to erase, or a negative errno. */
int image_credential_helper_erase(const struct credential_helper *helper, const char *server, struct err **err);

/* Asks the helper that docker's config @file names for @host, where it names one. Returns as
 * image_credential_helper_get(); 0 also when there is no file or no helper in it. @cancel_fd as above. */
int image_credential_helper_ask(const char *file, const char *host, int cancel_fd, struct credentials *ret_credentials,
                                struct err **err);

/* Wipes and frees. */
void image_credentials_clear(struct credentials *credentials);
#define _cleanup_credentials_ __attribute__((cleanup(image_credentials_clear)))
