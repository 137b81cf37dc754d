/* Tokens of Secrets that nobody has used for long (--legacy-service-account-token-clean-up-period): they are marked as
 * invalid, and go when nobody has taken the mark away for as long again. Only those that their account names, as it did
 * when each account got one by itself, and no pod uses. As kube-controller-manager's, which looks once a day; here a
 * key is a Secret. */
#include <errno.h>
#include <string.h>

#include "api/auth/legacy.h"
#include "api/controllers/kinds.h"
#include "api/rbac/graph.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/value.h"

enum { SECRETS, ACCOUNTS };

#define DAY_S INT64_C(86400)

/* One that is old enough. */
struct unused_token {
        const struct kube_secret *secret;
        bool tracked; /* for long enough */
        bool in_use;  /* by a pod */
};

/* Dates are compared as kube-controller-manager does: by the day on which the period began. */
static bool is_recent(int64_t date, int64_t since) {
        return date >= since - since % DAY_S;
}

static bool names_secret(const struct kube_service_account *account, const char *name) {
        list_for_each (reference, &account->secrets)
                if (kube_is(reference->name, name))
                        return true;
        return false;
}

/* 1: its account is there, and names it; what it cannot be told of is left alone. */
static int is_named(struct task *task, const struct kube_secret *secret) {
        const char *name = string_map_get(&secret->metadata.annotations, "kubernetes.io/service-account.name"),
                   *uid = string_map_get(&secret->metadata.annotations, "kubernetes.io/service-account.uid");
        const struct informer *accounts = controller_informer(task_controller(task), ACCOUNTS);
        const struct client_object *object = name ? informer_find(accounts, task_namespace(task), name) : NULL;
        struct kube_service_account account = { 0 };
        int r;

        if (!object)
                return 0;
        r = client_object_read(task_arena(task), object, &kube_service_account_type, &account);
        if (r < 0)
                return r;
        return (!uid || !*uid || kube_is(account.metadata.uid, uid)) && names_secret(&account, secret->metadata.name);
}

/* --- the end: a mark, or a deletion --- */

static int mark(struct task *task, const struct kube_secret *secret) {
        struct client_request patch = { .verb = KUBE_VERB_PATCH,
                                        .kind = informer_kind(controller_informer(task_controller(task), SECRETS)),
                                        .namespace = task_namespace(task),
                                        .name = task_name(task),
                                        .patch = CLIENT_PATCH_MERGE };
        char today[AUTH_DATE_SIZE];

        auth_date_format(controller_wall(task_controller(task)), today);
        patch.body = arena_printf(task_arena(task),
                                  "{\"metadata\":{\"uid\":\"%s\",\"labels\":{\"" AUTH_LEGACY_INVALID "\":\"%s\"}}}",
                                  secret->metadata.uid ?: "", today);
        if (!patch.body)
                return -ENOMEM;
        patch.length = strlen(patch.body);
        log_info("secret %s/%s: its token is marked as invalid, as nobody uses it", task_namespace(task),
                 task_name(task));
        task_send(task, &patch, TASK_GONE_IS_FINE, NULL, NULL);
        return 0;
}

static int decide(struct task *task) {
        struct controller *c = task_controller(task);
        const struct unused_token *token = task_data(task);
        const struct kube_object_meta *meta = &token->secret->metadata;
        const char *invalid = string_map_get(&meta->labels, AUTH_LEGACY_INVALID);
        const struct task_removal removal = { .kind = informer_kind(controller_informer(c, SECRETS)),
                                              .namespace = task_namespace(task),
                                              .name = task_name(task),
                                              .revision = meta->resource_version };
        int64_t since;

        if (token->in_use)
                return 0;
        if (!invalid || !auth_date_parse(invalid, &since))
                return mark(task, token->secret);
        if (is_recent(since, controller_wall(c) - controller_config(c)->unused_tokens_s))
                return 0;
        log_info("secret %s/%s goes: its token is invalid since %s", task_namespace(task), task_name(task), invalid);
        task_remove(task, &removal);
        return 0;
}

/* --- pods that use it --- */

