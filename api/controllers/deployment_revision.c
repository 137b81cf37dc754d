/* Which set is the one of the template, and what is noted of it: kubectl's history and undo read these annotations. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_number.h"
#include "lib/json_writer.h"

#define NAME_MAX_BYTES 253 /* a DNS subdomain */

typedef struct kube_apps_v1_replica_set replica_set;

/* --- annotations --- */

const char *deployment_annotation(const struct kube_object_meta *meta, const char *key) {
        return string_map_get(&meta->annotations, key);
}

/* Puts @key into @map, which is sorted and is copied. False without memory. */
static bool put(struct arena *arena, string_map *map, const char *key, const char *value) {
        struct string_pair *all = arena_alloc_array(arena, map->count + 1, sizeof(*all));
        uint32_t n = 0, i = 0;

        if (!all || !value)
                return false;
        while (i < map->count && strcmp(map->items[i].key, key) < 0)
                all[n++] = map->items[i++];
        all[n++] = (struct string_pair){ key, value };
        if (i < map->count && strcmp(map->items[i].key, key) == 0)
                i++;
        while (i < map->count)
                all[n++] = map->items[i++];
        map->items = all;
        map->count = n;
        return true;
}

static void drop(string_map *map, const char *key) {
        for (uint32_t i = 0; i < map->count; i++)
                if (strcmp(map->items[i].key, key) == 0) {
                        memmove(&map->items[i], &map->items[i + 1], (map->count - i - 1) * sizeof(*map->items));
                        map->count--;
                        return;
                }
}

bool deployment_annotate(struct deployment_plan *plan, struct kube_object_meta *meta, const char *key,
                         const char *value) {
        if (kube_is(deployment_annotation(meta, key), value ?: ""))
                return false;
        plan->no_memory |= !put(plan->arena, &meta->annotations, key, value);
        return true;
}

static const char *number(struct deployment_plan *plan, int64_t n) {
        return arena_printf(plan->arena, "%" PRId64, n);
}

bool deployment_annotate_size(struct deployment_plan *plan, replica_set *set) {
        int32_t wanted = deployment_wanted(&plan->d);
        bool desired = deployment_annotate(plan, &set->metadata, DEPLOYMENT_DESIRED, number(plan, wanted));

        return deployment_annotate(plan, &set->metadata, DEPLOYMENT_MAX, number(plan, deployment_most(&plan->d))) ||
               desired;
}

/* What is the controllers' own, and the last applied configuration, stays where it is. */
static bool is_carried(const char *key) {
        static const char *const own[] = { "kubectl.kubernetes.io/last-applied-configuration",
                                           DEPLOYMENT_REVISION,
                                           DEPLOYMENT_HISTORY,
                                           DEPLOYMENT_DESIRED,
                                           DEPLOYMENT_MAX,
                                           "deprecated.deployment.rollback.to" };

        for (unsigned i = 0; i < ELEMENTS(own); i++)
                if (strcmp(own[i], key) == 0)
                        return false;
        return true;
}

/* --- revisions --- */

static int64_t revision_of(const struct kube_object_meta *meta) {
        return strtoll(deployment_annotation(meta, DEPLOYMENT_REVISION) ?: "0", NULL, 10);
}

/* The revision that the set had before joins its history, whose oldest go when there are too many. */
static void add_history(struct deployment_plan *plan, replica_set *set, const char *revision) {
        const char *history = deployment_annotation(&set->metadata, DEPLOYMENT_HISTORY) ?: "";
        size_t left = strlen(history), more = strlen(revision) + 1;

        while (*history && left + more > DEPLOYMENT_HISTORY_MAX) {
                const char *comma = memchr(history, ',', left);

                left = comma ? left - (size_t)(comma + 1 - history) : 0;
                history = comma ? comma + 1 : "";
        }
        deployment_annotate(plan, &set->metadata, DEPLOYMENT_HISTORY,
                            arena_printf(plan->arena, "%s%s%s", history, *history ? "," : "", revision));
}

static bool annotate(struct deployment_plan *plan, replica_set *set, int64_t revision, bool exists) {
        const char *old = deployment_annotation(&set->metadata, DEPLOYMENT_REVISION);
        bool changed = false;

        list_for_each (a, &plan->d.metadata.annotations)
                if (is_carried(a->key))
                        changed |= deployment_annotate(plan, &set->metadata, a->key, a->value);
        if (revision_of(&set->metadata) < revision) {
                deployment_annotate(plan, &set->metadata, DEPLOYMENT_REVISION, number(plan, revision));
                changed = true;
                if (old)
                        add_history(plan, set, old);
        }
        return (!exists && deployment_annotate_size(plan, set)) || changed;
}

