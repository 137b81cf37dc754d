/* Service account tokens of a pod: TokenRequest, bound to it, and again before they end (KEP-542). Their age goes by
 * the loop's clock from when they came, so that a node whose clock is wrong has tokens that are good. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/objects/internal.h"
#include "kube/core_v1.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define LIFE_MAX_MS ((uint64_t)24 * 3600 * 1000) /* a token is never kept longer */
#define LIFE_MIN_MS 10000                        /* nor asked for more often, whatever the service says */
#define JITTER_MAX_MS 10000
#define LIFE_DEFAULT_S 3600 /* of one that the service does not say */

static const struct kube_kind accounts = { .group = "",
                                           .version = "v1",
                                           .kind = "ServiceAccount",
                                           .type = &kube_service_account_type,
                                           .resource = "serviceaccounts",
                                           .namespaced = true };

uint64_t tokens_refresh_ms(int64_t seconds, unsigned random) {
        uint64_t life = seconds <= 0                               ? 0 :
                        (uint64_t)seconds > LIFE_MAX_MS / 1000 * 2 ? LIFE_MAX_MS :
                                                                     (uint64_t)seconds * 800;
        uint64_t jitter = random % JITTER_MAX_MS;

        if (life > LIFE_MAX_MS)
                life = LIFE_MAX_MS;
        return life > jitter + LIFE_MIN_MS ? life - jitter : LIFE_MIN_MS;
}

static unsigned any(void) {
        unsigned random = 0;

        return getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random) ? random : 0;
}

/* -- when -------------------------------------------------------------------------------------------------- */

static void ask(struct token *t);

static void on_timer(uv_timer_t *timer) {
        struct holder *h = timer->data;
        uint64_t now = uv_now(h->objects->loop), next = UINT64_MAX;

        for (size_t i = 0; i < h->n_tokens; i++) {
                struct token *t = &h->tokens[i];

                if (!t->call && t->due <= now)
                        ask(t);
                if (!t->call && t->due < next)
                        next = t->due;
        }
        if (next != UINT64_MAX)
                uv_timer_start(timer, on_timer, next > now ? next - now : 0, 0);
}

static void ask_in(struct token *t, uint64_t ms) {
        struct holder *h = t->holder;

        t->due = uv_now(h->objects->loop) + ms;
        uv_timer_start(h->timer, on_timer, 0, 0); /* which finds the nearest of all */
}

static void retry(struct token *t) {
        t->retry_ms = t->retry_ms == 0                       ? OBJECTS_RETRY_MIN_MS :
                      t->retry_ms * 2 > OBJECTS_RETRY_MAX_MS ? OBJECTS_RETRY_MAX_MS :
                                                               t->retry_ms * 2;
        ask_in(t, t->retry_ms + any() % (t->retry_ms + 1));
}

/* -- what is answered -------------------------------------------------------------------------------------- */

static void forget(char **secret) {
        if (*secret)
                explicit_bzero(*secret, strlen(*secret));
        free(*secret);
        *secret = NULL;
}

/* @why is kept, told where there is no token, and said once. */
static void fail(struct token *t, const char *why) {
        const struct kube_object_meta *pod = &t->holder->pod->metadata;
        bool is_new = !t->why || strcmp(t->why, why) != 0;
        char *copy = strdup(why);

        if (t->text && is_new)
                log_warning("pod %s/%s: its service account token cannot be renewed: %s", pod->namespace, pod->name,
                            why);
        if (!t->text && is_new && copy)
                objects_tell_later(t->holder);
        free(t->why);
        t->why = copy;
        retry(t);
}

static int read_answer(const struct client_answer *answer, char **ret_text, int64_t *ret_seconds) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        const char *text;

        if (!arena || !answer->body)
                return -ENOMEM;
        if (json_parse(arena, (const char *)answer->body->data, answer->body->size, NULL, &tree, NULL) < 0)
                return -EINVAL;
        text = value_string_or(value_find(tree, "status.token"), "");
        if (!*text || strlen(text) > OBJECTS_TOKEN_MAX)
                return -EINVAL;
        value_integer(value_find(tree, "spec.expirationSeconds"), ret_seconds);
        *ret_text = strdup(text);
        return *ret_text ? 0 : -ENOMEM;
}

