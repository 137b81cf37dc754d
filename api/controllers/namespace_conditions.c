#include "api/controllers/namespace_conditions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/texts.h"

enum { DISCOVERY, PARSING, DELETION, REMAINING, FINALIZERS, CONDITIONS };

/* What each is called, and says when all is well. */
static const struct {
        const char *type, *reason, *message;
} well[CONDITIONS] = {
        [DISCOVERY] = { "NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
                        "All resources successfully discovered" },
        [PARSING] = { "NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions",
                      "All legacy kube types successfully parsed" },
        [DELETION] = { "NamespaceDeletionContentFailure", "ContentDeleted",
                       "All content successfully deleted, may be waiting on finalization" },
        [REMAINING] = { "NamespaceContentRemaining", "ContentRemoved", "All content successfully removed" },
        [FINALIZERS] = { "NamespaceFinalizersRemaining", "ContentHasNoFinalizers",
                         "All content-preserving finalizers finished" },
};

/* --- counting --- */

void namespace_content_add(struct namespace_content *content, const struct kube_kind *kind) {
        unsigned i = content->n_kinds;

        /* Objects of one kind come one after the other. */
        if (i > 0 && content->kinds[i - 1] == kind) {
                content->counts[i - 1]++;
                return;
        }
        if (i == ELEMENTS(content->kinds))
                return;
        content->kinds[i] = kind;
        content->counts[i] = 1;
        content->n_kinds++;
}

void namespace_content_held(struct namespace_content *content, const char *finalizer) {
        unsigned i = 0;

        while (i < content->n_finalizers && strcmp(content->finalizers[i], finalizer) != 0)
                i++;
        if (i == NAMESPACE_FINALIZERS_MAX)
                return;
        if (i == content->n_finalizers) {
                content->finalizers[i] = arena_strdup(content->arena, finalizer);
                content->no_memory |= !content->finalizers[i];
                if (!content->finalizers[i])
                        return;
                content->n_finalizers++;
        }
        content->finalizer_counts[i]++;
}

void namespace_content_failed(struct namespace_content *content, const char *message) {
        const char *copy = content->n_failures < NAMESPACE_FAILURES_MAX ? arena_strdup(content->arena, message) : NULL;

        content->n_failures_all++;
        if (copy)
                content->failures[content->n_failures++] = copy;
}

unsigned namespace_content_count(const struct namespace_content *content) {
        unsigned n = 0;

        for (unsigned i = 0; i < content->n_kinds; i++)
                n += content->counts[i];
        return n;
}

void namespace_content_clear_counts(struct namespace_content *content) {
        content->n_kinds = content->n_finalizers = 0;
        memset(content->finalizer_counts, 0, sizeof(content->finalizer_counts));
}

/* --- messages --- */

/* @texts, sorted, with ", " between; NULL without memory, or where one is missing. */
static const char *join(struct arena *arena, const char **texts, unsigned n) {
        const char *all = "";

        for (unsigned i = 0; i < n; i++)
                if (!texts[i])
                        return NULL;
        qsort(texts, n, sizeof(*texts), texts_order);
        for (unsigned i = 0; all && i < n; i++)
                all = arena_printf(arena, "%s%s%s", all, i > 0 ? ", " : "", texts[i]);
        return all;
}

static const char *remaining(const struct namespace_content *content) {
        const char **texts = arena_alloc_array(content->arena, content->n_kinds, sizeof(*texts)), *all;

        for (unsigned i = 0; texts && i < content->n_kinds; i++)
                texts[i] = arena_printf(content->arena, "%s.%s has %u resource instances", content->kinds[i]->resource,
                                        content->kinds[i]->group, content->counts[i]);
        all = texts ? join(content->arena, texts, content->n_kinds) : NULL;
        return all ? arena_printf(content->arena, "Some resources are remaining: %s", all) : NULL;
}

static const char *held(const struct namespace_content *content) {
        const char **texts = arena_alloc_array(content->arena, content->n_finalizers, sizeof(*texts)), *all;

        for (unsigned i = 0; texts && i < content->n_finalizers; i++)
                texts[i] = arena_printf(content->arena, "%s in %u resource instances", content->finalizers[i],
                                        content->finalizer_counts[i]);
        all = texts ? join(content->arena, texts, content->n_finalizers) : NULL;
        return all ? arena_printf(content->arena, "Some content in the namespace has finalizers remaining: %s", all) :
                     NULL;
}

static const char *failed(const struct namespace_content *content) {
        const char **texts = arena_alloc_array(content->arena, content->n_failures + 1, sizeof(*texts)), *all;

        for (unsigned i = 0; texts && i < content->n_failures; i++)
                texts[i] = content->failures[i];
        all = texts ? join(content->arena, texts, content->n_failures) : NULL;
        return all ? arena_printf(content->arena, "Failed to delete all resource types, %u remaining: %s",
                                  content->n_failures_all, all) :
                     NULL;
}

/* --- conditions --- */

typedef struct kube_namespace_condition condition;

/* As it is to be; a message of NULL: there is no memory. */
static condition wanted(const struct namespace_content *content, int which, bool totals) {
        condition c = { .type = well[which].type,
                        .status = "False",
                        .reason = well[which].reason,
                        .message = well[which].message };

        if (which == DELETION && content->n_failures_all > 0)
                c = (condition){ .type = c.type, .reason = "ContentDeletionFailed", .message = failed(content) };
        if (which == REMAINING && totals && content->n_kinds > 0)
                c = (condition){ .type = c.type, .reason = "SomeResourcesRemain", .message = remaining(content) };
        if (which == FINALIZERS && totals && content->n_finalizers > 0)
                c = (condition){ .type = c.type, .reason = "SomeFinalizersRemain", .message = held(content) };
        c.status = c.status ?: "True";
        return c;
}

static condition *find(struct kube_namespace *object, const char *type) {
        list_for_each (c, &object->status.conditions)
                if (c->type && strcmp(c->type, type) == 0)
                        return c;
        return NULL;
}

static bool is_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

/* Whether it was another; the time is that of the last change of its status. */
static bool take(condition *there, const condition *wanted, int64_t now) {
        bool same = is_text(there->status, wanted->status), before = there->last_transition_time.set;
        struct kube_time at = there->last_transition_time;

        if (same && is_text(there->reason, wanted->reason) && is_text(there->message, wanted->message))
                return false;
        *there = *wanted;
        there->last_transition_time = same && before ? at : (struct kube_time){ .seconds = now, .set = true };
        return true;
}

int namespace_conditions_set(const struct namespace_content *content, bool totals, int64_t now,
                             struct kube_namespace *object, bool *ret_changed) {
        uint32_t n = object->status.conditions.count;
        condition *all = arena_alloc_array(content->arena, n + CONDITIONS, sizeof(*all));
        bool changed = false;

        if (!all || content->no_memory)
                return -ENOMEM;
        if (n > 0)
                memcpy(all, object->status.conditions.items, n * sizeof(*all));
        object->status.conditions.items = all;
        for (int i = 0; i < CONDITIONS; i++) {
                condition c = wanted(content, i, totals), *there = find(object, c.type);

                if (!c.message)
                        return -ENOMEM;
                changed |= take(there ?: &all[object->status.conditions.count++], &c, now);
        }
        *ret_changed = changed;
        return 0;
}