static int64_t next_revision(const struct deployment_plan *plan) {
        int64_t most = 0;

        for (unsigned i = 0; i < plan->n_sets; i++)
                if (&plan->sets[i] != plan->current && revision_of(&plan->sets[i].set.metadata) > most)
                        most = revision_of(&plan->sets[i].set.metadata);
        return go_number_next(most);
}

/* --- templates --- */

const char *deployment_template_text(struct arena *arena, const struct kube_pod_template_spec *template) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        struct kube_pod_template_spec plain = *template;
        string_map *labels = &plain.metadata.labels;
        _cleanup_free_ char *json = NULL;
        struct string_pair *copy = arena_alloc_array(arena, labels->count + 1, sizeof(*copy));

        if (!copy)
                return NULL;
        if (labels->count > 0)
                memcpy(copy, labels->items, labels->count * sizeof(*copy));
        labels->items = labels->count > 0 ? copy : NULL;
        drop(labels, DEPLOYMENT_HASH_LABEL);
        if (labels->count == 0)
                labels->items = NULL;
        kube_json_write(&w, &kube_pod_template_spec_type, &plain);
        return json_writer_finish(&w, &json, NULL) == 0 ? arena_strdup(arena, json) : NULL;
}

static uint32_t fnv(uint32_t hash, const void *bytes, size_t n) {
        const uint8_t *b = bytes;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ b[i]) * UINT32_C(16777619);
        return hash;
}

/* FNV-1a as Kubernetes has it, of the template's JSON where that takes Go's dump of it; digits that make no words. */
void deployment_hash(const char *text, struct opt_int collisions, char ret_hash[DEPLOYMENT_HASH_MAX]) {
        static const char digits[] = "bcdfghjklmnpqrstvwxz2456789";
        uint32_t hash = fnv(UINT32_C(2166136261), text, strlen(text));
        char number[DEPLOYMENT_HASH_MAX];
        uint8_t bytes[8] = { 0 };

        if (collisions.set) {
                for (int i = 0; i < 4; i++)
                        bytes[i] = (uint8_t)((uint64_t)collisions.value >> 8 * i);
                hash = fnv(hash, bytes, sizeof(bytes));
        }
        snprintf(number, sizeof(number), "%" PRIu32, hash);
        for (size_t i = 0; i <= strlen(number); i++)
                ret_hash[i] = number[i] ? digits[(uint8_t)number[i] % (sizeof(digits) - 1)] : '\0';
}

/* --- the set of the template --- */

static struct deployment_set *find(struct deployment_plan *plan, const char *text) {
        for (unsigned i = 0; i < plan->n_sets; i++) {
                const char *own = deployment_template_text(plan->arena, &plan->sets[i].set.spec.template);

                if (!own)
                        plan->no_memory = true;
                else if (strcmp(own, text) == 0)
                        return &plan->sets[i];
        }
        return NULL;
}

static void own(struct deployment_plan *plan, replica_set *set) {
        struct kube_owner_reference *reference = arena_new_of(plan->arena, struct kube_owner_reference);

        plan->no_memory |= !reference;
        if (!reference)
                return;
        *reference = (struct kube_owner_reference){ .api_version = "apps/v1",
                                                    .kind = "Deployment",
                                                    .name = plan->d.metadata.name,
                                                    .uid = plan->d.metadata.uid,
                                                    .controller = TRI_TRUE,
                                                    .block_owner_deletion = TRI_TRUE };
        set->metadata.owner_references.items = reference;
        set->metadata.owner_references.count = 1;
}

static int32_t first_size(const struct deployment_plan *plan) {
        int64_t wanted = deployment_wanted(&plan->d), room = deployment_most(&plan->d);

        if (!deployment_rolls(&plan->d))
                return (int32_t)wanted;
        for (unsigned i = 0; i < plan->n_sets; i++)
                room -= deployment_replicas(&plan->sets[i]);
        return (int32_t)(room < 0 ? 0 : room < wanted ? room : wanted);
}

