/* What is asked of a kubelet beside the path: the options of pods' subresources, by the names that it knows. */
#include <string.h>
#include <strings.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"

const char *proxy_ask(struct api_request *r, const char *name) {
        const char *query = http_request_of(r->x)->query;

        return *query ? http_query(r->arena, query, name) : NULL;
}

bool proxy_ask_bool(struct api_request *r, const char *name) {
        const char *text = proxy_ask(r, name);

        return text && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0;
}

/* @query with one more; NULL stays NULL. */
static const char *add(struct api_request *r, const char *query, const char *name, const char *value) {
        const char *escaped = query ? proxy_escape_query(r->arena, value) : NULL;

        return escaped ? arena_printf(r->arena, "%s%s%s=%s", query, *query ? "&" : "", name, escaped) : NULL;
}

/* In UTC and whole seconds: as an object would have it. */
static const char *time_text(struct api_request *r, const char *text) {
        char formatted[KUBE_TIME_TEXT_MAX];
        struct kube_time time;

        if (!kube_time_parse(text, strlen(text), false, &time))
                return text;
        return arena_strndup(r->arena, formatted, kube_time_format(&time, false, formatted));
}

/* In the order of their names, as Go encodes them. */
const char *proxy_log_query(struct api_request *r) {
        static const struct {
                const char *name;
                bool flag;
        } options[] = {
                { "follow", true },     { "limitBytes", false }, { "previous", true },   { "sinceSeconds", false },
                { "sinceTime", false }, { "tailLines", false },  { "timestamps", true },
        };
        const char *query = "";

        for (size_t i = 0; i < ELEMENTS(options); i++) {
                const char *text = proxy_ask(r, options[i].name);

                if (options[i].flag && proxy_ask_bool(r, options[i].name))
                        query = add(r, query, options[i].name, "true");
                else if (!options[i].flag && text && *text)
                        query = add(r, query, options[i].name,
                                    strcmp(options[i].name, "sinceTime") == 0 ? time_text(r, text) : text);
        }
        return query;
}

static const char *add_commands(struct api_request *r, const char *query) {
        const char *rest = http_request_of(r->x)->query, *word;

        while (rest && *rest && (word = http_query_next(r->arena, &rest, "command")))
                query = add(r, query, "command", word);
        return query;
}

/* Of port forwarding: numbers, with commas between them. */
static const char *add_ports(struct api_request *r, const char *query) {
        const char *rest = http_request_of(r->x)->query, *port;
        struct arena_text all = { .arena = r->arena };

        while (rest && *rest && (port = http_query_next(r->arena, &rest, "ports")))
                arena_text_add(&all, "%s%s", all.length > 0 ? "," : "", port);
        return all.length > 0 && !all.failed ? add(r, query, "port", arena_text_of(&all)) : query;
}

const char *proxy_stream_query(struct api_request *r) {
        static const struct {
                const char *name, *kubelets;
        } options[] = { { "stderr", "error" }, { "stdin", "input" }, { "stdout", "output" }, { "tty", "tty" } };
        bool forwards = strcmp(r->sub->name, "portforward") == 0;
        const char *query = "";

        if (forwards)
                return add_ports(r, query);
        if (strcmp(r->sub->name, "exec") == 0)
                query = add_commands(r, query);
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (proxy_ask_bool(r, options[i].name))
                        query = add(r, query, options[i].kubelets, "1");
        return query;
}
