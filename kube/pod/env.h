/* A container's environment, command and arguments as it will see them: references resolved, $(VAR) expanded.
 *
 * $(NAME) stands for a variable defined before; $$ for one dollar; a reference to what is not defined stays as it is
 * written (kubelet's third_party/forked/golang/expansion). Variables keep the manifest's order, a later one of a name
 * takes the earlier one's place.
 */
#pragma once

#include "kube/pod/env_index.h"
#include "kube/pod/pod.h"
#include "kube/pod/sources.h"

/* The longest value after expansion; execve(2) takes no longer string. */
#define ENV_VALUE_MAX ((size_t)128 * 1024)
#define ENV_TOTAL_MAX ((size_t)2 << 20) /* of all values; of all words of a command or of its arguments */
/* Of all names, and how many, also of those that another takes the place of: more than execve(2) takes at all. A pod of
 * a few bytes can ask for any number of them, by an object that is named again and again with other prefixes. */
#define ENV_NAMES_MAX ((size_t)8 << 20)
#define ENV_COUNT_MAX ((size_t)1 << 20)

/* What references may ask for beyond the manifest. Texts are NULL when not known. */
struct pod_facts {
        const char *pod_ip, *pod_ips; /* the second: all, divided by commas */
        const char *host_ip, *host_ips;
        struct quantity allocatable_cpu, allocatable_memory, allocatable_storage; /* stand in for limits not given */

        /* Reads what a fileKeyRef names: 0 with a text that lives in @arena, -ENOENT when file or key is missing,
         * another negative errno. NULL: fileKeyRef is refused. */
        int (*file_key)(void *data, struct arena *arena, const struct kube_file_key_selector *ref,
                        const char **ret_text, struct err **err);
        void *file_key_data;

        const struct pod_sources *sources; /* the API's objects; NULL: there are none */
        const string_map *services;        /* variables of Services; NULL: there are none */
};

/* @text with references to @variables expanded; in @arena (or @text itself when there is none). NULL without
 * memory, or when it comes out longer than ENV_VALUE_MAX. */
const char *env_expand(struct arena *arena, const char *text, const struct env_index *variables);

/* The value of field @path ("metadata.name", "metadata.labels['app']", "status.podIP"; "metadata.labels" gives all,
 * as a downward API file has them). In @arena. -EINVAL for a path that is not supported, -EAGAIN when the field is not
 * known yet (an IP before the network is up). */
int pod_field_value(struct arena *arena, const struct pod *pod, const struct pod_facts *facts, const char *path,
                    const char **ret_text, struct err **err);

/* Where a reference stands, and what is known there. */
struct pod_place {
        const struct pod *pod;
        const struct kube_container *container; /* for a reference that names none; NULL: it must */
        const struct pod_facts *facts;
};

/* The value of a resourceFieldRef. */
int pod_resource_value(struct arena *arena, const struct pod_place *place,
                       const struct kube_resource_field_selector *ref, const char **ret_text, struct err **err);

/* The container's variables, in @arena or @facts->sources, in order (not sorted): those of Services, of envFrom, its
 * own; one takes the place of another before it. A negative errno, in kubelet's words (kubelet_pods.go,
 * makeEnvironmentVariables()), when one cannot be made: -ENOENT for an object or key that is missing and not optional,
 * -EAGAIN for one that is not known yet.
 */
int pod_environment(struct arena *arena, const struct pod *pod, const struct kube_container *container,
                    const struct pod_facts *facts, string_map *ret_environment, struct err **err);

/* Each of @words (command or args) expanded. -E2BIG: all are longer than ENV_TOTAL_MAX; -ENOMEM, also where one is
 * longer than ENV_VALUE_MAX. */
int env_expand_list(struct arena *arena, const string_list *words, const string_map *variables, string_list *ret_words);

/* subPathExpr expanded: -EINVAL when a variable is not defined or what comes out is absolute or has "..", -ENAMETOOLONG
 * when it is longer than a path. */
int env_expand_sub_path(struct arena *arena, const char *expression, const struct env_index *variables,
                        const char **ret_path, struct err **err);