static void make(struct deployment_plan *plan, const char *text) {
        struct deployment_set *made = &plan->sets[plan->n_sets];
        replica_set *set = &made->set;
        struct kube_label_selector *selector = arena_new_of(plan->arena, struct kube_label_selector);
        char hash[DEPLOYMENT_HASH_MAX], *label;
        int64_t revision = next_revision(plan);
        int32_t size = first_size(plan);

        deployment_hash(text, plan->d.status.collision_count, hash);
        label = arena_strdup(plan->arena, hash);
        plan->no_memory |= !selector || !label;
        if (plan->no_memory)
                return;
        *selector = *plan->d.spec.selector;
        *made = (struct deployment_set){ .is_new = true };
        *set = (replica_set){ .kind = "ReplicaSet", .api_version = "apps/v1" };
        set->metadata.namespace = plan->d.metadata.namespace;
        set->metadata.name = arena_printf(plan->arena, "%.*s-%s", (int)(NAME_MAX_BYTES - 1 - strlen(label)),
                                          plan->d.metadata.name, label);
        set->spec.template = plan->d.spec.template;
        set->spec.min_ready_seconds = plan->d.spec.min_ready_seconds;
        plan->no_memory |= !put(plan->arena, &set->spec.template.metadata.labels, DEPLOYMENT_HASH_LABEL, label) ||
                           !put(plan->arena, &selector->match_labels, DEPLOYMENT_HASH_LABEL, label) ||
                           !set->metadata.name;
        set->metadata.labels = set->spec.template.metadata.labels;
        set->spec.selector = selector;
        set->spec.replicas = (struct opt_int){ size, true };
        made->before = size;
        own(plan, set);
        annotate(plan, set, revision, false);
        plan->current = made;
        plan->n_sets++;
}

static void keep(struct deployment_plan *plan) {
        replica_set *set = &plan->current->set;

        plan->current->changed = annotate(plan, set, next_revision(plan), true);
        if (set->spec.min_ready_seconds == plan->d.spec.min_ready_seconds)
                return;
        set->spec.min_ready_seconds = plan->d.spec.min_ready_seconds;
        plan->current->changed = true;
}

void deployment_find_current(struct deployment_plan *plan, bool create) {
        const char *text = deployment_template_text(plan->arena, &plan->d.spec.template);
        const replica_set *set;

        plan->no_memory |= !text;
        plan->current = text ? find(plan, text) : NULL;
        if (plan->current)
                keep(plan);
        else if (create && text)
                make(plan, text);
        if (!plan->current)
                return;
        set = &plan->current->set;
        deployment_annotate(plan, &plan->d.metadata, DEPLOYMENT_REVISION,
                            deployment_annotation(&set->metadata, DEPLOYMENT_REVISION));
        if (!deployment_has_deadline(&plan->d))
                return;
        if (plan->current->is_new)
                deployment_set_condition(
                        plan, "Progressing", "True", "NewReplicaSetCreated",
                        arena_printf(plan->arena, "Created new replica set \"%s\"", set->metadata.name));
        else if (!deployment_condition_of(&plan->d, "Progressing"))
                deployment_set_condition(plan, "Progressing", "True", "FoundNewReplicaSet",
                                         arena_printf(plan->arena, "Found new replica set \"%s\"", set->metadata.name));
}

/* --- old ones --- */

static int by_revision(const void *a, const void *b) {
        const struct deployment_set *x = *(struct deployment_set *const *)a, *y = *(struct deployment_set *const *)b;
        int64_t rx = revision_of(&x->set.metadata), ry = revision_of(&y->set.metadata);

        return rx != ry ? (rx > ry) - (rx < ry) : (x > y) - (x < y); /* they stand by creation */
}

static bool may_go(const struct deployment_set *set) {
        const replica_set *s = &set->set;

        return s->status.replicas == 0 && deployment_replicas(set) == 0 &&
               s->metadata.generation <= s->status.observed_generation;
}

void deployment_clean(struct deployment_plan *plan) {
        struct deployment_set **old = arena_alloc_array(plan->arena, plan->n_sets + 1, sizeof(*old));
        int64_t limit = plan->d.spec.revision_history_limit.set ? plan->d.spec.revision_history_limit.value : INT32_MAX;
        unsigned n = 0;

        plan->no_memory |= !old;
        if (!old || limit == INT32_MAX)
                return;
        for (unsigned i = 0; i < plan->n_sets; i++)
                if (&plan->sets[i] != plan->current && !plan->sets[i].set.metadata.deletion_timestamp.set)
                        old[n++] = &plan->sets[i];
        qsort(old, n, sizeof(*old), by_revision);
        for (unsigned i = 0; i + limit < n; i++)
                old[i]->removed = may_go(old[i]);
}
