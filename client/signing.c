#include "client/signing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static const struct kube_kind requests = { .group = "certificates.k8s.io",
                                           .version = "v1",
                                           .kind = "CertificateSigningRequest",
                                           .resource = "certificatesigningrequests" };

struct client_signing {
        struct client *client;
        struct arena *arena;
        const char *name, *fields, *key;
        client_signing_done done;
        void *data;
        struct client_call *call;
        struct client_watch *watch;
        bool found; /* by the list under way */
        bool over;
        struct client_signing_answer answer; /* then */
        uv_timer_t *timer;                   /* tells it, from the loop: its call or watch is at work until then */
};

static void on_timer(uv_timer_t *timer) {
        struct client_signing *s = timer->data;

        s->done(s->data, &s->answer);
        client_signing_free(s);
}

static void finish(struct client_signing *s, int error, const char *certificate, const char *why) {
        if (s->over)
                return;
        s->over = true;
        s->answer.error = error;
        s->answer.certificate = arena_strdup(s->arena, certificate);
        s->answer.why = arena_strdup(s->arena, why) ?: "out of memory";
        if (certificate && !s->answer.certificate)
                s->answer.error = -ENOMEM;
        uv_timer_start(s->timer, on_timer, 0, 0);
}

/* --- the request's states --- */

static const char *decode(struct arena *arena, const char *text) {
        size_t n = strlen(text);
        char *data = arena_alloc(arena, n / 4 * 3 + 4);
        struct base64_decoder decoder = { 0 };
        int64_t size = data ? base64_decode(&decoder, text, n, data) : -1;

        return size < 0 || memchr(data, '\0', (size_t)size) ? NULL : data;
}

/* Whether @request is at its end, which is then told. */
static bool look(struct client_signing *s, struct arena *arena, const struct value *request) {
        static const char *const ends[] = { "Denied", "Failed" };
        const char *certificate = value_string_or(value_find(request, "status.certificate"), "");

        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                const struct value *c = value_item(value_find(request, "status.conditions"), "type", ends[i]);
                const char *message = value_string_or(value_get(c, "message"), "no reason is given");

                if (!c)
                        continue;
                message = arena_printf(arena, "certificate signing request %s: %s: %s", s->name, ends[i], message);
                finish(s, -EACCES, NULL, message ?: ends[i]);
                return true;
        }
        if (!*certificate)
                return false;
        certificate = decode(arena, certificate);
        if (certificate && client_certificate_fits(certificate, s->key))
                finish(s, 0, certificate, "");
        else
                finish(s, -EACCES, NULL, "the certificate that was signed is not of our key");
        return true;
}

static bool look_at(struct client_signing *s, struct client_object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree;

        if (!arena || client_object_tree(arena, object, &tree) < 0 || strcmp(object->name, s->name) != 0)
                return false;
        return look(s, arena, tree);
}

/* --- waiting --- */

static void begin_list(struct client_signing *s);

static void on_changed(void *data, enum client_change change, struct client_object *object) {
        struct client_signing *s = data;

        if (change == CLIENT_DELETED && strcmp(object->name, s->name) == 0)
                finish(s, -ENOENT, NULL, "the certificate signing request was deleted");
        else
                look_at(s, object);
}

static void on_bookmark(void *data, int64_t revision) {
}

static void on_ended(void *data, int error, const char *why) {
        struct client_signing *s = data;

        s->watch = NULL;
        if (s->over)
                return;
        if (error == 0 || error == -ESTALE)
                begin_list(s);
        else
                finish(s, error, NULL, why);
}

static void begin_watch(struct client_signing *s, int64_t revision) {
        static const struct client_watch_events events = { on_changed, on_bookmark, on_ended };
        const struct client_scope scope = { .kind = &requests, .fields = s->fields };
        int r = client_watch(s->client, &scope, revision, &events, s, &s->watch);

        if (r < 0)
                finish(s, r, NULL, strerror(-r));
}

static void on_object(void *data, struct client_object *object) {
        struct client_signing *s = data;

        s->found = true;
        look_at(s, object);
}

static void on_listed(void *data, int error, int64_t revision, const char *why) {
        struct client_signing *s = data;

        s->call = NULL;
        if (error < 0)
                finish(s, error, NULL, why);
        else if (!s->found)
                finish(s, -ENOENT, NULL, "the certificate signing request is not there any more");
        else if (!s->over)
                begin_watch(s, revision);
}

