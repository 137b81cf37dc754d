/* Pods as Kubernetes defines them: core/v1 Pod, from manifest to a typed, defaulted and checked object.
 *
 * A struct pod is immutable once read, lives in one arena with everything it points to, and is counted: whoever keeps
 * it takes a reference. Metadata and spec are the generated types (kube/type.h says how C holds them): what names a
 * choice, as restartPolicy does, is text, compared by kube_is().
 */
#pragma once

#include <stdatomic.h>

#include "kube/core_v1.h"

struct arena;
struct err;
struct json_writer;
struct kube_field;
struct pod_status;
struct problems;
struct value;

#define POD_UID_MAX 128
#define POD_VOLUME_MODE_DEFAULT 0644 /* defaultMode of configMap, secret, downwardAPI and projected volumes */
#define POD_MANIFEST_BYTES_MAX ((size_t)1 << 20) /* as large as etcd takes an object, about */

struct pod {
        struct kube_object_meta metadata;
        struct kube_pod_spec spec;
        string_map gates; /* of the conditions that its readiness gates name: their status, as others have set it */
        const char *file; /* where a static pod was read from; NULL otherwise */

        struct arena *arena; /* owns all of the above and the pod itself */
        atomic_uint references;
};

/* A profile of seccomp or AppArmor, whose types have the same fields. */
struct pod_profile {
        const char *type, *localhost_profile; /* NULL: not given */
};
#define POD_PROFILE(profile)                                                                                           \
        ((profile) ? (struct pod_profile){ (profile)->type, (profile)->localhost_profile } : (struct pod_profile){ 0 })

struct pod_static_options {
        const char *file;      /* path of the manifest: part of the pod's identity, and named in errors */
        const char *node_name; /* the pod's name ends in it, in lower case */
        const char *seen;      /* RFC 3339 time for the annotation kubernetes.io/config.seen; NULL: now */
};

/* Reads a static pod from the manifest @text (YAML or JSON) as kubelet's file source does: decoded strictly,
 * defaulted as by the API server, given UID (the hash of manifest, node and file), name, namespace, annotations and
 * toleration of a static pod, and validated, also against references to API objects.
 *
 * Unknown fields and those that nacelle does not support become warnings in @problems, with their lines. Returns 0,
 * or -EINVAL with every error in @problems and their text, one after the other, in *err; *ret_pod has one reference.
 */
int pod_read_static(const char *text, size_t length, const struct pod_static_options *options,
                    struct problems *problems, struct pod **ret_pod, struct err **err);

/* The steps of which pod_read_static() is made. pod_decode() makes a pod of @value in an arena of its own (nothing of
 * the source is kept); -EINVAL when @problems got an error. pod_default() fills in what the API server would: -ENOMEM
 * or 0. pod_validate() adds each violation to @problems: -ENOMEM or 0. All before the pod is shared. */
int pod_decode(const struct value *value, struct problems *problems, struct pod **ret_pod);
int pod_default(struct pod *pod);
int pod_validate(const struct pod *pod, struct problems *problems);

/* Puts *@pod, before it is shared, into no more memory than it needs: what was read on the way goes. -ENOMEM or 0. */
int pod_settle(struct pod **pod);

/* A pod of its own that says the same, to be changed before it is shared; NULL without memory. */
struct pod *pod_copy(const struct pod *pod);

/* A pod that says nothing yet; NULL without memory. */
struct pod *pod_new(void);

struct pod *pod_ref(struct pod *pod);

/* Drops a reference; the last one frees the pod. NULL is fine. Returns NULL. */
struct pod *pod_unref(struct pod *pod);

void pod_unrefp(struct pod **pod);
#define _cleanup_pod_ __attribute__((cleanup(pod_unrefp)))

/* Writes the pod as the API's JSON, apiVersion and kind first; with @status unless it is NULL (kube/pod/status.h).
 * -ENOMEM or 0. */
int pod_write(const struct pod *pod, const struct pod_status *status, struct json_writer *w);

/* An init container with restartPolicy Always: started in its turn, kept running beside the containers. */
bool pod_container_is_sidecar(const struct kube_container *init_container);

/* The container of that name among all three lists; NULL when there is none. */
const struct kube_container *pod_find_container(const struct pod *pod, const char *name);
const struct kube_volume *pod_find_volume(const struct pod *pod, const char *name);

/* The row of the source that @volume has, the first of several, and the source itself; NULL when it has none. */
const struct kube_field *pod_volume_source(const struct kube_volume *volume, const void **ret_source);

/* The port @port stands for in @container, by number or by one of its ports' names; 0 when there is no such name. */
uint16_t pod_resolve_port(const struct kube_container *container, const struct int_or_string *port);
