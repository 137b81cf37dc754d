#include "api/pages/zpages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/pages/zpage_form.h"
#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/version.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml_write.h"

#define COMPONENT "apiserver"
#define GROUP "config.k8s.io"
#define MINOR KUBE_VERSION_MAJOR "." KUBE_VERSION_MINOR
#define WORDS                                                                                                          \
        "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and " \
        "is for debugging purposes only.\n"

#define OLD(name) "This version of the " name " endpoint is deprecated. Please use a newer version."

/* One of the two: how it is called, what is said of v1alpha1, and what it shows in either form. */
struct zpage {
        const char *name, *kind, *old;
        void (*write_text)(const struct api_request *r, struct arena_text *text);
        void (*write_members)(const struct api_request *r, struct json_writer *w);
};

/* --- the forms --- */

static enum api_step show_text(struct api_request *r, const struct zpage *page) {
        struct arena_text text = { .arena = r->arena };
        const char *all;

        arena_text_add(&text, "\n" COMPONENT " %s\n" WORDS, page->name);
        page->write_text(r, &text);
        all = arena_text_of(&text);
        if (!all)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_text(r, 200, all);
        return API_END;
}

static int write_object(const struct api_request *r, const struct zpage *page, const struct zpage_media *media,
                        char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true,
                                                       .indent = media->pretty && media->form == ZPAGE_JSON };
        const char *version = arena_printf(r->arena, GROUP "/%s", media->version);
        int error;

        json_begin_map(&w);
        json_add_string(&w, "kind", page->kind);
        json_add_string(&w, "apiVersion", version ?: "");
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string(&w, "name", COMPONENT);
        json_end_map(&w);
        page->write_members(r, &w);
        json_end_map(&w);
        error = version ? json_writer_finish(&w, ret_text, ret_length) : -ENOMEM;
        return error;
}

static int as_yaml(struct arena *arena, const char *json, size_t length, char **ret_text, size_t *ret_length) {
        const struct value *tree;
        int error = json_parse(arena, json, length, NULL, &tree, NULL);

        return error < 0 ? error : yaml_write(tree, ret_text, ret_length);
}

static enum api_step show_object(struct api_request *r, const struct zpage *page, const struct zpage_media *media) {
        bool yaml = media->form == ZPAGE_YAML;
        const char *type = arena_printf(r->arena, "application/%s;g=" GROUP ";v=%s;as=%s", yaml ? "yaml" : "json",
                                        media->version, page->kind);
        _cleanup_free_ char *json = NULL, *text = NULL;
        _cleanup_bytes_ struct bytes *bytes = NULL;
        size_t n, length;
        int error = write_object(r, page, media, &json, &n);

        if (error == 0 && yaml)
                error = as_yaml(r->arena, json, n, &text, &length);
        if (error == 0)
                bytes = yaml ? bytes_copy(text, length) : bytes_new(n + 1);
        if (!bytes || !type)
                return api_fail(r, error ?: -ENOMEM, NULL);
        if (!yaml) {
                memcpy(bytes->data, json, n);
                bytes->data[n] = '\n';
        }
        api_respond_bytes(r, 200, type, bytes);
        return API_END;
}

static enum api_step show(struct api_request *r, const struct zpage *page) {
        const char *accept = http_fields_get(&http_request_of(r->x)->fields, "accept");
        struct zpage_media media;

        if (zpage_negotiate(accept, page->kind, &media) < 0) {
                if (r->media.form == API_PROTOBUF)
                        r->media = (struct api_media){ .meta_version = "v1", .pretty = true };
                return api_refuse(r, API_NO_SHAPE,
                                  "only the following media types are accepted: application/json, application/yaml, "
                                  "text/plain");
        }
        if (media.form == ZPAGE_TEXT)
                return show_text(r, page);
        media.pretty |= api_asks_pretty(r);
        if (strcmp(media.version, "v1alpha1") == 0)
                api_warn(r, page->old);
        return show_object(r, page, &media);
}

/* --- /statusz --- */

/* What of the paths is for who looks for faults. */
static const char *const paths[] = { "/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version" };

static int64_t seconds_up(const struct api_server *server) {
        int64_t up = (int64_t)time(NULL) - server->started;

        return up > 0 ? up : 0;
}

static const char *time_of(const struct api_server *server, const char *format, char *text, size_t size) {
        time_t started = (time_t)server->started;
        struct tm parts;

        gmtime_r(&started, &parts);
        return strftime(text, size, format, &parts) > 0 ? text : "";
}

static void write_status(const struct api_request *r, struct arena_text *text) {
        long long up = seconds_up(r->server);
        char started[64];

        arena_text_add(text, "\nStarted: %s\n",
                       time_of(r->server, "%a %b %e %H:%M:%S UTC %Y", started, sizeof(started)));
        arena_text_add(text, "Up: %lld hr %02lld min %02lld sec\n", up / 3600, up / 60 % 60, up % 60);
        arena_text_add(text, "Binary version: %s\nEmulation version: " MINOR "\nPaths:", KUBE_BINARY_VERSION);
        for (size_t i = 0; i < ELEMENTS(paths); i++)
                arena_text_add(text, " %s", paths[i]);
        arena_text_add(text, "\n");
}

static void write_status_members(const struct api_request *r, struct json_writer *w) {
        char started[64];

        json_add_string(w, "startTime", time_of(r->server, "%Y-%m-%dT%H:%M:%SZ", started, sizeof(started)));
        json_add_int(w, "uptimeSeconds", seconds_up(r->server));
        json_add_string(w, "goVersion", ""); /* it is none of Go's programs */
        json_add_string(w, "binaryVersion", KUBE_BINARY_VERSION);
        json_add_string(w, "emulationVersion", MINOR);
        json_key(w, "paths");
        json_begin_list(w);
        for (size_t i = 0; i < ELEMENTS(paths); i++)
                json_string(w, paths[i]);
        json_end_list(w);
}

enum api_step api_statusz_show(struct api_request *r, const char *rest) {
        static const struct zpage page = { "statusz", "Statusz", OLD("statusz"), write_status, write_status_members };

        return show(r, &page);
}

/* --- /flagz --- */

static void write_flags(const struct api_request *r, struct arena_text *text) {
        list_for_each (flag, &r->server->config.flags)
                arena_text_add(text, "%s: %s\n", flag->key, flag->value);
}

static void write_flag_members(const struct api_request *r, struct json_writer *w) {
        json_key(w, "flags");
        json_begin_map(w);
        list_for_each (flag, &r->server->config.flags)
                json_add_string(w, flag->key, flag->value);
        json_end_map(w);
}

enum api_step api_flagz_show(struct api_request *r, const char *rest) {
        static const struct zpage page = { "flagz", "Flagz", OLD("flagz"), write_flags, write_flag_members };

        return show(r, &page);
}
