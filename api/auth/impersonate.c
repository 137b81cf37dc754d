#include "api/auth/impersonate.h"

#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/extra.h"
#include "api/auth/text.h"
#include "kube/names.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/http/message.h"

#define EXTRA "impersonate-extra-"
#define GROUP "authentication.k8s.io"

struct wanted {
        struct auth_user user;
        bool any;
};

/* A key of extra, percent-encoded: what is no encoding is taken as it is. What is encoded keeps its letters' case. */
static const char *extra_key(struct arena *arena, const char *text) {
        return http_decode(arena, text, strlen(text), false) ?: arena_strdup(arena, text);
}

static int read_field(struct arena *arena, const struct http_field *field, struct wanted *w) {
        const char *key;

        /* The first of either counts, and one without text is none. */
        if (strcmp(field->name, "impersonate-user") == 0) {
                if (!w->user.name)
                        w->user.name = field->value;
                w->any |= *w->user.name != '\0';
                return 0;
        }
        if (strcmp(field->name, "impersonate-uid") == 0) {
                if (!w->user.uid)
                        w->user.uid = field->value;
                w->any |= *w->user.uid != '\0';
                return 0;
        }
        if (strcmp(field->name, "impersonate-group") == 0) {
                if (auth_list_add(arena, &w->user.groups, field->value) < 0)
                        return -ENOMEM;
        } else if (strncmp(field->name, EXTRA, strlen(EXTRA)) == 0) {
                key = extra_key(arena, field->name + strlen(EXTRA));
                if (!key || auth_user_add_extra(arena, &w->user, key, field->value) < 0)
                        return -ENOMEM;
        } else
                return 0;
        w->any = true;
        return 0;
}

static int read_fields(struct arena *arena, const struct http_fields *fields, struct wanted *ret) {
        int r = 0;

        for (uint32_t i = 0; r >= 0 && i < fields->count; i++)
                r = read_field(arena, &fields->items[i], ret);
        if (ret->user.uid && !*ret->user.uid)
                ret->user.uid = NULL;
        return r;
}

/* Go's %#v of the list, which a refusal shows. */
static char *go_list(struct arena *arena, const string_list *list) {
        string_list quoted = { 0 };
        char *all;

        if (list->count == 0)
                return arena_strdup(arena, "[]string(nil)");
        list_for_each (text, list) {
                if (auth_list_add(arena, &quoted, go_text_quote(arena, *text)) < 0)
                        return NULL;
        }
        all = auth_join(arena, &quoted, ", ");
        return all ? arena_printf(arena, "[]string{%s}", all) : NULL;
}

static char *go_extra(struct arena *arena, const struct auth_user *user) {
        string_list entries = { 0 };
        char *all;

        if (user->extra.count == 0)
                return arena_strdup(arena, "map[string][]string(nil)");
        list_for_each (entry, &user->extra) {
                const char *key = go_text_quote(arena, entry->key), *values = go_list(arena, &entry->value);

                if (!key || !values || auth_list_add(arena, &entries, arena_printf(arena, "%s:%s", key, values)) < 0)
                        return NULL;
        }
        all = auth_join(arena, &entries, ", ");
        return all ? arena_printf(arena, "map[string][]string{%s}", all) : NULL;
}

static int refuse_nameless(struct arena *arena, const struct auth_user *user, const char **ret_message) {
        const char *uid = go_text_quote(arena, user->uid ?: ""), *groups = go_list(arena, &user->groups),
                   *extra = go_extra(arena, user);

        if (!uid || !groups || !extra)
                return -ENOMEM;
        *ret_message = arena_printf(
                arena,
                "requested &user.DefaultInfo{Name:\"\", UID:%s, Groups:%s, Extra:%s} without impersonating a user name",
                uid, groups, extra);
        return *ret_message ? -EINVAL : -ENOMEM;
}

/* What is asked of the chain for who asks. */
struct check {
        const struct auth_attributes *of;
        const struct auth_authorizer *chain;
        size_t n;
        struct arena *arena;
        struct auth_impersonated *refused;
        bool refused_first; /* legacy: not even the user was allowed */
};

