/* Secrets of the type kubernetes.io/service-account-token get a token of their account, the cluster's authority and
 * their namespace, and go with the account. A key is "NAMESPACE/SECRET/ACCOUNT". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/auth/jwt.h"
#include "api/auth/legacy.h"
#include "api/controllers/kinds.h"
#include "api/controllers/secrets.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/value.h"

enum { SECRETS, ACCOUNTS };

#define TYPE "kubernetes.io/service-account-token"
#define ACCOUNT "kubernetes.io/service-account.name"
#define ACCOUNT_UID "kubernetes.io/service-account.uid"
#define DATA_MAX 3 /* entries that are put in */

static void on_secret(struct controller *controller, const struct client_object *object,
                      const struct client_object *old) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_secret secret = { 0 };
        char key[CONTROLLER_KEY_MAX];
        const char *account;

        if (!arena || client_object_read(arena, object, &kube_secret_type, &secret) < 0)
                return;
        account = string_map_get(&secret.metadata.annotations, ACCOUNT);
        if (!account || !*account || strchr(account, '/'))
                return;
        if (snprintf(key, sizeof(key), "%s/%s/%s", object->namespace, object->name, account) < (int)sizeof(key))
                controller_add(controller, key);
}

/* Any secret there may be its. */
static void on_account(struct controller *controller, const struct client_object *object,
                       const struct client_object *old) {
        const struct informer *secrets = controller_informer(controller, SECRETS);

        for (struct informer_walk w = informer_first(secrets, object->namespace); w.object; informer_next(&w))
                on_secret(controller, w.object, NULL);
}

/* One that is looked at. */
struct token {
        const char *secret, *account; /* names */
        struct kube_secret now;
        bool there;
};

static int read_key(struct task *task, struct token *token) {
        char *rest = arena_strdup(task_arena(task), task_name(task));

        if (!rest)
                return -ENOMEM;
        token->secret = strsep(&rest, "/");
        token->account = rest;
        return rest ? 0 : -EINVAL;
}

/* --- the account forgets a secret that is gone --- */

static int forget_secret(struct task *task, struct kube_service_account *account, const char *secret) {
        uint32_t kept = 0;

        list_for_each (reference, &account->secrets)
                if (strcmp(reference->name ?: "", secret) != 0)
                        account->secrets.items[kept++] = *reference;
        if (kept == account->secrets.count)
                return 0;
        account->secrets.count = kept;
        task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), ACCOUNTS)), NULL,
                   account, TASK_GONE_IS_FINE);
        return 0;
}

/* --- the secret gets what it lacks --- */

struct filling {
        struct arena *arena;
        struct kube_bytes_entry *entries;
        uint32_t n;
};

static void put(struct filling *f, const char *key, const char *text) {
        struct kube_bytes value = { (const uint8_t *)text, (uint32_t)strlen(text) };

        for (uint32_t i = 0; i < f->n; i++)
                if (strcmp(f->entries[i].key, key) == 0) {
                        f->entries[i].value = value;
                        return;
                }
        f->entries[f->n++] = (struct kube_bytes_entry){ key, value };
}

static int annotate(struct arena *arena, struct kube_object_meta *meta, const char *uid) {
        struct string_pair *all = arena_alloc_array(arena, meta->annotations.count + 1, sizeof(*all));
        uint32_t n = 0;

        if (!all)
                return -ENOMEM;
        list_for_each (pair, &meta->annotations)
                if (strcmp(pair->key, ACCOUNT_UID) != 0)
                        all[n++] = *pair;
        all[n++] = (struct string_pair){ ACCOUNT_UID, uid };
        meta->annotations.items = all;
        meta->annotations.count = n;
        return 0;
}

static int begin_filling(struct task *task, const struct kube_secret *secret, struct filling *f) {
        f->entries = arena_alloc_array(task_arena(task), secret->data.count + DATA_MAX, sizeof(*f->entries));
        if (!f->entries)
                return -ENOMEM;
        list_for_each (entry, &secret->data)
                f->entries[f->n++] = *entry;
        return 0;
}

static int fill(struct task *task, struct kube_secret *secret, const struct kube_service_account *account) {
        const struct controllers_config *config = controller_config(task_controller(task));
        const struct auth_legacy legacy = { secret->metadata.namespace, secret->metadata.name, account->metadata.name,
                                            account->metadata.uid };
        bool needs_authority = config->authority && !secrets_is(secret, "ca.crt", config->authority),
             needs_namespace = !secrets_get(secret, "namespace"),
             needs_token = config->token_keys && !secrets_get(secret, "token");
        struct filling f = { .arena = task_arena(task) };
        const char *token = NULL;
        int r;

        if (!needs_authority && !needs_namespace && !needs_token)
                return 0;
        if ((r = begin_filling(task, secret, &f) ?: annotate(f.arena, &secret->metadata, account->metadata.uid)) < 0 ||
            (needs_token && (r = auth_legacy_issue(f.arena, config->token_keys, &legacy, &token)) < 0))
                return r;
        if (needs_authority)
                put(&f, "ca.crt", config->authority);
        if (needs_namespace)
                put(&f, "namespace", secret->metadata.namespace);
        if (token)
                put(&f, "token", token);
        secret->data.items = f.entries;
        secret->data.count = f.n;
        task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), SECRETS)), NULL,
                   secret, TASK_GONE_IS_FINE);
        return 0;
}

/* --- the account, as it is now --- */

static void remove_secret(struct task *task, const struct token *token) {
        const struct task_removal removal = {
                .kind = informer_kind(controller_informer(task_controller(task), SECRETS)),
                .namespace = task_namespace(task),
                .name = token->secret,
                .uid = token->now.metadata.uid,
        };

        task_remove(task, &removal);
}

static int on_account_there(struct task *task, const struct client_answer *answer, void *data) {
        struct kube_service_account account = { 0 };
        struct token *token = data;
        const char *uid = string_map_get(&token->now.metadata.annotations, ACCOUNT_UID);
        int r;

        if (answer->code == 404) {
                if (token->there)
                        remove_secret(task, token);
                return 0;
        }
        r = kube_json_read(task_arena(task), &kube_service_account_type, (const char *)answer->body->data,
                           answer->body->size, NULL, &account);
        if (r < 0)
                return r;
        if (!token->there)
                return forget_secret(task, &account, token->secret);
        if (!uid || !*uid || strcmp(uid, account.metadata.uid ?: "") == 0)
                return fill(task, &token->now, &account);
        remove_secret(task, token);
        return 0;
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        struct token *token = arena_new_of(task_arena(task), struct token);
        const struct client_object *object;
        struct client_request q = { .verb = KUBE_VERB_GET,
                                    .kind = informer_kind(controller_informer(c, ACCOUNTS)),
                                    .namespace = task_namespace(task) };
        int r = token ? read_key(task, token) : -ENOMEM;

        if (r < 0)
                return r;
        object = informer_find(controller_informer(c, SECRETS), task_namespace(task), token->secret);
        token->there = object;
        r = object ? client_object_read(task_arena(task), object, &kube_secret_type, &token->now) : 0;
        if (r < 0 || token->now.metadata.deletion_timestamp.set)
                return r;
        q.name = token->account;
        task_send(task, &q, TASK_GONE_IS_FINE, on_account_there, token);
        return 0;
}

const struct controller_kind controller_secret_token = {
        .name = "serviceaccount-token-controller",
        .alias = "serviceaccount-token",
        .watches = { { "", "secrets", "type=" TYPE, on_secret, .passes = false },
                     { "", "serviceaccounts", NULL, on_account, .passes = false } },
        .reconcile = reconcile,
};
