/* Bootstrap tokens: those that are over go, and cluster-info is signed by those that may, so that who has one can tell
 * a real cluster (the JWS of RFC 7515, appendix F, with HS256). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/hmac.h>

#include "api/controllers/kinds.h"
#include "api/controllers/secrets.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"

#define SYSTEM "kube-system"
#define PUBLIC "kube-public"
#define INFO "cluster-info"
#define KEY_CONFIG "kubeconfig"
#define KEY_SIGNATURE "jws-kubeconfig-"
#define SECRET_PREFIX "bootstrap-token-"
#define TOKENS "type=bootstrap.kubernetes.io/token"
#define TOKENS_MAX 256 /* that sign */
#define HASH_SIZE 32

/* --- cleaning --- */

static void on_secret(struct controller *controller, const struct client_object *object,
                      const struct client_object *old) {
        if (strcmp(object->namespace, SYSTEM) == 0)
                controller_add_object(controller, object, old);
}

static int reconcile_token(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object = informer_find(controller_informer(c, 0), SYSTEM, task_name(task));
        struct task_removal removal = { .kind = informer_kind(controller_informer(c, 0)),
                                        .namespace = SYSTEM,
                                        .name = task_name(task) };
        struct kube_secret secret = { 0 };
        int64_t now = controller_wall(c), at;
        int r = object ? client_object_read(task_arena(task), object, &kube_secret_type, &secret) : 0;

        if (r < 0 || !object || (at = secrets_expiration(&secret)) == INT64_MAX)
                return r;
        removal.uid = secret.metadata.uid;
        if (at > now)
                task_again_at(task, at);
        else
                task_remove(task, &removal);
        return 0;
}

const struct controller_kind controller_token_cleaner = {
        .name = "token-cleaner-controller",
        .alias = "tokencleaner",
        .account = "token-cleaner",
        .watches = { { "", "secrets", TOKENS, on_secret, .passes = false } },
        .reconcile = reconcile_token,
};

/* --- signing --- */

enum { MAPS, SECRETS };

static void on_info(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        controller_add(controller, INFO);
}

/* Header "." nothing "." signature; NULL without memory. */
static const char *sign(struct arena *arena, const char *content, const char *id, const struct kube_bytes *secret) {
        size_t size = strlen(content);
        char *header = arena_printf(arena, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", id),
             *text = arena_alloc(arena, BASE64_URL_LENGTH(size) + BASE64_URL_LENGTH(header ? strlen(header) : 0) + 2),
             *first = arena_alloc(arena, BASE64_URL_LENGTH(header ? strlen(header) : 0) + 1),
             signature[BASE64_URL_LENGTH(HASH_SIZE) + 1];
        uint8_t hash[HASH_SIZE];

        if (!header || !text || !first)
                return NULL;
        base64_url_encode(header, strlen(header), first);
        base64_url_encode(content, size, stpcpy(stpcpy(text, first), "."));
        if (!HMAC(EVP_sha256(), secret->data, (int)secret->length, (const uint8_t *)text, strlen(text), hash, NULL))
                return NULL;
        base64_url_encode(hash, sizeof(hash), signature);
        return arena_printf(arena, "%s..%s", first, signature);
}

/* The id of a token that signs; NULL: it does not. */
static const char *signing_id(struct arena *arena, const struct kube_secret *secret, int64_t now) {
        const struct kube_bytes *id = secrets_get(secret, "token-id");
        const char *name = secret->metadata.name ?: "", *text = NULL;

        if (!id || strncmp(name, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0 || !secrets_get(secret, "token-secret") ||
            secrets_expiration(secret) <= now || !secrets_is(secret, "usage-bootstrap-signing", "true"))
                return NULL;
        text = arena_strndup(arena, (const char *)id->data, id->length);
        return text && strcmp(text, name + strlen(SECRET_PREFIX)) == 0 &&
                               strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(text) ?
                       text :
                       NULL;
}

struct signing {
        const char *content;
        struct string_pair pairs[TOKENS_MAX];
        uint32_t n;
        int64_t next; /* when the first of them ends */
};

static int add_signature(struct task *task, struct signing *s, const struct client_object *object) {
        struct kube_secret secret = { 0 };
        struct arena *arena = task_arena(task);
        const char *id, *key, *text;
        int r = client_object_read(arena, object, &kube_secret_type, &secret);

        if (r < 0 || s->n == TOKENS_MAX)
                return r;
        id = signing_id(arena, &secret, controller_wall(task_controller(task)));
        if (!id)
                return 0;
        key = arena_printf(arena, KEY_SIGNATURE "%s", id);
        text = sign(arena, s->content, id, secrets_get(&secret, "token-secret"));
        if (!key || !text)
                return -ENOMEM;
        s->pairs[s->n++] = (struct string_pair){ key, text };
        if (secrets_expiration(&secret) < s->next)
                s->next = secrets_expiration(&secret);
        return 0;
}

static bool is_signature(const struct string_pair *pair) {
        return strncmp(pair->key, KEY_SIGNATURE, strlen(KEY_SIGNATURE)) == 0;
}

static bool are_same(const struct kube_config_map *map, const struct signing *s) {
        uint32_t n = 0, same = 0;

        list_for_each (pair, &map->data) {
                if (!is_signature(pair))
                        continue;
                n++;
                for (uint32_t i = 0; i < s->n; i++)
                        same += strcmp(s->pairs[i].key, pair->key) == 0 && strcmp(s->pairs[i].value, pair->value) == 0;
        }
        return n == s->n && same == n;
}

static int put_signatures(struct task *task, struct kube_config_map *map, const struct signing *s) {
        struct string_pair *all = arena_alloc_array(task_arena(task), map->data.count + s->n, sizeof(*all));
        uint32_t n = 0;

        if (!all)
                return -ENOMEM;
        list_for_each (pair, &map->data)
                if (!is_signature(pair))
                        all[n++] = *pair;
        for (uint32_t i = 0; i < s->n; i++)
                all[n++] = s->pairs[i];
        map->data.items = all;
        map->data.count = n;
        task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), MAPS)), NULL, map,
                   TASK_GONE_IS_FINE);
        return 0;
}

static int reconcile_info(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object = informer_find(controller_informer(c, MAPS), PUBLIC, INFO);
        struct signing *s = arena_new_of(task_arena(task), struct signing);
        struct kube_config_map map = { 0 };
        int r = !s ? -ENOMEM : object ? client_object_read(task_arena(task), object, &kube_config_map_type, &map) : 0;

        if (r < 0 || !object || !(s->content = string_map_get(&map.data, KEY_CONFIG)))
                return r;
        s->next = INT64_MAX;
        for (struct informer_walk w = informer_first(controller_informer(c, SECRETS), SYSTEM); w.object;
             informer_next(&w))
                if ((r = add_signature(task, s, w.object)) < 0)
                        return r;
        if (!are_same(&map, s) && (r = put_signatures(task, &map, s)) < 0)
                return r;
        if (s->next != INT64_MAX)
                task_again_at(task, s->next);
        return r;
}

const struct controller_kind controller_bootstrap_signer = {
        .name = "bootstrap-signer-controller",
        .alias = "bootstrapsigner",
        .account = "bootstrap-signer",
        .watches = { { "", "configmaps", "metadata.namespace=" PUBLIC ",metadata.name=" INFO, on_info,
                       .passes = false },
                     { "", "secrets", TOKENS, on_info, .passes = false } },
        .reconcile = reconcile_info,
};
