#include "images/worker/auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "images/worker/challenge.h"
#include "images/worker/endpoints.h"
#include "images/worker/token.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define SECRET_MAX 8192

int auth_basic(const char *host, const char *username, const char *password, char **ret, struct err **err) {
        _cleanup_free_ unsigned char *plain = NULL, *coded = NULL;
        int n = asprintf((char **)&plain, "%s:%s", username, password);

        if (n < 0) {
                plain = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        coded = n < SECRET_MAX ? malloc((size_t)n * 4 / 3 + 8) : NULL;
        if (!coded)
                return err_set(err, EINVAL, "the credentials for %s are too long", host);
        EVP_EncodeBlock(coded, plain, n);
        explicit_bzero(plain, (size_t)n);
        return asprintf(ret, "Basic %s", coded) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int basic_value(const struct endpoint *e, char **ret, struct err **err) {
        if (!e->username || !e->password)
                return err_set(err, EACCES, "%s wants credentials, and there are none for it", e->host);
        return auth_basic(e->host, e->username, e->password, ret, err);
}

static bool is_scheme(const struct challenge *c, const char *scheme) {
        return strcasecmp(c->scheme, scheme) == 0;
}

/* The challenge that is answered: a token where one is to be had, else credentials. NULL when neither is asked for. */
static const struct challenge *choose(const struct endpoint *e, const struct challenges *list) {
        const struct challenge *chosen = NULL;

        for (size_t i = 0; i < list->count; i++) {
                const struct challenge *c = &list->items[i];

                if (is_scheme(c, "Bearer") && token_server_allowed(e, c->realm))
                        return c;
                if (is_scheme(c, "Basic") || (is_scheme(c, "Bearer") && !chosen))
                        chosen = c;
        }
        return chosen;
}

int auth_answer(struct http *http, const struct endpoint *e, const char *challenges, const char *scope,
                char **ret_value, struct err **err) {
        _cleanup_challenges_ struct challenges list = { .count = 0 };
        const struct challenge *c;

        if (e->registry_token)
                return asprintf(ret_value, "Bearer %s", e->registry_token) < 0 ? err_set(err, ENOMEM, "out of memory") :
                                                                                 0;
        if (challenges_parse(challenges ?: "", &list) < 0)
                return err_set(err, ENOMEM, "out of memory");
        c = choose(e, &list);
        if (!c)
                return err_set(err, EACCES, "%s refuses access and does not say what it wants", e->host);
        return is_scheme(c, "Basic") ? basic_value(e, ret_value, err) : token_fetch(http, e, c, scope, ret_value, err);
}

bool auth_scope_is_open(const struct endpoint *e, const char *challenges) {
        _cleanup_challenges_ struct challenges list = { .count = 0 };
        const struct challenge *c;

        if (e->registry_token || challenges_parse(challenges ?: "", &list) < 0)
                return false;
        c = choose(e, &list);
        return c && is_scheme(c, "Bearer") && !c->scope;
}