static int is_it(void *data, enum rbac_vertex vertex, const char *name) {
        return vertex == RBAC_SECRET && strcmp(name, data) == 0;
}

static void on_pod(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        struct unused_token *token = task_data(task);
        _cleanup_arena_ struct arena *arena = token->in_use ? NULL : arena_new();
        const struct value *pod;

        if (token->in_use)
                return;
        /* One that cannot be read may use it. */
        token->in_use = !arena || client_object_tree(arena, object, &pod) < 0 ||
                        rbac_pod_references(pod, is_it, (void *)task_name(task)) != 0;
}

static int look_at_pods(struct task *task) {
        const struct unused_token *token = task_data(task);
        const struct client_scope pods = { .kind = controller_kind_of(task_controller(task), "", "pods"),
                                           .namespace = task_namespace(task) };

        if (!token->tracked)
                return 0;
        task_list(task, &pods, on_pod);
        task_then(task, decide);
        return 0;
}

/* --- since when uses are noted --- */

static int on_map(struct task *task, const struct client_answer *answer, void *data) {
        struct controller *c = task_controller(task);
        struct unused_token *token = data;
        struct kube_config_map map = { 0 };
        const char *text;
        int64_t since;
        int r;

        if (answer->code == 404)
                return 0;
        r = kube_json_read(task_arena(task), &kube_config_map_type, (const char *)answer->body->data,
                           answer->body->size, NULL, &map);
        if (r < 0)
                return r;
        text = string_map_get(&map.data, AUTH_LEGACY_SINCE);
        if (!text || !auth_date_parse(text, &since))
                return 0;
        /* On the day that is named it began some time. */
        token->tracked = controller_wall(c) >= since + DAY_S + controller_config(c)->unused_tokens_s;
        return 0;
}

/* Whether it was made, or used, since then; also of a date that cannot be read. */
static bool is_used(const struct kube_secret *secret, int64_t since) {
        const char *used = string_map_get(&secret->metadata.labels, AUTH_LEGACY_USED);
        int64_t date;

        if (secret->metadata.creation_timestamp.seconds >= since)
                return true;
        if (!used)
                return false;
        if (auth_date_parse(used, &date))
                return is_recent(date, since);
        log_warning("secret %s/%s stays: its label " AUTH_LEGACY_USED " is no date", secret->metadata.namespace,
                    secret->metadata.name);
        return true;
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        int64_t since = controller_wall(c) - controller_config(c)->unused_tokens_s;
        const struct client_object *object =
                informer_find(controller_informer(c, SECRETS), task_namespace(task), task_name(task));
        const struct client_request get = { .verb = KUBE_VERB_GET,
                                            .kind = controller_kind_of(c, "", "configmaps"),
                                            .namespace = "kube-system",
                                            .name = AUTH_LEGACY_TRACKING };
        struct unused_token *token = arena_new_of(task_arena(task), struct unused_token);
        struct kube_secret *secret = arena_new_of(task_arena(task), struct kube_secret);
        int r = token && secret ? 0 : -ENOMEM;

        if (r < 0 || !object || controller_config(c)->unused_tokens_s <= 0)
                return r;
        r = client_object_read(task_arena(task), object, &kube_secret_type, secret);
        if (r < 0)
                return r;
        task_again(task, (uint64_t)DAY_S * WORK_SECOND);
        if (secret->metadata.deletion_timestamp.set || is_used(secret, since) || (r = is_named(task, secret)) <= 0)
                return r;
        token->secret = secret;
        task_set_data(task, token);
        task_send(task, &get, TASK_GONE_IS_FINE, on_map, token);
        task_then(task, look_at_pods);
        return 0;
}

const struct controller_kind controller_legacy_token = {
        .name = "legacy-serviceaccount-token-cleaner-controller",
        .alias = "legacy-service-account-token-cleaner",
        .account = "legacy-service-account-token-cleaner",
        .watches = { { "", "secrets", "type=kubernetes.io/service-account-token", controller_add_object,
                       .passes = false },
                     { "", "serviceaccounts", NULL, NULL, .passes = false } },
        .reconcile = reconcile,
};
