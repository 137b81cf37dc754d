#include "api/auth/extra.h"

#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/auth/user.h"
#include "kube/names.h"
#include "lib/arena.h"
#include "lib/go_text.h"

#define PATH_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~%!$&'()*+,;=:"
#define PATH_PROBLEM "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"

static int add_invalid(struct arena *arena, string_list *problems, const char *value, const char *why) {
        const char *quoted = go_text_quote(arena, value);

        return auth_list_add(arena, problems,
                             quoted ? arena_printf(arena, "extra.key: Invalid value: %s: %s", quoted, why) : NULL);
}

/* As Kubernetes' IsDomainPrefixedPath(). */
static int look_at_path(struct arena *arena, const char *key, string_list *problems) {
        const char *slash = strchr(key, '/'), *host, *of_host[NAME_PROBLEMS_MAX];
        unsigned n;
        int r;

        if (!slash || slash == key || !slash[1])
                return add_invalid(arena, problems, key, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        host = arena_strndup(arena, key, (size_t)(slash - key));
        if (!host)
                return -ENOMEM;
        n = name_problems(NAME_SUBDOMAIN, host, of_host);
        for (unsigned i = 0; i < n; i++)
                if ((r = add_invalid(arena, problems, host, of_host[i])) < 0)
                        return r;
        if (slash[1 + strspn(slash + 1, PATH_CHARACTERS)])
                return add_invalid(arena, problems, slash + 1, PATH_PROBLEM);
        return 0;
}

/* -EINVAL with what is wrong with @key. */
static int check_key(struct arena *arena, const char *key, const char **ret_problem) {
        string_list problems = { 0 };
        const char *all, *quoted;
        int r = look_at_path(arena, key, &problems);

        if (r < 0)
                return r;
        if (problems.count > 0) {
                all = auth_join(arena, &problems, ", ");
                *ret_problem = all ? arena_printf(arena, "impersonating an invalid key in extra is not allowed: %s%s%s",
                                                  problems.count > 1 ? "[" : "", all, problems.count > 1 ? "]" : "") :
                                     NULL;
                return *ret_problem ? -EINVAL : -ENOMEM;
        }
        if (strcspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(key))
                return 0;
        quoted = go_text_quote(arena, key);
        *ret_problem =
                quoted ? arena_printf(arena, "impersonating a non-lowercase key in extra is not allowed: %s", quoted) :
                         NULL;
        return *ret_problem ? -EINVAL : -ENOMEM;
}

int auth_extra_problem(struct arena *arena, const struct auth_user *user, const char **ret_problem) {
        int r;

        list_for_each (entry, &user->extra) {
                if (!*entry->key) {
                        *ret_problem = "impersonating the empty string key in extra is not allowed";
                        return -EINVAL;
                }
                if ((r = check_key(arena, entry->key, ret_problem)) < 0)
                        return r;
                if (kube_has(&entry->value, "")) {
                        *ret_problem = "impersonating the empty string value in extra is not allowed";
                        return -EINVAL;
                }
        }
        return 0;
}
