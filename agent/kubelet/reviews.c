#include "agent/kubelet/reviews.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "agent/kubelet/user.h"
#include "client/client.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/table.h"
#include "lib/value.h"

#define SECRET_SIZE 32
#define DIGEST_SIZE 32
#define KEY_SIZE (2 * DIGEST_SIZE + 1)
#define TOLD_MS 10000 /* a service that does not answer is told of in the log that often at most */

LIST_DEFINE(waiters, struct kubelet_waiter, in_review)

enum state { PENDING, KNOWN };

struct review {
        struct kubelet_reviews *all;
        const struct kube_kind *kind;
        struct table_node by_key;
        struct list_node in_state; /* the list of its state's */
        enum state state;
        struct client_call *call;
        char *body;
        size_t length;
        unsigned tries;
        uint64_t until; /* ms of the loop: what was said counts; pending: the answer is waited for */
        bool yes;
        struct kubelet_user *user;
        struct waiters waiters;
        char key[KEY_SIZE];
};

LIST_DEFINE(reviews, struct review, in_state)

struct kubelet_reviews {
        uv_loop_t *loop;
        struct client *client;
        struct kubelet_review_ages ages;
        struct table by_key;
        struct reviews pending, known; /* oldest first; of those that are known the one used longest ago */
        unsigned n_tokens, n_rights;   /* of those that are pending */
        uv_timer_t *timer;             /* for the oldest that is pending */
        uint64_t told_at;
        uint8_t secret[SECRET_SIZE];
};

static const struct kube_kind token_reviews = {
        .group = "authentication.k8s.io", .version = "v1", .kind = "TokenReview", .resource = "tokenreviews"
};

static const struct kube_kind access_reviews = { .group = "authorization.k8s.io",
                                                 .version = "v1",
                                                 .kind = "SubjectAccessReview",
                                                 .resource = "subjectaccessreviews" };

static unsigned *pending_of(struct kubelet_reviews *all, const struct kube_kind *kind) {
        return kind == &token_reviews ? &all->n_tokens : &all->n_rights;
}

static void review_free(struct review *r) {
        if (r->state == PENDING) {
                (*pending_of(r->all, r->kind))--;
                client_cancel(r->call);
        }
        reviews_remove(r);
        table_remove(&r->all->by_key, &r->by_key);
        kubelet_user_unref(r->user);
        free(r->body);
        free(r);
}

/* -- what was said ----------------------------------------------------------------------------------------- */

/* Tells all who wait; each may ask something else, or end another's waiting. */
static void tell(struct review *r, const struct kubelet_said *said) {
        struct kubelet_waiter *waiter;

        while ((waiter = waiters_pop(&r->waiters)))
                waiter->done(waiter, said);
}

static void set_timer(struct kubelet_reviews *all);

/* The service has said nothing: that is told, and not remembered. */
static void fail(struct review *r, int error, const char *why) {
        struct kubelet_reviews *all = r->all;
        uint64_t now = uv_now(all->loop);

        if (!all->told_at || now - all->told_at >= TOLD_MS) {
                all->told_at = now;
                log_warning("kubelet's API: the API service does not answer a %s: %s", r->kind->kind, why);
        }
        tell(r, &(struct kubelet_said){ .error = error });
        review_free(r);
        set_timer(all);
}

static void settle(struct review *r, bool yes, uint64_t age_ms) {
        struct kubelet_reviews *all = r->all;
        const struct kubelet_said said = { .yes = yes, .user = r->user };

        reviews_remove(r);
        (*pending_of(all, r->kind))--;
        r->state = KNOWN;
        r->yes = yes;
        r->until = uv_now(all->loop) + age_ms;
        reviews_append(&all->known, r);
        free(r->body);
        r->body = NULL;
        set_timer(all);
        tell(r, &said);
}

static void take_token(struct review *r, const struct value *status) {
        const char *error = value_string_or(value_get(status, "error"), "");
        bool yes = value_bool_or(value_get(status, "authenticated"), false);
        int failed = yes ? kubelet_user_of_review(value_get(status, "user"), &r->user) : 0;

        if (failed < 0)
                return fail(r, failed, "it names no user");
        /* As kubelet: of a token that is wrong in words nothing is remembered. */
        if (!yes && *error) {
                struct kubelet_reviews *all = r->all;

                tell(r, &(struct kubelet_said){ .yes = false });
                review_free(r);
                return set_timer(all);
        }
        settle(r, yes, r->all->ages.token_ms);
}

