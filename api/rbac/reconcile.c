#include <errno.h>
#include <string.h>

#include "api/rbac/defaults.h"
#include "api/rbac/escalation.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

/* What @wanted has and @there has not is added to @there, where the order has it; 1 when there was something. */
static int merge_map(struct arena *arena, const string_map *wanted, string_map *there) {
        struct string_pair *pairs = arena_alloc_array(arena, wanted->count + there->count + 1, sizeof(*pairs));
        uint32_t n = 0, i = 0, j = 0, before = there->count;

        if (!pairs)
                return -ENOMEM;
        while (i < wanted->count || j < there->count) {
                int c = i == wanted->count ? 1 :
                        j == there->count  ? -1 :
                                             strcmp(wanted->items[i].key, there->items[j].key);

                pairs[n++] = c < 0 ? wanted->items[i] : there->items[j];
                i += c <= 0;
                j += c >= 0;
        }
        *there = (string_map){ pairs, n };
        return n > before;
}

static int merge_meta(struct arena *arena, const struct kube_object_meta *wanted, struct kube_object_meta *there) {
        int labels = merge_map(arena, &wanted->labels, &there->labels), annotations;

        if (labels < 0)
                return labels;
        annotations = merge_map(arena, &wanted->annotations, &there->annotations);
        return annotations < 0 ? annotations : labels || annotations;
}

static bool is_protected(const struct kube_object_meta *meta) {
        return same_text(string_map_get(&meta->annotations, RBAC_AUTOUPDATE), "false");
}

/* What @there does not cover is added behind its rules, each by itself; 1 when there was something. */
static int merge_rules(struct arena *arena, const rbac_rules *wanted, rbac_rules *there) {
        struct kube_rbac_v1_policy_rule *items;
        rbac_rules missing;
        int r = rbac_covers(arena, there, wanted, UINT64_MAX, &missing);

        if (r != 0)
                return r < 0 ? r : 0;
        items = arena_alloc_array(arena, there->count + missing.count, sizeof(*items));
        if (!items || rbac_copy_rules(arena, &missing, &missing) < 0)
                return -ENOMEM;
        if (there->count > 0)
                memcpy(items, there->items, there->count * sizeof(*items));
        memcpy(items + there->count, missing.items, missing.count * sizeof(*items));
        *there = (rbac_rules){ items, there->count + missing.count };
        return 1;
}

static bool same_selector(const struct kube_label_selector *a, const struct kube_label_selector *b) {
        if (a->match_labels.count != b->match_labels.count || a->match_expressions.count || b->match_expressions.count)
                return false;
        for (uint32_t i = 0; i < a->match_labels.count; i++) {
                if (!same_text(a->match_labels.items[i].key, b->match_labels.items[i].key) ||
                    !same_text(a->match_labels.items[i].value, b->match_labels.items[i].value))
                        return false;
        }
        return true;
}

/* The same for the selectors of an aggregated role. */
static int merge_aggregation(struct arena *arena, const struct kube_rbac_v1_aggregation_rule *wanted,
                             struct kube_rbac_v1_cluster_role *role) {
        struct kube_rbac_v1_aggregation_rule *all = arena_new_of(arena, struct kube_rbac_v1_aggregation_rule);
        const struct kube_rbac_v1_aggregation_rule *there = role->aggregation_rule;
        uint32_t n = there ? there->cluster_role_selectors.count : 0, before = n;

        if (!wanted)
                return 0;
        if (all)
                all->cluster_role_selectors.items = arena_alloc_array(arena, n + wanted->cluster_role_selectors.count,
                                                                      sizeof(*all->cluster_role_selectors.items));
        if (!all || !all->cluster_role_selectors.items)
                return -ENOMEM;
        if (n > 0)
                memcpy(all->cluster_role_selectors.items, there->cluster_role_selectors.items,
                       n * sizeof(*all->cluster_role_selectors.items));
        list_for_each (selector, &wanted->cluster_role_selectors) {
                bool found = false;

                for (uint32_t i = 0; i < before; i++)
                        found |= same_selector(&there->cluster_role_selectors.items[i], selector);
                if (!found)
                        all->cluster_role_selectors.items[n++] = *selector;
        }
        all->cluster_role_selectors.count = n;
        if (n > before)
                role->aggregation_rule = all;
        return n > before;
}

int rbac_reconcile_cluster_role(struct arena *arena, const struct kube_rbac_v1_cluster_role *wanted,
                                const struct kube_rbac_v1_cluster_role *there, enum rbac_change *ret_change,
                                struct kube_rbac_v1_cluster_role *ret_object) {
        const rbac_rules wanted_rules = { wanted->rules.items, wanted->rules.count };
        rbac_rules rules;
        int meta, grown, aggregation;

        *ret_object = there ? *there : *wanted;
        *ret_change = there ? RBAC_KEEP : RBAC_CREATE;
        if (!there || is_protected(&there->metadata))
                return 0;
        rules = (rbac_rules){ there->rules.items, there->rules.count };
        meta = merge_meta(arena, &wanted->metadata, &ret_object->metadata);
        grown = merge_rules(arena, &wanted_rules, &rules);
        aggregation = merge_aggregation(arena, wanted->aggregation_rule, ret_object);
        if (meta < 0 || grown < 0 || aggregation < 0)
                return -ENOMEM;
        ret_object->rules.items = rules.items;
        ret_object->rules.count = rules.count;
        *ret_change = meta || grown || aggregation ? RBAC_UPDATE : RBAC_KEEP;
        return 0;
}