static int ask(const struct check *c, const struct auth_attributes *a) {
        struct auth_verdict verdict = auth_authorize(c->chain, c->n, a, c->arena);

        if (verdict.decision == AUTH_ALLOW)
                return 0;
        c->refused->message = auth_forbidden(c->arena, a, verdict.reason);
        c->refused->group = a->group;
        c->refused->resource = a->resource;
        c->refused->name = a->name;
        return c->refused->message ? -EACCES : -ENOMEM;
}

/* What is to be impersonated, as if it were an object; NULLs are "". */
struct target {
        const char *group, *namespace, *resource, *subresource, *name;
};

static int ask_for(const struct check *c, const char *verb, const struct target *target) {
        struct auth_attributes a = AUTH_ATTRIBUTES(c->of->user);

        a.is_resource = true;
        a.verb = verb;
        a.group = target->group ?: "";
        a.version = a.group[0] ? "v1" : "";
        a.namespace = target->namespace ?: "";
        a.resource = target->resource;
        a.subresource = target->subresource ?: "";
        a.name = target->name;
        return ask(c, &a);
}

#define ask_name(c, verb, ...) ask_for(c, verb, &(struct target){ __VA_ARGS__ })

static int ask_uid(const struct check *c, const char *verb, const struct auth_user *user) {
        return user->uid ? ask_name(c, verb, .group = GROUP, .resource = "uids", .name = user->uid) : 0;
}

/* @group is where groups are. */
static int ask_groups(const struct check *c, const char *verb, const char *group, const string_list *groups) {
        int r;

        list_for_each (name, groups)
                if ((r = ask_name(c, verb, .group = group, .resource = "groups", .name = *name)) < 0)
                        return r;
        return 0;
}

static int ask_extra(const struct check *c, const char *verb, const struct auth_user *user) {
        int r;

        list_for_each (entry, &user->extra)
                list_for_each (value, &entry->value)
                        if ((r = ask_name(c, verb, .group = GROUP, .resource = "userextras", .subresource = entry->key,
                                          .name = *value)) < 0)
                                return r;
        return 0;
}

static int ask_legacy(struct check *c, const struct auth_user *user) {
        const char *namespace, *name;
        int r = auth_account_split(c->arena, user->name, &namespace, &name);

        if (r == -ENOMEM)
                return r;
        r = r == 0 ? ask_name(c, "impersonate", .namespace = namespace, .resource = "serviceaccounts", .name = name) :
                     ask_name(c, "impersonate", .resource = "users", .name = user->name);
        c->refused_first = r == -EACCES;
        if (r < 0 || (r = ask_uid(c, "impersonate", user)) < 0 ||
            (r = ask_groups(c, "impersonate", "", &user->groups)) < 0)
                return r;
        return ask_extra(c, "impersonate", user);
}

/* What is to be refused whatever the chain has to say. */
static int refuse(const struct check *c, const char *verb, const struct target *target, const char *why) {
        struct check refusing = *c;
        int r;

        refusing.n = 0; /* nobody is asked */
        r = ask_for(&refusing, verb, target);
        if (r != -EACCES)
                return r;
        c->refused->message = arena_printf(c->arena, "%s: %s", c->refused->message, why);
        return c->refused->message ? r : -ENOMEM;
}

/* The name of the node that the user is; NULL: he is none. */
static const char *node_of(const struct auth_user *user) {
        const char *name = user->name + strlen(AUTH_NODE_PREFIX), *problems[NAME_PROBLEMS_MAX];

        if (strncmp(user->name, AUTH_NODE_PREFIX, strlen(AUTH_NODE_PREFIX)) != 0)
                return NULL;
        return name_problems(NAME_SUBDOMAIN, name, problems) == 0 ? name : NULL;
}

/* --- modes --- */

/* In the modes of accounts and nodes the name is all that may be wanted. */
static bool is_name_alone(const struct auth_user *user) {
        return user->groups.count == 0 && user->extra.count == 0 && !user->uid;
}

static bool is_account(struct arena *arena, const char *name) {
        const char *namespace, *own;

        return auth_account_split(arena, name, &namespace, &own) == 0;
}

