#include "api/rbac/defaults.h"

#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/default_rows.h"
#include "lib/arena.h"

#define API_VERSION "rbac.authorization.k8s.io/v1"
#define API_GROUP "rbac.authorization.k8s.io"
#define LABEL_PREFIX "rbac.authorization.k8s.io/"

/* "get list core" as a list; "core" is "". NULL: an absent list. */
static int split(struct arena *arena, const char *words, string_list *ret_list) {
        string_list list = { 0 };
        char *rest = arena_strdup(arena, words);

        if (!words)
                return 0;
        list.items = arena_alloc_array(arena, strlen(words) / 2 + 1, sizeof(*list.items));
        if (!rest || !list.items)
                return -ENOMEM;
        while (rest && rest[0]) {
                const char *word = strsep(&rest, " ");

                list.items[list.count++] = strcmp(word, "core") == 0 ? "" : word;
        }
        *ret_list = list;
        return 0;
}

static int make_rule(struct arena *arena, const struct rbac_default_row *row, struct kube_rbac_v1_policy_rule *rule) {
        int r = split(arena, row->verbs, &rule->verbs);

        if (r < 0 || (r = split(arena, row->groups, &rule->api_groups)) < 0 ||
            (r = split(arena, row->resources, &rule->resources)) < 0 ||
            (r = split(arena, row->names, &rule->resource_names)) < 0)
                return r;
        return split(arena, row->paths, &rule->non_resource_urls);
}

static int make_map(struct arena *arena, const char *key, const char *value, const char *more, string_map *ret_map) {
        struct string_pair *pairs = arena_alloc_array(arena, 2, sizeof(*pairs));

        if (!pairs)
                return -ENOMEM;
        pairs[0] = (struct string_pair){ key, value };
        if (more)
                pairs[1] = (struct string_pair){ more, "true" };
        *ret_map = (string_map){ pairs, more ? 2 : 1 };
        return 0;
}

static int make_meta(struct arena *arena, const char *namespace, const char *name, const char *label,
                     struct kube_object_meta *ret_meta) {
        const char *more = label[0] ? arena_printf(arena, LABEL_PREFIX "%s", label) : NULL;
        int r;

        if (label[0] && !more)
                return -ENOMEM;
        ret_meta->name = name;
        ret_meta->namespace = namespace[0] ? namespace : NULL;
        if ((r = make_map(arena, "kubernetes.io/bootstrapping", "rbac-defaults", more, &ret_meta->labels)) < 0)
                return r;
        return make_map(arena, RBAC_AUTOUPDATE, "true", NULL, &ret_meta->annotations);
}

static int make_aggregation(struct arena *arena, const char *label, struct kube_rbac_v1_cluster_role *role) {
        struct kube_rbac_v1_aggregation_rule *rule = arena_new_of(arena, struct kube_rbac_v1_aggregation_rule);
        const char *key = arena_printf(arena, LABEL_PREFIX "%s", label);

        if (!rule || !key)
                return -ENOMEM;
        rule->cluster_role_selectors.items = arena_alloc_array(arena, 1, sizeof(*rule->cluster_role_selectors.items));
        if (!rule->cluster_role_selectors.items)
                return -ENOMEM;
        rule->cluster_role_selectors.count = 1;
        role->aggregation_rule = rule;
        return make_map(arena, key, "true", NULL, &rule->cluster_role_selectors.items[0].match_labels);
}

/* The role at @rows, which has @n rules behind it. */
static int make_role(struct arena *arena, const struct rbac_default_row *rows, unsigned n,
                     struct kube_rbac_v1_cluster_role *role) {
        int r = make_meta(arena, rows->namespace, rows->name, rows->label, &role->metadata);

        if (r < 0)
                return r;
        role->kind = rows->namespace[0] ? "Role" : "ClusterRole";
        role->api_version = API_VERSION;
        if (rows->aggregates[0])
                return make_aggregation(arena, rows->aggregates, role);
        role->rules.items = arena_alloc_array(arena, n + 1, sizeof(*role->rules.items));
        if (!role->rules.items)
                return -ENOMEM;
        for (; role->rules.count < n; role->rules.count++)
                if ((r = make_rule(arena, &rows[1 + role->rules.count], &role->rules.items[role->rules.count])) < 0)
                        return r;
        return 0;
}

/* Makes @ret_roles, with room for all, of @rows. */
static int make_roles(struct arena *arena, const struct rbac_default_row *rows, unsigned n_rows,
                      struct kube_rbac_v1_cluster_role *roles, uint32_t *count) {
        unsigned n = 0;
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < n_rows; i += n + 1) {
                n = 0;
                while (i + n + 1 < n_rows && !rows[i + n + 1].name)
                        n++;
                r = make_role(arena, &rows[i], n, &roles[(*count)++]);
        }
        return r;
}