static void take_access(struct review *r, const struct value *status) {
        bool yes = value_bool_or(value_get(status, "allowed"), false) &&
                   !value_bool_or(value_get(status, "denied"), false);

        settle(r, yes, yes ? r->all->ages.allowed_ms : r->all->ages.denied_ms);
}

static int ask(struct review *r);

static void on_answer(void *data, const struct client_answer *answer) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct review *r = data;
        const struct value *tree, *status = NULL;

        r->call = NULL;
        if (answer->code < 0 && ++r->tries < KUBELET_REVIEW_TRIES && ask(r) == 0)
                return;
        if (!client_succeeded(answer))
                return fail(r, answer->code < 0 ? answer->code : -EIO, answer->message);
        if (arena && answer->body &&
            json_parse(arena, (const char *)answer->body->data, answer->body->size, NULL, &tree, NULL) == 0)
                status = value_get(tree, "status");
        if (!status)
                return fail(r, -EPROTO, "the answer is no review");
        if (r->kind == &token_reviews)
                take_token(r, status);
        else
                take_access(r, status);
}

/* -- asking ------------------------------------------------------------------------------------------------ */

static int ask(struct review *r) {
        const struct client_request request = {
                .verb = KUBE_VERB_CREATE, .kind = r->kind, .body = r->body, .length = r->length
        };

        return client_ask(r->all->client, &request, on_answer, r, &r->call);
}

static void on_timer(uv_timer_t *timer) {
        struct kubelet_reviews *all = timer->data;
        struct review *r = reviews_first(&all->pending);

        if (r && uv_now(all->loop) >= r->until)
                fail(r, -ETIMEDOUT, "it takes too long");
        else
                set_timer(all);
}

static void set_timer(struct kubelet_reviews *all) {
        const struct review *r = reviews_first(&all->pending);
        uint64_t now = uv_now(all->loop);

        if (r)
                uv_timer_start(all->timer, on_timer, r->until > now ? r->until - now : 0, 0);
        else
                uv_timer_stop(all->timer);
}

/* What is asked cannot be guessed from what is kept of it. */
static void make_key(const struct kubelet_reviews *all, const char *body, size_t length, char ret_key[KEY_SIZE]) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;

        HMAC(EVP_sha256(), all->secret, SECRET_SIZE, (const uint8_t *)body, length, digest, &size);
        for (unsigned i = 0; i < DIGEST_SIZE; i++)
                sprintf(ret_key + 2 * i, "%02x", i < size ? digest[i] : 0);
}

static struct review *review_new(struct kubelet_reviews *all, const struct kube_kind *kind, const char *key) {
        struct review *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        *r = (struct review){ .all = all, .kind = kind, .state = PENDING };
        memcpy(r->key, key, KEY_SIZE);
        if (table_add(&all->by_key, &r->by_key, r->key) < 0) {
                free(r);
                return NULL;
        }
        r->until = uv_now(all->loop) + KUBELET_REVIEW_MS;
        reviews_append(&all->pending, r);
        (*pending_of(all, kind))++;
        return r;
}

/* Takes @body, which is allocated. */
static int begin(struct kubelet_reviews *all, const struct kube_kind *kind, const char *key, char *body, size_t length,
                 struct review **ret_review) {
        _cleanup_free_ char *text = body;
        struct review *r;
        int error;

        if (*pending_of(all, kind) >= KUBELET_REVIEWS_PENDING_MAX)
                return -EBUSY;
        if (all->by_key.n >= KUBELET_REVIEWS_MAX && !reviews_is_empty(&all->known))
                review_free(reviews_first(&all->known));
        if (!(r = review_new(all, kind, key)))
                return -ENOMEM;
        r->body = TAKE_PTR(text);
        r->length = length;
        if ((error = ask(r)) < 0) {
                review_free(r);
                return error;
        }
        set_timer(all);
        *ret_review = r;
        return 0;
}