int rbac_reconcile_role(struct arena *arena, const struct kube_rbac_v1_role *wanted,
                        const struct kube_rbac_v1_role *there, enum rbac_change *ret_change,
                        struct kube_rbac_v1_role *ret_object) {
        const rbac_rules wanted_rules = { wanted->rules.items, wanted->rules.count };
        rbac_rules rules;
        int meta, grown;

        *ret_object = there ? *there : *wanted;
        *ret_change = there ? RBAC_KEEP : RBAC_CREATE;
        if (!there || is_protected(&there->metadata))
                return 0;
        rules = (rbac_rules){ there->rules.items, there->rules.count };
        meta = merge_meta(arena, &wanted->metadata, &ret_object->metadata);
        grown = merge_rules(arena, &wanted_rules, &rules);
        if (meta < 0 || grown < 0)
                return -ENOMEM;
        ret_object->rules.items = rules.items;
        ret_object->rules.count = rules.count;
        *ret_change = meta || grown ? RBAC_UPDATE : RBAC_KEEP;
        return 0;
}

typedef LIST_OF(struct kube_rbac_v1_subject) subject_list;

static bool same_subject(const struct kube_rbac_v1_subject *a, const struct kube_rbac_v1_subject *b) {
        return same_text(a->kind, b->kind) && same_text(a->api_group, b->api_group) && same_text(a->name, b->name) &&
               same_text(a->namespace, b->namespace);
}

static int merge_subjects(struct arena *arena, const subject_list *wanted, subject_list *there) {
        subject_list all = { arena_alloc_array(arena, there->count + wanted->count + 1, sizeof(*all.items)),
                             there->count };

        if (!all.items)
                return -ENOMEM;
        if (there->count > 0)
                memcpy(all.items, there->items, there->count * sizeof(*all.items));
        list_for_each (subject, wanted) {
                bool found = false;

                list_for_each (old, there)
                        found |= same_subject(old, subject);
                if (!found)
                        all.items[all.count++] = *subject;
        }
        if (all.count == there->count)
                return 0;
        *there = all;
        return 1;
}

/* What both kinds of bindings have. */
struct binding {
        struct kube_object_meta metadata;
        struct kube_rbac_v1_role_ref role_ref;
        subject_list subjects;
};

#define BINDING_OF(object)                                                                                             \
        (struct binding) {                                                                                             \
                (object)->metadata, (object)->role_ref, {                                                              \
                        (object)->subjects.items, (object)->subjects.count                                             \
                }                                                                                                      \
        }

/* A role reference cannot change: the binding is made anew, with what it had. */
static int reconcile_binding(struct arena *arena, const struct binding *wanted, struct binding *there,
                             enum rbac_change *ret_change) {
        const struct kube_rbac_v1_role_ref *ref = &there->role_ref, *wanted_ref = &wanted->role_ref;
        bool other = !same_text(wanted_ref->kind, ref->kind) || !same_text(wanted_ref->name, ref->name) ||
                     !same_text(wanted_ref->api_group, ref->api_group);
        int of_meta, grown;

        if (is_protected(&there->metadata))
                return 0;
        of_meta = merge_meta(arena, &wanted->metadata, &there->metadata);
        grown = merge_subjects(arena, &wanted->subjects, &there->subjects);
        if (of_meta < 0 || grown < 0)
                return -ENOMEM;
        there->role_ref = *wanted_ref;
        *ret_change = other ? RBAC_RECREATE : of_meta || grown ? RBAC_UPDATE : RBAC_KEEP;
        return 0;
}

int rbac_reconcile_cluster_role_binding(struct arena *arena, const struct kube_rbac_v1_cluster_role_binding *wanted,
                                        const struct kube_rbac_v1_cluster_role_binding *there,
                                        enum rbac_change *ret_change,
                                        struct kube_rbac_v1_cluster_role_binding *ret_object) {
        struct binding of_wanted, merged;
        int r;

        *ret_object = there ? *there : *wanted;
        *ret_change = there ? RBAC_KEEP : RBAC_CREATE;
        if (!there)
                return 0;
        of_wanted = BINDING_OF(wanted);
        merged = BINDING_OF(there);
        r = reconcile_binding(arena, &of_wanted, &merged, ret_change);
        ret_object->metadata = merged.metadata;
        ret_object->role_ref = merged.role_ref;
        ret_object->subjects.items = merged.subjects.items;
        ret_object->subjects.count = merged.subjects.count;
        return r;
}

int rbac_reconcile_role_binding(struct arena *arena, const struct kube_rbac_v1_role_binding *wanted,
                                const struct kube_rbac_v1_role_binding *there, enum rbac_change *ret_change,
                                struct kube_rbac_v1_role_binding *ret_object) {
        struct binding of_wanted, merged;
        int r;

        *ret_object = there ? *there : *wanted;
        *ret_change = there ? RBAC_KEEP : RBAC_CREATE;
        if (!there)
                return 0;
        of_wanted = BINDING_OF(wanted);
        merged = BINDING_OF(there);
        r = reconcile_binding(arena, &of_wanted, &merged, ret_change);
        ret_object->metadata = merged.metadata;
        ret_object->role_ref = merged.role_ref;
        ret_object->subjects.items = merged.subjects.items;
        ret_object->subjects.count = merged.subjects.count;
        return r;
}