static int make_local_roles(struct arena *arena, struct rbac_defaults *defaults) {
        unsigned room = rbac_default_local_roles_count;
        struct kube_rbac_v1_cluster_role *made = arena_alloc_array(arena, room, sizeof(*made));
        uint32_t count = 0;
        int r;

        defaults->roles.items = arena_alloc_array(arena, room, sizeof(*defaults->roles.items));
        if (!made || !defaults->roles.items)
                return -ENOMEM;
        r = make_roles(arena, rbac_default_local_roles, room, made, &count);
        for (uint32_t i = 0; r >= 0 && i < count; i++) {
                defaults->roles.items[defaults->roles.count++] = (struct kube_rbac_v1_role){
                        .kind = made[i].kind,
                        .api_version = made[i].api_version,
                        .metadata = made[i].metadata,
                        .rules = { made[i].rules.items, made[i].rules.count },
                };
        }
        return r;
}

/* "Group/system:masters", "ServiceAccount/kube-system/job-controller" */
static int make_subject(struct arena *arena, const char *text, struct kube_rbac_v1_subject *subject) {
        const char *slash = strchr(text, '/'), *last = strrchr(text, '/');

        subject->kind = arena_strndup(arena, text, (size_t)(slash - text));
        subject->name = last + 1;
        if (slash == last)
                subject->api_group = API_GROUP;
        else if (!(subject->namespace = arena_strndup(arena, slash + 1, (size_t)(last - slash) - 1)))
                return -ENOMEM;
        return subject->kind ? 0 : -ENOMEM;
}

static int make_binding(struct arena *arena, const struct rbac_default_binding *row,
                        struct kube_rbac_v1_cluster_role_binding *b) {
        string_list subjects;
        int r = make_meta(arena, row->namespace, row->name, "", &b->metadata);

        if (r < 0 || (r = split(arena, row->subjects, &subjects)) < 0)
                return r;
        b->kind = row->namespace[0] ? "RoleBinding" : "ClusterRoleBinding";
        b->api_version = API_VERSION;
        b->role_ref = (struct kube_rbac_v1_role_ref){ .api_group = API_GROUP, .kind = row->kind, .name = row->role };
        b->subjects.items = arena_alloc_array(arena, subjects.count + 1, sizeof(*b->subjects.items));
        if (!b->subjects.items)
                return -ENOMEM;
        for (; r >= 0 && b->subjects.count < subjects.count; b->subjects.count++)
                r = make_subject(arena, subjects.items[b->subjects.count], &b->subjects.items[b->subjects.count]);
        return r;
}

static int make_bindings(struct arena *arena, struct rbac_defaults *d) {
        unsigned n = rbac_default_bindings_count;

        d->cluster_role_bindings.items = arena_alloc_array(arena, n, sizeof(*d->cluster_role_bindings.items));
        d->role_bindings.items = arena_alloc_array(arena, n, sizeof(*d->role_bindings.items));
        if (!d->cluster_role_bindings.items || !d->role_bindings.items)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
                struct kube_rbac_v1_cluster_role_binding b = { 0 };

                if (make_binding(arena, &rbac_default_bindings[i], &b) < 0)
                        return -ENOMEM;
                if (!b.metadata.namespace) {
                        d->cluster_role_bindings.items[d->cluster_role_bindings.count++] = b;
                        continue;
                }
                d->role_bindings.items[d->role_bindings.count++] = (struct kube_rbac_v1_role_binding){
                        .kind = b.kind,
                        .api_version = b.api_version,
                        .metadata = b.metadata,
                        .subjects = { b.subjects.items, b.subjects.count },
                        .role_ref = b.role_ref,
                };
        }
        return 0;
}

int rbac_defaults(struct arena *arena, struct rbac_defaults *ret_defaults) {
        struct rbac_defaults d = { 0 };
        unsigned room = rbac_default_roles_count + rbac_default_controllers_count;
        int r;

        d.cluster_roles.items = arena_alloc_array(arena, room, sizeof(*d.cluster_roles.items));
        if (!d.cluster_roles.items)
                return -ENOMEM;
        if ((r = make_roles(arena, rbac_default_roles, rbac_default_roles_count, d.cluster_roles.items,
                            &d.cluster_roles.count)) < 0 ||
            (r = make_roles(arena, rbac_default_controllers, rbac_default_controllers_count, d.cluster_roles.items,
                            &d.cluster_roles.count)) < 0 ||
            (r = make_local_roles(arena, &d)) < 0 || (r = make_bindings(arena, &d)) < 0)
                return r;
        *ret_defaults = d;
        return r;
}