/* The account of a pod may be the node that it is on. */
static bool is_own_node(const struct check *c, const struct auth_user *user) {
        const struct auth_user *asks = c->of->user;
        const char *node = node_of(user);

        if (!node || !is_name_alone(user) || !is_account(c->arena, asks->name))
                return false;
        list_for_each (entry, &asks->extra)
                if (strcmp(entry->key, AUTH_EXTRA_NODE) == 0)
                        return entry->value.count == 1 && strcmp(entry->value.items[0], node) == 0;
        return false;
}

static bool is_node(const struct check *c, const struct auth_user *user) {
        return node_of(user) && is_name_alone(user);
}

static bool is_other_account(const struct check *c, const struct auth_user *user) {
        return is_account(c->arena, user->name) && is_name_alone(user);
}

static bool is_other(const struct check *c, const struct auth_user *user) {
        return !node_of(user) && !is_account(c->arena, user->name);
}

/* The right is to be one's own node, whichever that is. */
static int ask_own_node(const struct check *c, const char *verb, const struct auth_user *user) {
        return ask_name(c, verb, .group = GROUP, .resource = "nodes", .name = "*");
}

static int ask_node(const struct check *c, const char *verb, const struct auth_user *user) {
        return ask_name(c, verb, .group = GROUP, .resource = "nodes", .name = node_of(user));
}

static int ask_account(const struct check *c, const char *verb, const struct auth_user *user) {
        const char *namespace, *name;
        int r = auth_account_split(c->arena, user->name, &namespace, &name);

        return r < 0 ? r :
                       ask_name(c, verb, .group = GROUP, .namespace = namespace, .resource = "serviceaccounts",
                                .name = name);
}

/* Nobody gets to be of system:masters by verbs that are granted to limit what he can be, nor what is no name. */
static int check_groups(const struct check *c, const char *verb, const string_list *groups) {
        if (kube_has(groups, ""))
                return refuse(c, verb, &(struct target){ .group = GROUP, .resource = "groups", .name = "" },
                              "impersonating the empty string group is not allowed");
        if (kube_has(groups, AUTH_GROUP_MASTERS))
                return refuse(c, verb,
                              &(struct target){ .group = GROUP, .resource = "groups", .name = AUTH_GROUP_MASTERS },
                              "impersonating the system:masters group is not allowed");
        return 0;
}

static int check_extra(const struct check *c, const char *verb, const struct auth_user *user) {
        const char *why;
        int r = auth_extra_problem(c->arena, user, &why);

        return r == -EINVAL ?
                       refuse(c, verb, &(struct target){ .group = GROUP, .resource = "userextras", .name = "" }, why) :
                       r;
}

static size_t count_extra(const struct auth_user *user) {
        size_t n = 0;

        list_for_each (entry, &user->extra)
                n += entry->value.count;
        return n;
}

#define MANY 4 /* of which it is asked at first whether all there are may be had */

/* 0 where all of them are allowed at once, which is for what is asked one by one otherwise. */
static int ask_all(const struct check *c, const char *verb, const struct target *target) {
        struct auth_impersonated unheard = { 0 };
        struct check silent = *c;

        silent.refused = &unheard;
        return ask_for(&silent, verb, target);
}

static int ask_many_groups(const struct check *c, const char *verb, const string_list *groups) {
        const struct target all = { .group = GROUP, .resource = "groups", .name = "*" };

        return groups->count >= MANY && ask_all(c, verb, &all) == 0 ? 0 : ask_groups(c, verb, GROUP, groups);
}

static int ask_much_extra(const struct check *c, const char *verb, const struct auth_user *user) {
        const struct target all = { .group = GROUP, .resource = "userextras", .subresource = "*", .name = "*" };

        return count_extra(user) >= MANY && ask_all(c, verb, &all) == 0 ? 0 : ask_extra(c, verb, user);
}

static int ask_user(const struct check *c, const char *verb, const struct auth_user *user) {
        int r;

        if ((r = ask_name(c, verb, .group = GROUP, .resource = "users", .name = user->name)) < 0 ||
            (r = ask_uid(c, verb, user)) < 0 || (r = check_groups(c, verb, &user->groups)) < 0 ||
            (r = ask_many_groups(c, verb, &user->groups)) < 0 || (r = check_extra(c, verb, user)) < 0)
                return r;
        return ask_much_extra(c, verb, user);
}

