/* A certificate's life: good until its time, then a key, a request, the next one on disk, and it is in use. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/identity/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

#define DAY_MS INT64_C(86400000)

enum holder_event { EVENT_DUE, EVENT_PREPARED, EVENT_SIGNED, EVENT_STORED, EVENT_FAILED, EVENTS };

static const struct {
        const char *what, *signer, *prefix, *usage, *current, *pending;
} uses[] = {
        [IDENTITY_CLIENT] = { "client certificate", "kubernetes.io/kube-apiserver-client-kubelet", "node-csr-",
                              "client auth", "kubelet-client-current.pem", "kubelet-client.key.tmp" },
        [IDENTITY_SERVING] = { "serving certificate", "kubernetes.io/kubelet-serving", "csr-", "server auth",
                               "kubelet-server-current.pem", "kubelet-server.key.tmp" },
};

static const struct options *options_of(const struct identity_holder *h) {
        return h->identity->config.options;
}

static void happen(struct identity_holder *h, enum holder_event event);

static void fail(struct identity_holder *h, const char *why) {
        log_write(h->patience_ms ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "node %s: %s: %s", options_of(h)->node_name,
                  uses[h->use].what, why);
        happen(h, EVENT_FAILED);
}

/* --- time --- */

static void on_timer(uv_timer_t *timer) {
        struct identity_holder *h = timer->data;

        if (h->state == HOLDER_RESTING && holder_due_in(h) > 0)
                return holder_look(h);
        happen(h, EVENT_DUE);
}

static void later(struct identity_holder *h, int64_t ms) {
        uv_timer_start(h->timer, on_timer, (uint64_t)ms, 0);
}

/* --- the pool --- */

static void free_work(struct holder_work *w) {
        err_free(w->failure);
        arena_free(w->arena);
        free(w);
}

static struct holder_work *new_work(struct identity_holder *h) {
        struct holder_work *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        *w = (struct holder_work){ .holder = h, .arena = arena_new(), .drops_key = h->drops_key };
        if (w->arena) {
                w->directory = arena_strdup(w->arena, options_of(h)->cert_dir);
                w->current = arena_strdup(w->arena, h->current);
                w->pending = arena_strdup(w->arena, h->pending);
        }
        if (w->directory && w->current && w->pending)
                return w;
        free_work(w);
        return NULL;
}

static void submit(struct identity_holder *h, struct holder_work *w, void (*work)(struct pool_job *job),
                   void (*done)(struct pool_job *job)) {
        w->job.work = work;
        w->job.done = done;
        h->work = w;
        pool_submit(h->identity->config.pool, &w->job);
}

/* The work of @job, which @holder, if it is still there, is told of. */
static struct holder_work *end_work(struct pool_job *job, struct identity_holder **ret_holder) {
        struct holder_work *w = (struct holder_work *)((char *)job - offsetof(struct holder_work, job));

        *ret_holder = w->holder;
        if (w->holder)
                w->holder->work = NULL;
        return w;
}

/* --- steps --- */

static void on_prepared(struct pool_job *job) {
        struct identity_holder *h;
        struct holder_work *w = end_work(job, &h);

        if (h && !w->failure) {
                free(h->key);
                h->key = strdup(w->key);
                h->drops_key = false;
        }
        if (h && (w->failure || !h->key))
                fail(h, w->failure ? err_text(w->failure) : "out of memory");
        else if (h)
                happen(h, EVENT_PREPARED);
        free_work(w);
}

static void prepare(struct identity_holder *h) {
        struct holder_work *w = new_work(h);

        if (!w)
                return fail(h, "out of memory");
        submit(h, w, holder_files_prepare, on_prepared);
}

static void on_signed(void *data, const struct client_signing_answer *answer) {
        struct identity_holder *h = data;

        h->signing = NULL;
        if (answer->error == -EACCES) {
                h->drops_key = true;
                if (h->use == IDENTITY_CLIENT)
                        identity_refused(h->identity);
        }
        if (answer->error < 0)
                return fail(h, answer->why);
        free(h->next);
        if (asprintf(&h->next, "%s%s%s", answer->certificate,
                     answer->certificate[strlen(answer->certificate) - 1] == '\n' ? "" : "\n", h->key) < 0) {
                h->next = NULL;
                return fail(h, "out of memory");
        }
        happen(h, EVENT_SIGNED);
}

static int set_subject(struct identity_holder *h, struct arena *arena, struct client_subject *subject) {
        const struct identity_events *events = &h->identity->config.events;

        *subject =
                (struct client_subject){ .common_name = arena_printf(arena, "system:node:%s", options_of(h)->node_name),
                                         .organization = "system:nodes" };
        if (!subject->common_name)
                return -ENOMEM;
        return h->use == IDENTITY_SERVING ? events->names(events->data, arena, &subject->names) : 0;
}

static void ask(struct identity_holder *h) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct client_signing_order order = {
                .signer = uses[h->use].signer, .prefix = uses[h->use].prefix, .usage = uses[h->use].usage, .key = h->key
        };
        int r = arena ? set_subject(h, arena, &order.subject) : -ENOMEM;

        if (r < 0 || (r = client_signing_new(h->identity->client, &order, on_signed, h, &h->signing, &err)) < 0)
                fail(h, err ? err_text(err) : strerror(-r));
}