static void on_answer(void *data, const struct client_answer *answer) {
        struct token *t = data;
        int64_t seconds = t->seconds ?: LIFE_DEFAULT_S;
        char *text = NULL;

        t->call = NULL;
        if (!client_succeeded(answer))
                return fail(t, answer->message);
        if (read_answer(answer, &text, &seconds) < 0)
                return fail(t, "the answer has no token, or there is no memory");
        forget(&t->text);
        t->text = text;
        free(t->why);
        t->why = NULL;
        t->retry_ms = 0;
        objects_tell_later(t->holder);
        ask_in(t, t->aged ? any() % OBJECTS_AGED_MS : tokens_refresh_ms(seconds, any()));
        t->aged = false;
}

/* -- requests ---------------------------------------------------------------------------------------------- */

static void write_request(const struct token *t, struct json_writer *w) {
        const struct pod *pod = t->holder->pod;

        json_begin_map(w);
        json_add_string(w, "kind", "TokenRequest");
        json_add_string(w, "apiVersion", "authentication.k8s.io/v1");
        json_key(w, "spec");
        json_begin_map(w);
        json_key(w, "audiences");
        json_begin_list(w);
        if (*t->audience)
                json_string(w, t->audience);
        json_end_list(w);
        if (t->seconds)
                json_add_int(w, "expirationSeconds", t->seconds);
        json_key(w, "boundObjectRef");
        json_begin_map(w);
        json_add_string(w, "kind", "Pod");
        json_add_string(w, "apiVersion", "v1");
        json_add_string(w, "name", pod->metadata.name);
        json_add_string(w, "uid", pod->metadata.uid);
        json_end_map(w);
        json_end_map(w);
        json_end_map(w);
}

static void ask(struct token *t) {
        const struct pod *pod = t->holder->pod;
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        struct client_request q = { .verb = KUBE_VERB_CREATE,
                                    .kind = &accounts,
                                    .namespace = pod->metadata.namespace,
                                    .name = pod->spec.service_account_name ?: "default",
                                    .sub = "token" };

        write_request(t, &w);
        if (json_writer_finish(&w, &text, &q.length) < 0)
                return retry(t);
        q.body = text;
        if (client_ask(t->holder->objects->client, &q, on_answer, t, &t->call) < 0) {
                t->call = NULL;
                fail(t, "it cannot be asked for");
        }
}

/* -- a pod's ----------------------------------------------------------------------------------------------- */

static int add(void *data, const char *audience, int64_t seconds) {
        struct holder *h = data;
        struct token *more;

        for (size_t i = 0; i < h->n_tokens; i++)
                if (h->tokens[i].seconds == seconds && strcmp(h->tokens[i].audience, audience) == 0)
                        return 0;
        if (h->n_tokens == OBJECTS_TOKENS_PER_POD_MAX)
                return 0;
        if (!(more = reallocarray(h->tokens, h->n_tokens + 1, sizeof(*more))))
                return -ENOMEM;
        h->tokens = more;
        more[h->n_tokens++] = (struct token){ .holder = h, .audience = audience, .seconds = seconds };
        return 0;
}

int tokens_begin(struct holder *h) {
        if (pod_each_token(h->pod, add, h) < 0)
                return -ENOMEM;
        if (h->n_tokens == 0)
                return 0;
        if (!(h->timer = handle_timer(h->objects->loop, h)))
                return -ENOMEM;
        if (h->objects->asks)
                tokens_ask(h);
        return 0;
}

void tokens_ask(struct holder *h) {
        for (size_t i = 0; i < h->n_tokens; i++)
                if (!h->tokens[i].call && !h->tokens[i].text)
                        ask(&h->tokens[i]);
}

/* Those of which nothing is known yet are tried again as it is. */
void tokens_age(struct holder *h) {
        for (size_t i = 0; i < h->n_tokens; i++) {
                struct token *t = &h->tokens[i];

                t->aged = t->call;
                if (!t->call && t->text)
                        ask_in(t, any() % OBJECTS_AGED_MS);
        }
}

void tokens_end(struct holder *h) {
        for (size_t i = 0; i < h->n_tokens; i++) {
                client_cancel(h->tokens[i].call);
                forget(&h->tokens[i].text);
                free(h->tokens[i].why);
        }
        handle_free(h->timer);
        free(h->tokens);
        h->timer = NULL;
        h->tokens = NULL;
        h->n_tokens = 0;
}
