#include "api/rest/page.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define TOKEN_VERSION "meta.k8s.io/v1"

/* Names have in them whatever a path's segment may have. */
static const char *write_place(struct arena *arena, const char *scope, const struct api_place *place) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        const char *start = arena_printf(arena, "%s%s%s", scope ? "" : place->namespace, scope ? "" : "/", place->name);

        if (!start)
                return NULL;
        json_begin_map(&w);
        json_add_string(&w, "v", TOKEN_VERSION);
        json_add_int(&w, "rv", place->revision);
        json_key(&w, "start");
        json_string_length(&w, start, strlen(start) + 1); /* its NUL is of it */
        json_end_map(&w);
        return json_writer_text(&w, arena);
}

const char *api_place_token(struct arena *arena, const char *scope, const struct api_place *place) {
        const char *json = write_place(arena, scope, place);
        char *text = json ? arena_alloc(arena, BASE64_URL_LENGTH(strlen(json)) + 1) : NULL;

        if (!text)
                return NULL;
        base64_url_encode(json, strlen(json), text);
        return text;
}

/* What our JSON reader refuses, a NUL in a text, ends every token. */
static bool cut_nul(char *json) {
        char *nul = strstr(json, "\\u0000\"");

        if (!nul)
                return false;
        memmove(nul, nul + strlen("\\u0000"), strlen(nul + strlen("\\u0000")) + 1);
        return true;
}

/* Of all namespaces' objects: behind a namespace's name alone comes its first object. */
static bool split(struct arena *arena, const char *start, struct api_place *place) {
        const char *slash = strchrnul(start, '/');

        place->namespace = arena_strndup(arena, start, (size_t)(slash - start));
        place->name = *slash ? slash + 1 : "";
        return place->namespace;
}

/* Whether it stays what it is as a path below the list's: no empty segment, no dots, no slash at the end. */
static bool is_clean(const char *start) {
        for (const char *end; *start; start = end + 1) {
                size_t n = (size_t)((end = strchrnul(start, '/')) - start);

                if (n == 0 || (n <= 2 && strncmp(start, "..", n) == 0))
                        return false;
                if (!*end)
                        return true;
        }
        return false;
}

int api_place_parse(struct arena *arena, const char *token, const char *scope, struct api_place *ret_place,
                    struct err **err) {
        char *json = arena_alloc(arena, strlen(token) + 1);
        const struct value *tree = NULL;
        const char *start;
        struct api_place place = { 0 };
        int64_t n;

        if (!json)
                return -ENOMEM;
        n = base64_url_decode(token, strlen(token), json);
        if (n >= 0)
                json[n] = '\0';
        if (n < 0 || memchr(json, '\0', (size_t)n) || !cut_nul(json) ||
            json_parse(arena, json, strlen(json), NULL, &tree, NULL) < 0)
                return err_set(err, EINVAL,
                               "invalid continue token: continue key is not valid: it is no token of this server");
        start = value_string_or(value_get(tree, "start"), "");
        if (strcmp(value_string_or(value_get(tree, "v"), ""), TOKEN_VERSION) != 0 || !*start ||
            !value_integer(value_get(tree, "rv"), &place.revision) || place.revision == 0)
                return err_set(err, EINVAL,
                               "invalid continue token: continue key is not valid: incorrect encoded start "
                               "resourceVersion (version meta.k8s.io/v1)");
        if (!is_clean(start + (*start == '/')))
                return err_set(err, EINVAL, "invalid continue token: continue key is not valid: %s", start);
        start += *start == '/';
        if (place.revision < 0)
                place.revision = API_PLACE_NOW;
        if (scope)
                place = (struct api_place){ place.revision, scope, start };
        else if (!split(arena, start, &place))
                return -ENOMEM;
        *ret_place = place;
        return 0;
}