/* Whether what was said counts still; else it is forgotten. */
static bool counts(struct review *r) {
        if (uv_now(r->all->loop) < r->until)
                return true;
        review_free(r);
        return false;
}

static int review(struct kubelet_reviews *all, const struct kube_kind *kind, struct json_writer *w,
                  struct kubelet_waiter *waiter, struct kubelet_said *ret_said) {
        char *body, key[KEY_SIZE];
        struct review *r;
        size_t length;
        int error;

        if (json_writer_finish(w, &body, &length) < 0)
                return -ENOMEM;
        make_key(all, body, length, key);
        r = table_object(table_find(&all->by_key, key), struct review, by_key);
        if (r && r->state == KNOWN && counts(r)) {
                free(body);
                reviews_remove(r);
                reviews_append(&all->known, r);
                *ret_said = (struct kubelet_said){ .yes = r->yes, .user = r->user };
                return 1;
        }
        r = table_object(table_find(&all->by_key, key), struct review, by_key);
        if (r)
                free(body);
        else if ((error = begin(all, kind, key, body, length, &r)) < 0)
                return error;
        waiters_append(&r->waiters, waiter);
        return 0;
}

static void begin_review(struct json_writer *w, const struct kube_kind *kind) {
        json_begin_map(w);
        json_add_string(w, "kind", kind->kind);
        json_key(w, "apiVersion");
        if (kind == &token_reviews)
                json_string(w, "authentication.k8s.io/v1");
        else
                json_string(w, "authorization.k8s.io/v1");
        json_key(w, "spec");
}

int kubelet_review_token(struct kubelet_reviews *all, const char *token, struct kubelet_waiter *waiter,
                         struct kubelet_said *ret_said) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        begin_review(&w, &token_reviews);
        json_begin_map(&w);
        json_add_string(&w, "token", token);
        json_end_map(&w);
        json_end_map(&w);
        return review(all, &token_reviews, &w, waiter, ret_said);
}

int kubelet_review_access(struct kubelet_reviews *all, const struct kubelet_access *access,
                          struct kubelet_waiter *waiter, struct kubelet_said *ret_said) {
        _cleanup_json_writer_ struct json_writer what = JSON_WRITER_INIT, w = JSON_WRITER_INIT;
        _cleanup_free_ char *attributes = NULL, *spec = NULL;
        int length;

        json_begin_map(&what);
        json_add_string(&what, "verb", access->verb);
        json_add_string(&what, "version", "v1");
        json_add_string(&what, "resource", "nodes");
        json_add_string(&what, "subresource", access->subresource);
        json_add_string(&what, "name", access->node);
        json_end_map(&what);
        if (json_writer_finish(&what, &attributes, NULL) < 0)
                return -ENOMEM;
        length = asprintf(&spec, "{\"resourceAttributes\":%s,%s}", attributes, access->user->spec);
        if (length < 0) {
                spec = NULL;
                return -ENOMEM;
        }
        begin_review(&w, &access_reviews);
        json_raw(&w, spec, (size_t)length);
        json_end_map(&w);
        return review(all, &access_reviews, &w, waiter, ret_said);
}

void kubelet_waiter_leave(struct kubelet_waiter *waiter) {
        if (waiters_contains(waiter))
                waiters_remove(waiter);
}

int kubelet_reviews_new(uv_loop_t *loop, struct client *client, const struct kubelet_review_ages *ages,
                        struct kubelet_reviews **ret_reviews) {
        struct kubelet_reviews *all = calloc(1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        *all = (struct kubelet_reviews){ .loop = loop, .client = client, .ages = *ages };
        all->timer = handle_timer(loop, all);
        if (!all->timer || getrandom(all->secret, SECRET_SIZE, 0) != SECRET_SIZE) {
                kubelet_reviews_free(all);
                return -ENOMEM;
        }
        *ret_reviews = all;
        return 0;
}

void kubelet_reviews_free(struct kubelet_reviews *all) {
        if (!all)
                return;
        LIST_EACH (reviews, r, &all->pending) {
                while (waiters_pop(&r->waiters))
                        ;
                review_free(r);
        }
        LIST_EACH (reviews, r, &all->known)
                review_free(r);
        table_clear(&all->by_key);
        handle_free(all->timer);
        free(all);
}