static void on_stored(struct pool_job *job) {
        _cleanup_err_ struct err *err = NULL;
        struct identity_holder *h;
        struct holder_work *w = end_work(job, &h);

        if (h && w->failure) {
                fail(h, err_text(w->failure));
        } else if (h) {
                h->identity->writes_kubeconfig &= h->use != IDENTITY_CLIENT;
                holder_keep(h, TAKE_PTR(h->next));
                h->received_ms = holder_is_credible(h) ? 0 : (uv_now(h->identity->config.loop) | 1);
                log_info("node %s: %s: there is a new one", options_of(h)->node_name, uses[h->use].what);
                if (h->use == IDENTITY_CLIENT && identity_use(h->identity, &err) < 0)
                        fail(h, err_text(err));
                else
                        happen(h, EVENT_STORED);
                if (h->use == IDENTITY_SERVING && h->identity->config.events.serving)
                        h->identity->config.events.serving(h->identity->config.events.data);
        }
        free_work(w);
}

static void store(struct identity_holder *h) {
        const struct identity *identity = h->identity;
        struct holder_work *w = new_work(h);

        if (w)
                w->pem = arena_strdup(w->arena, h->next);
        if (w && h->use == IDENTITY_CLIENT && identity->writes_kubeconfig) {
                w->kubeconfig = arena_strdup(w->arena, options_of(h)->kubeconfig);
                w->config_text = kubeconfig_text(w->arena, identity->own.server ? &identity->own : &identity->bootstrap,
                                                 h->current);
        }
        if (!w || !w->pem || !w->kubeconfig != !w->config_text) {
                if (w)
                        free_work(w);
                return fail(h, "out of memory");
        }
        submit(h, w, holder_files_store, on_stored);
}

static void rest(struct identity_holder *h) {
        h->patience_ms = 0;
        holder_look(h);
}

static void wait_a_while(struct identity_holder *h) {
        unsigned ms = h->patience_ms ? h->patience_ms * 2 : IDENTITY_RETRY_MIN_MS;

        h->patience_ms = ms < IDENTITY_RETRY_MAX_MS ? ms : IDENTITY_RETRY_MAX_MS;
        later(h, h->patience_ms);
}

/* --- the table: what follows, and what is done then --- */

static void (*const enter[HOLDER_STATES])(struct identity_holder *h) = {
        [HOLDER_RESTING] = rest,  [HOLDER_PREPARING] = prepare,    [HOLDER_ASKING] = ask,
        [HOLDER_STORING] = store, [HOLDER_WAITING] = wait_a_while,
};

/* HOLDER_IDLE: nothing follows, for nothing comes before it. */
static const enum holder_state follows[HOLDER_STATES][EVENTS] = {
        [HOLDER_IDLE] = { [EVENT_DUE] = HOLDER_PREPARING, [EVENT_SIGNED] = HOLDER_STORING },
        [HOLDER_RESTING] = { [EVENT_DUE] = HOLDER_PREPARING },
        [HOLDER_PREPARING] = { [EVENT_PREPARED] = HOLDER_ASKING, [EVENT_FAILED] = HOLDER_WAITING },
        [HOLDER_ASKING] = { [EVENT_SIGNED] = HOLDER_STORING, [EVENT_FAILED] = HOLDER_WAITING },
        [HOLDER_STORING] = { [EVENT_STORED] = HOLDER_RESTING, [EVENT_FAILED] = HOLDER_WAITING },
        [HOLDER_WAITING] = { [EVENT_DUE] = HOLDER_PREPARING },
};

static void happen(struct identity_holder *h, enum holder_event event) {
        enum holder_state next = follows[h->state][event];

        if (next == HOLDER_IDLE)
                return;
        h->state = next;
        enter[next](h);
}

/* --- from outside --- */

void holder_look(struct identity_holder *h) {
        int64_t wait;

        if (h->state != HOLDER_RESTING)
                return;
        if (h->received_ms && holder_is_credible(h))
                h->received_ms = 0;
        wait = holder_due_in(h);
        later(h, wait < DAY_MS ? wait : DAY_MS);
}

bool holder_fits(struct identity_holder *h) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct client_subject subject;

        return !h->pem || !arena || set_subject(h, arena, &subject) < 0 || client_certificate_names(h->pem, &subject);
}

void holder_renew(struct identity_holder *h) {
        if (h->state == HOLDER_RESTING)
                happen(h, EVENT_DUE);
}

int holder_init(struct identity_holder *h, struct identity *identity, enum identity_use use) {
        *h = (struct identity_holder){ .identity = identity, .use = use, .share = holder_share() };
        h->timer = handle_timer(identity->config.loop, h);
        if (asprintf(&h->current, "%s/%s", options_of(h)->cert_dir, uses[use].current) < 0)
                h->current = NULL;
        if (asprintf(&h->pending, "%s/%s", options_of(h)->cert_dir, uses[use].pending) < 0)
                h->pending = NULL;
        return h->timer && h->current && h->pending ? 0 : -ENOMEM;
}

/* With a certificate whose kubeconfig a power cut has left out that one is written. */
void holder_start(struct identity_holder *h) {
        if (h->state != HOLDER_IDLE)
                return;
        if (h->pem && h->use == IDENTITY_CLIENT && h->identity->writes_kubeconfig) {
                h->next = strdup(h->pem);
                if (h->next)
                        return happen(h, EVENT_SIGNED);
        }
        if (!h->pem)
                return happen(h, EVENT_DUE);
        h->state = HOLDER_RESTING;
        rest(h);
}

void holder_done(struct identity_holder *h) {
        if (h->work)
                h->work->holder = NULL;
        client_signing_free(h->signing);
        handle_free(h->timer);
        if (h->pem)
                explicit_bzero(h->pem, strlen(h->pem));
        free(h->pem);
        free(h->key);
        free(h->next);
        free(h->current);
        free(h->pending);
}
