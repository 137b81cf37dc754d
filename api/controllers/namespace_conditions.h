/* The conditions of a namespace that is being deleted, with kube-controller-manager's reasons and words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct kube_kind;
struct kube_namespace;

#define NAMESPACE_FINALIZERS_MAX 64 /* different ones that are counted */
#define NAMESPACE_FAILURES_MAX 16   /* that are told of */

/* What is in the way. Texts are in @arena. */
struct namespace_content {
        struct arena *arena;
        const struct kube_kind *kinds[256]; /* CONTROLLER_KINDS_MAX */
        unsigned counts[256];
        unsigned n_kinds;
        const char *finalizers[NAMESPACE_FINALIZERS_MAX];
        unsigned finalizer_counts[NAMESPACE_FINALIZERS_MAX];
        unsigned n_finalizers;
        const char *failures[NAMESPACE_FAILURES_MAX];
        unsigned n_failures, n_failures_all;
        bool no_memory;
};

/* Counts: an object of @kind that is still there, with a finalizer; a text of what failed. */
void namespace_content_add(struct namespace_content *content, const struct kube_kind *kind);
void namespace_content_held(struct namespace_content *content, const char *finalizer);
void namespace_content_failed(struct namespace_content *content, const char *message);
unsigned namespace_content_count(const struct namespace_content *content);
void namespace_content_clear_counts(struct namespace_content *content);

/* Brings @object's conditions up to date, at @now; @totals: what is there has been counted. *@ret_changed says whether
 * any has. -ENOMEM or 0. */
int namespace_conditions_set(const struct namespace_content *content, bool totals, int64_t now,
                             struct kube_namespace *object, bool *ret_changed);