static const struct mode {
        const char *name;
        bool (*applies)(const struct check *c, const struct auth_user *user);
        int (*ask)(const struct check *c, const char *verb, const struct auth_user *user);
        bool of_nodes; /* who is allowed is in the nodes' group */
} modes[] = {
        { "associated-node", is_own_node, ask_own_node, true },
        { "arbitrary-node", is_node, ask_node, true },
        { "serviceaccount", is_other_account, ask_account, false },
        { "user-info", is_other, ask_user, false },
};

static int ask_mode(const struct check *c, const struct mode *mode, const struct auth_user *user) {
        const char *verb = arena_printf(c->arena, "impersonate:%s", mode->name);
        struct auth_attributes on = *c->of;
        int r;

        on.verb = arena_printf(c->arena, "impersonate-on:%s:%s", mode->name, c->of->verb);
        if (!verb || !on.verb)
                return -ENOMEM;
        r = ask(c, &on);
        return r < 0 ? r : mode->ask(c, verb, user);
}

/* By the first mode that allows it; what the first of those that apply has to say is kept. */
static int ask_constrained(const struct check *c, struct auth_user *user) {
        struct auth_impersonated unheard = { 0 };
        struct check each = *c;

        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                int r = modes[i].applies(c, user) ? ask_mode(&each, &modes[i], user) : -EACCES;

                if (r == 0 && modes[i].of_nodes)
                        return auth_user_add_group(c->arena, user, AUTH_GROUP_NODES);
                if (r != -EACCES)
                        return r;
                if (c->refused->message)
                        each.refused = &unheard;
        }
        return -EACCES;
}

/* Who was allowed by neither way is told of the first. */
static int ask_both(const struct auth_attributes *a, const struct auth_authorizer *chain, size_t n, struct arena *arena,
                    struct auth_user *user, struct auth_impersonated *ret_refused) {
        struct auth_impersonated first = { 0 }, second = { 0 };
        struct check c = { .of = a, .chain = chain, .n = n, .arena = arena, .refused = &first };
        int r = ask_constrained(&c, user);

        if (r != -EACCES)
                return r;
        c.refused = &second;
        r = ask_legacy(&c, user);
        if (r == -EACCES)
                *ret_refused = c.refused_first && first.message ? first : second;
        return r;
}

/* What each of a kind is in. */
static int add_groups(struct arena *arena, struct auth_user *user) {
        const char *namespace, *name, *of;
        int r = 0;

        if (user->groups.count == 0 && is_account(arena, user->name)) {
                r = auth_account_split(arena, user->name, &namespace, &name);
                of = r == 0 ? arena_printf(arena, AUTH_GROUP_ACCOUNTS ":%s", namespace) : NULL;
                if (!of)
                        return -ENOMEM;
                r = auth_user_add_group(arena, user, AUTH_GROUP_ACCOUNTS);
                if (r >= 0)
                        r = auth_user_add_group(arena, user, of);
        }
        if (r < 0)
                return r;
        if (strcmp(user->name, AUTH_USER_ANONYMOUS) == 0)
                return auth_user_add_group(arena, user, AUTH_GROUP_UNAUTHENTICATED);
        return auth_user_in(user, AUTH_GROUP_UNAUTHENTICATED) ?
                       0 :
                       auth_user_add_group(arena, user, AUTH_GROUP_AUTHENTICATED);
}

int auth_impersonate(const struct http_fields *fields, const struct auth_attributes *attributes,
                     const struct auth_authorizer *chain, size_t n, struct arena *arena,
                     struct auth_impersonated *ret) {
        struct wanted wanted = { 0 };
        int r = read_fields(arena, fields, &wanted);

        if (r < 0)
                return r;
        if (!wanted.any)
                return 1;
        if (!wanted.user.name || !wanted.user.name[0])
                return refuse_nameless(arena, &wanted.user, &ret->message);
        if ((r = ask_both(attributes, chain, n, arena, &wanted.user, ret)) < 0 ||
            (r = add_groups(arena, &wanted.user)) < 0)
                return r;
        ret->user = wanted.user;
        return r;
}
