/* Label selectors and terms of pod affinity, made of a pod's struct once. For api/scheduler alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/core_v1.h"
#include "kube/selector/label.h"

struct arena;

/* What is asked of labels beside a selector: for each of @keys that @labels have, the same value (or another one). */
struct sched_selector_more {
        const string_list *keys; /* NULL: none */
        const string_map *labels;
        bool differ;
};

/* @selector NULL selects nothing; what is no selector selects nothing either. Texts are @selector's. 0 or -ENOMEM. */
int sched_selector_read(struct arena *arena, const struct kube_label_selector *selector,
                        const struct sched_selector_more more[2], struct selector_labels *ret_selector);

bool sched_selector_matches(const struct selector_labels *selector, const string_map *labels);
bool sched_selector_is_empty(const struct selector_labels *selector); /* selects everything */

bool sched_labels_differ(const string_map *a, const string_map *b);

/* A term of affinity or anti-affinity. */
struct sched_term {
        struct selector_labels pods, spaces; /* which pods; in namespaces with which labels, beside those named */
        const string_list *named;            /* namespaces; empty with no @spaces: the pod's own */
        const char *own;                     /* the pod's namespace */
        const char *key;                     /* of the topology */
        int32_t weight;                      /* of a preferred one */
};

struct sched_terms {
        const struct sched_term *required, *preferred;
        uint32_t n_required, n_preferred;
};

/* Of @meta's pod, whose texts they keep. 0 or -ENOMEM. */
int sched_terms_read(struct arena *arena, const struct kube_object_meta *meta,
                     const kube_pod_affinity_term_items *required,
                     const kube_weighted_pod_affinity_term_items *preferred, struct sched_terms *ret_terms);

/* Whether @namespace, which has @labels (NULL: not known), is one of @term's. */
bool sched_term_is_of(const struct sched_term *term, const char *namespace, const string_map *labels);
