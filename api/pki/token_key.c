#include <errno.h>

#include <openssl/evp.h>

#include "api/pki/internal.h"
#include "lib/err.h"
#include "lib/openssl.h"

static int make_key(const char *directory, char **ret_pem, struct err **err) {
        _cleanup_free_ char *public = NULL, *private = NULL;
        _cleanup_key_ EVP_PKEY *key = NULL;
        int r = pki_key_new(&key, err);

        if (r < 0)
                return r;
        private = pki_key_pem(key);
        public = pki_public_pem(key);
        if (!private || !public)
                return -ENOMEM;
        if ((r = pki_file_write(directory, "sa.key", private, err)) < 0 ||
            (r = pki_file_write(directory, "sa.pub", public, err)) < 0)
                return r;
        *ret_pem = TAKE_PTR(private);
        return r;
}

int pki_token_key_load(const char *directory, char **ret_pem, struct err **err) {
        _cleanup_free_ char *public = NULL, *private = NULL;
        _cleanup_key_ EVP_PKEY *key = NULL;
        int r = pki_file_read(directory, "sa.key", &private, err);

        if (r == -ENOENT && pki_file_read(directory, "sa.pub", &public, err) == 0)
                return err_set(err, EINVAL,
                               "%s/sa.key is missing beside sa.pub: restore it from a backup, or remove sa.pub to make "
                               "a new one, "
                               "with which no token counts that was issued",
                               directory);
        if (r == -ENOENT)
                return make_key(directory, ret_pem, err);
        if (r < 0)
                return r;
        key = pki_key_read(private);
        if (!key)
                return err_set(err, EINVAL,
                               "%s/sa.key is no private key in PEM: restore it from a backup, or remove it and sa.pub "
                               "to make a new "
                               "one, with which no token counts that was issued",
                               directory);
        *ret_pem = TAKE_PTR(private);
        return 0;
}
