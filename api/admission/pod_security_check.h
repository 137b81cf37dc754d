/* A check of the Pod Security Standards, for the files that have them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/core_v1.h"

struct arena;

/* Texts as they are found: in that order, or as a set. */
struct pod_words {
        const char **items;
        uint32_t n, room;
};

struct pod_check {
        struct arena *arena;
        const string_map *annotations;
        const struct kube_pod_spec *spec;
        const struct kube_container *const *containers; /* initial, usual, ephemeral */
        uint32_t n_containers;
        int32_t minor; /* the version that is asked for */

        /* The check's answer; NULL: it lets the pod pass. */
        const char *reason, *detail;
        int error; /* -ENOMEM */
};

typedef void (*pod_check_function)(struct pod_check *c);

/* Walks the containers. */
#define POD_CHECK_EACH(container, c)                                                                                   \
        for (const struct kube_container *const *_at = (c)->containers, *container = NULL;                             \
             _at < (c)->containers + (c)->n_containers && (container = *_at); _at++)

/* Without memory nothing is added, and c->error says so. */
void pod_words_add(struct pod_check *c, struct pod_words *words, const char *text);

/* The same of a text that was made for it: NULL is no memory. */
void pod_words_add_made(struct pod_check *c, struct pod_words *words, const char *text);

/* Sorts, each text once; what is joined after it has that order. */
void pod_words_settle(struct pod_words *words);

/* `"a", "b"` and `a, b`; "" without memory. */
const char *pod_words_quote(struct pod_check *c, const struct pod_words *words);
const char *pod_words_join(struct pod_check *c, const struct pod_words *words, const char *between);

/* `container "a"`, `containers "a", "b"`. */
const char *pod_words_containers(struct pod_check *c, const struct pod_words *names);

/* The pod does not pass: @reason a static text, the rest the detail's. */
void pod_check_refuse(struct pod_check *c, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Who sets what is not allowed: the pod, containers, or both: `pod and container "a"`. NULL: nobody. */
const char *pod_check_setters(struct pod_check *c, bool pod, const struct pod_words *containers);

/* Whether the pod has a user namespace of its own, where root is nobody's. */
bool pod_check_owns_users(const struct pod_check *c);
bool pod_check_is_windows(const struct pod_check *c);
bool pod_check_one_of(const char *text, const char *const *list, uint32_t n);

/* pod_security_host.c: what a pod has of its node. */
void pod_check_host_namespaces(struct pod_check *c);
void pod_check_host_paths(struct pod_check *c);
void pod_check_host_ports(struct pod_check *c);
void pod_check_host_probes(struct pod_check *c);
void pod_check_sysctls(struct pod_check *c);
void pod_check_volumes(struct pod_check *c);
void pod_check_windows_process(struct pod_check *c);

/* pod_security_process.c: what a process may. */
void pod_check_capabilities(struct pod_check *c);
void pod_check_dropped(struct pod_check *c);
void pod_check_dropped_linux(struct pod_check *c);
void pod_check_escalation(struct pod_check *c);
void pod_check_escalation_linux(struct pod_check *c);
void pod_check_not_root(struct pod_check *c);
void pod_check_not_root_mapped(struct pod_check *c);
void pod_check_privileged(struct pod_check *c);
void pod_check_proc(struct pod_check *c);
void pod_check_proc_mapped(struct pod_check *c);
void pod_check_user(struct pod_check *c);
void pod_check_user_mapped(struct pod_check *c);

/* pod_security_profiles.c: what confines it. */
void pod_check_app_armor(struct pod_check *c);
void pod_check_se_linux(struct pod_check *c);
void pod_check_seccomp(struct pod_check *c);
void pod_check_seccomp_annotations(struct pod_check *c);
void pod_check_seccomp_given(struct pod_check *c);
void pod_check_seccomp_given_linux(struct pod_check *c);
