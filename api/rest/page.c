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

static void to_url(char *text) {
        for (; *text; text++)
                *text = *text == '+' ? '-' : *text == '/' ? '_' : *text;
        while (text[-1] == '=')
                *--text = '\0';
}

static char *from_url(struct arena *arena, const char *token) {
        size_t n = strlen(token);
        char *text = arena_alloc(arena, n + 4);

        if (!text)
                return NULL;
        memcpy(text, token, n);
        for (char *c = text; *c; c++)
                *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
        while (n % 4)
                text[n++] = '=';
        return text;
}

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
        char *text = json ? arena_alloc(arena, BASE64_LENGTH(strlen(json)) + 1) : NULL;

        if (!text)
                return NULL;
        base64_encode(json, strlen(json), text);
        to_url(text);
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

int api_place_parse(struct arena *arena, const char *token, const char *scope, struct api_place *ret_place,
                    struct err **err) {
        char *text = from_url(arena, token), *json = text ? arena_alloc(arena, strlen(text) + 1) : NULL;
        const struct value *tree = NULL;
        const char *start;
        struct api_place place = { 0 };
        struct base64_decoder decoder = { 0 };
        int64_t n;

        if (!json)
                return -ENOMEM;
        n = base64_decode(&decoder, text, strlen(text), json);
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
        if (place.revision < 0)
                place.revision = API_PLACE_NOW;
        if (scope)
                place = (struct api_place){ place.revision, scope, start };
        else if (!split(arena, start, &place))
                return -ENOMEM;
        *ret_place = place;
        return 0;
}
