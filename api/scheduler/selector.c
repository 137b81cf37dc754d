#include "api/scheduler/selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/meta_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static int order(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool read_operator(const char *text, enum selector_operator *ret) {
        static const struct {
                const char *name;
                enum selector_operator op;
        } operators[] = { { "In", SELECTOR_IN },
                          { "NotIn", SELECTOR_NOT_IN },
                          { "Exists", SELECTOR_EXISTS },
                          { "DoesNotExist", SELECTOR_DOES_NOT_EXIST } };

        for (unsigned i = 0; i < ELEMENTS(operators); i++)
                if (kube_is(text, operators[i].name)) {
                        *ret = operators[i].op;
                        return true;
                }
        return false;
}

static int set(struct arena *arena, struct selector_requirement *r, const char *key, enum selector_operator op,
               const string_list *values) {
        const char **copy = arena_alloc_array(arena, (size_t)values->count + 1, sizeof(*copy));

        if (!copy)
                return -ENOMEM;
        if (values->count > 0) {
                memcpy(copy, values->items, values->count * sizeof(*copy));
                qsort(copy, values->count, sizeof(*copy), order);
        }
        *r = (struct selector_requirement){ .key = key, .op = op, .values = copy, .n = values->count };
        return 0;
}

static int set_one(struct arena *arena, struct selector_requirement *r, const char *key, enum selector_operator op,
                   const char *value) {
        const string_list one = { &value, 1 };

        return set(arena, r, key, op, &one);
}

static int add_more(struct arena *arena, const struct sched_selector_more *more, struct selector_requirement *to,
                    uint32_t *n) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && more->keys && i < more->keys->count; i++) {
                const char *key = more->keys->items[i], *value = string_map_get(more->labels, key);

                if (value)
                        r = set_one(arena, &to[(*n)++], key, more->differ ? SELECTOR_NOT_IN : SELECTOR_IN, value);
        }
        return r;
}

static uint32_t count_more(const struct sched_selector_more *more) {
        return more->keys ? more->keys->count : 0;
}

int sched_selector_read(struct arena *arena, const struct kube_label_selector *selector,
                        const struct sched_selector_more more[2], struct selector_labels *ret_selector) {
        struct selector_requirement *all;
        enum selector_operator op;
        uint32_t n = 0;
        int r;

        *ret_selector = (struct selector_labels){ .nothing = true };
        if (!selector)
                return 0;
        n = selector->match_labels.count + selector->match_expressions.count + count_more(&more[0]) +
            count_more(&more[1]);
        all = arena_alloc_array(arena, (size_t)n + 1, sizeof(*all));
        if (!all)
                return -ENOMEM;
        n = 0;
        list_for_each (pair, &selector->match_labels)
                if ((r = set_one(arena, &all[n++], pair->key, SELECTOR_EQUALS, pair->value ?: "")) < 0)
                        return r;
        list_for_each (e, &selector->match_expressions) {
                if (!e->key || !read_operator(e->operator, & op))
                        return 0;
                if ((r = set(arena, &all[n++], e->key, op, &e->values)) < 0)
                        return r;
        }
        if ((r = add_more(arena, &more[0], all, &n)) < 0 || (r = add_more(arena, &more[1], all, &n)) < 0)
                return r;
        *ret_selector = (struct selector_labels){ .requirements = all, .n = n };
        return 0;
}

static const char *lookup(const void *data, const char *key) {
        return string_map_get(data, key);
}

bool sched_selector_matches(const struct selector_labels *selector, const string_map *labels) {
        return selector_label_matches(selector, lookup, labels);
}

bool sched_selector_is_empty(const struct selector_labels *selector) {
        return !selector->nothing && selector->n == 0;
}

bool sched_labels_differ(const string_map *a, const string_map *b) {
        if (a->count != b->count)
                return true;
        for (uint32_t i = 0; i < a->count; i++)
                if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
                    strcmp(a->items[i].value ?: "", b->items[i].value ?: "") != 0)
                        return true;
        return false;
}

/* --- terms --- */

static int read_term(struct arena *arena, const struct kube_object_meta *meta,
                     const struct kube_pod_affinity_term *from, int32_t weight, struct sched_term *term) {
        const struct sched_selector_more more[2] = { { &from->match_label_keys, &meta->labels, false },
                                                     { &from->mismatch_label_keys, &meta->labels, true } },
                                         none[2] = { { 0 } };

        *term = (struct sched_term){ .named = &from->namespaces,
                                     .own = meta->namespace ?: "",
                                     .key = from->topology_key ?: "",
                                     .weight = weight };
        return sched_selector_read(arena, from->label_selector, more, &term->pods) ?:
                       sched_selector_read(arena, from->namespace_selector, none, &term->spaces);
}

static int read_required(struct arena *arena, const struct kube_object_meta *meta,
                         const kube_pod_affinity_term_items *from, struct sched_terms *terms) {
        struct sched_term *all = from->count > 0 ? arena_alloc_array(arena, from->count, sizeof(*all)) : NULL;
        int r = all || from->count == 0 ? 0 : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < from->count; i++)
                r = read_term(arena, meta, &from->items[i], 0, &all[i]);
        terms->required = all;
        terms->n_required = from->count;
        return r;
}

static int read_preferred(struct arena *arena, const struct kube_object_meta *meta,
                          const kube_weighted_pod_affinity_term_items *from, struct sched_terms *terms) {
        struct sched_term *all = from->count > 0 ? arena_alloc_array(arena, from->count, sizeof(*all)) : NULL;
        int r = all || from->count == 0 ? 0 : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < from->count; i++)
                r = read_term(arena, meta, &from->items[i].pod_affinity_term, from->items[i].weight, &all[i]);
        terms->preferred = all;
        terms->n_preferred = from->count;
        return r;
}

int sched_terms_read(struct arena *arena, const struct kube_object_meta *meta,
                     const kube_pod_affinity_term_items *required,
                     const kube_weighted_pod_affinity_term_items *preferred, struct sched_terms *ret_terms) {
        return read_required(arena, meta, required, ret_terms) ?: read_preferred(arena, meta, preferred, ret_terms);
}

bool sched_term_is_of(const struct sched_term *term, const char *namespace, const string_map *labels) {
        if (term->named->count == 0 && term->spaces.nothing)
                return strcmp(term->own, namespace) == 0;
        for (uint32_t i = 0; i < term->named->count; i++)
                if (strcmp(term->named->items[i], namespace) == 0)
                        return true;
        return sched_selector_is_empty(&term->spaces) || (labels && sched_selector_matches(&term->spaces, labels));
}
