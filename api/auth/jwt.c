#include "api/auth/jwt.h"

#include <errno.h>
#include <string.h>

#include "api/auth/authenticate.h"
#include "api/auth/keys_internal.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

/* A header holds three short members; claims the audiences, some names and what bounds them. */
#define NODES_MAX 4096
#define DEPTH_MAX 16

static int decode(struct arena *arena, const char *text, size_t n, const uint8_t **ret_data, size_t *ret_size) {
        uint8_t *data = arena_alloc(arena, n + 1);
        int64_t size;

        if (!data)
                return -ENOMEM;
        size = base64_url_decode(text, n, data);
        if (size < 0)
                return -EINVAL;
        *ret_data = data;
        *ret_size = (size_t)size;
        return 0;
}

/* A part that is a JSON map. */
static int decode_map(struct arena *arena, const char *what, const char *text, size_t n, const struct value **ret_map,
                      struct err **err) {
        const struct value_options options = { .name = what, .nodes_max = NODES_MAX };
        const uint8_t *json;
        size_t size;
        int r = decode(arena, text, n, &json, &size);

        if (r < 0)
                return r == -ENOMEM ? r : err_set(err, EINVAL, "%s: no base64url", what);
        r = json_parse(arena, (const char *)json, size, &options, ret_map, err);
        if (r < 0)
                return r;
        if (!value_is(*ret_map, VALUE_MAP) || value_depth(*ret_map) > DEPTH_MAX)
                return err_set(err, EINVAL, "%s: it is no map, or too deep", what);
        return 0;
}

static int read_header(struct arena *arena, const char *text, size_t n, struct auth_jwt *jwt, struct err **err) {
        const struct value *header, *key_id;
        int r = decode_map(arena, "the token's header", text, n, &header, err);

        if (r < 0)
                return r;
        jwt->algorithm = value_string(value_get(header, "alg"));
        key_id = value_get(header, "kid");
        jwt->key_id = value_string(key_id);
        if (!jwt->algorithm || (key_id && !jwt->key_id))
                return err_set(err, EINVAL, "the token's header: alg and kid must be strings");
        if (value_get(header, "crit"))
                return err_set(err, EINVAL, "the token's header: crit is not known");
        return 0;
}

int auth_jwt_read(struct arena *arena, const char *token, struct auth_jwt *ret_jwt, struct err **err) {
        size_t size = strnlen(token, AUTH_TOKEN_MAX + 1);
        const char *first = memchr(token, '.', size), *second;
        struct auth_jwt jwt = { .signed_text = token };
        int r;

        if (size > AUTH_TOKEN_MAX)
                return err_set(err, E2BIG, "the token has more than %zu bytes", AUTH_TOKEN_MAX);
        second = first ? strchr(first + 1, '.') : NULL;
        if (!second || strchr(second + 1, '.'))
                return err_set(err, EINVAL, "the token has not three parts");
        if ((r = read_header(arena, token, (size_t)(first - token), &jwt, err)) < 0)
                return r;
        r = decode_map(arena, "the token's claims", first + 1, (size_t)(second - first - 1), &jwt.claims, err);
        if (r < 0)
                return r;
        jwt.n_signed = (size_t)(second - token);
        r = decode(arena, second + 1, size - jwt.n_signed - 1, &jwt.signature, &jwt.n_signature);
        if (r < 0)
                return r == -ENOMEM ? r : err_set(err, EINVAL, "the token's signature: no base64url");
        *ret_jwt = jwt;
        return 0;
}

int auth_jwt_verify(const struct auth_jwt *jwt, const struct auth_keys *keys, struct err **err) {
        bool known = false;

        for (unsigned i = 0; i < keys->count; i++) {
                const struct auth_key *key = &keys->items[i];

                if (jwt->key_id && strcmp(jwt->key_id, key->id) != 0)
                        continue;
                known = true;
                if (strcmp(jwt->algorithm, key->algorithm) == 0 &&
                    auth_signature_is(key, jwt->signed_text, jwt->n_signed, jwt->signature, jwt->n_signature))
                        return 0;
        }
        return err_set(err, EACCES, known ? "the token's signature is not its key's" : "the token's key is not known");
}

static size_t put_part(char *to, const char *text) {
        base64_url_encode(text, strlen(text), to);
        return strlen(to);
}

int auth_jwt_sign(struct arena *arena, const struct auth_keys *keys, const char *claims, const char **ret_token,
                  struct err **err) {
        const struct auth_key *key = &keys->items[0];
        const char *header = arena_printf(arena, "{\"alg\":\"%s\",\"kid\":\"%s\"}", key->algorithm, key->id);
        uint8_t signature[AUTH_SIGNATURE_MAX];
        size_t size;
        char *token;
        int n;

        if (!header)
                return -ENOMEM;
        token = arena_alloc(arena, BASE64_URL_LENGTH(strlen(header)) + BASE64_URL_LENGTH(strlen(claims)) +
                                           BASE64_URL_LENGTH(AUTH_SIGNATURE_MAX) + 3);
        if (!token)
                return -ENOMEM;
        size = put_part(token, header);
        token[size++] = '.';
        size += put_part(token + size, claims);
        n = auth_sign(key, token, size, signature);
        if (n < 0)
                return err_set(err, EIO, "sign a token: OpenSSL fails");
        token[size++] = '.';
        base64_url_encode(signature, (size_t)n, token + size);
        *ret_token = token;
        return 0;
}