static void begin_list(struct client_signing *s) {
        static const struct client_list_events events = { on_object, on_listed };
        const struct client_scope scope = { .kind = &requests, .fields = s->fields };
        int r;

        s->found = false;
        r = client_list(s->client, &scope, &events, s, &s->call);
        if (r < 0)
                finish(s, r, NULL, strerror(-r));
}

/* --- asking --- */

static void on_made(void *data, const struct client_answer *answer) {
        struct client_signing *s = data;
        bool refused = answer->code == 401 || answer->code == 403;

        s->call = NULL;
        if (client_succeeded(answer) || answer->code == 409)
                begin_list(s);
        else
                finish(s, answer->code < 0 ? answer->code : refused ? -EACCES : -EIO, NULL, answer->message);
}

static void write_request(const struct client_signing *s, const struct client_signing_order *order, const char *coded,
                          struct json_writer *w) {
        json_begin_map(w);
        json_add_string(w, "apiVersion", "certificates.k8s.io/v1");
        json_add_string(w, "kind", requests.kind);
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "name", s->name);
        json_end_map(w);
        json_key(w, "spec");
        json_begin_map(w);
        json_add_string(w, "request", coded);
        json_add_string(w, "signerName", order->signer);
        json_key(w, "usages");
        json_begin_list(w);
        json_string(w, "digital signature");
        json_string(w, order->usage);
        json_end_list(w);
        json_end_map(w);
        json_end_map(w);
}

static int send_request(struct client_signing *s, const struct client_signing_order *order, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct client_request q = { .verb = KUBE_VERB_CREATE, .kind = &requests };
        _cleanup_free_ char *text = NULL;
        const char *pem;
        char *coded;
        int r = client_csr_new(s->arena, order->key, &order->subject, &pem, err);

        if (r < 0)
                return r;
        coded = arena_alloc(s->arena, BASE64_LENGTH(strlen(pem)) + 1);
        if (!coded)
                return -ENOMEM;
        base64_encode(pem, strlen(pem), coded);
        write_request(s, order, coded, &w);
        if ((r = json_writer_finish(&w, &text, &q.length)) < 0)
                return r;
        q.body = text;
        return client_ask(s->client, &q, on_made, s, &s->call);
}

/* The same key with other names is another request. */
static int set_texts(struct client_signing *s, const struct client_signing_order *order, struct err **err) {
        char *more = arena_printf(s->arena, "%s\n%s\n%s\n", order->signer, order->subject.common_name,
                                  order->subject.organization);
        const char *digest;
        int r;

        for (const char *const *name = order->subject.names; more && name && *name; name++)
                more = arena_printf(s->arena, "%s%s\n", more, *name);
        if (!more)
                return -ENOMEM;
        if ((r = client_csr_digest(s->arena, order->key, more, &digest, err)) < 0)
                return r;
        s->key = arena_strdup(s->arena, order->key);
        s->name = arena_printf(s->arena, "%s%s", order->prefix, digest);
        /* base64url's letters are those of a name, but for capitals and "_": as kubelet's names. */
        s->fields = s->name ? arena_printf(s->arena, "metadata.name=%s", s->name) : NULL;
        return s->key && s->fields ? 0 : -ENOMEM;
}

int client_signing_new(struct client *client, const struct client_signing_order *order, client_signing_done done,
                       void *data, struct client_signing **ret_signing, struct err **err) {
        struct client_signing *s = calloc(1, sizeof(*s));
        int r = -ENOMEM;

        if (!s)
                return r;
        *s = (struct client_signing){ .client = client, .arena = arena_new(), .done = done, .data = data };
        s->timer = handle_timer(client->loop, s);
        if (!s->arena || !s->timer || (r = set_texts(s, order, err)) < 0 || (r = send_request(s, order, err)) < 0) {
                client_signing_free(s);
                return r;
        }
        *ret_signing = s;
        return 0;
}

void client_signing_free(struct client_signing *s) {
        if (!s)
                return;
        client_cancel(s->call);
        client_watch_free(s->watch);
        handle_free(s->timer);
        arena_free(s->arena);
        free(s);
}
