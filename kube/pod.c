#include "kube/pod.h"

#include <errno.h>
#include <string.h>

#include "kube/field.h"
#include "kube/pod_fields.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static void check_kind(const struct value *value, struct problems *problems) {
        const struct value *version = value_get(value, "apiVersion"), *kind = value_get(value, "kind");

        if (value_is_null(kind))
                problem_error(problems, "kind", "Required value: must be Pod");
        else if (strcmp(value_string_or(kind, ""), "Pod") != 0)
                problem_error(problems, "kind", "Invalid value: \"%.64s\": must be Pod", value_string_or(kind, ""));
        if (value_is_null(version))
                problem_error(problems, "apiVersion", "Required value: must be v1");
        else if (strcmp(value_string_or(version, ""), "v1") != 0)
                problem_error(problems, "apiVersion", "Invalid value: \"%.64s\": must be v1",
                              value_string_or(version, ""));
}

int pod_decode(const struct value *value, struct problems *problems, struct pod **ret_pod) {
        _cleanup_arena_ struct arena *arena = arena_new();
        uint32_t errors = problems->errors;
        struct pod *pod = arena ? arena_new_of(arena, struct pod) : NULL;

        if (!pod)
                return -ENOMEM;
        if (value_is(value, VALUE_MAP))
                check_kind(value, problems);
        if (!object_decode(arena, value, &pod_type, "", problems, pod))
                return -ENOMEM;
        if (problems->errors > errors)
                return -EINVAL;
        pod->arena = arena;
        atomic_init(&pod->references, 1);
        *ret_pod = pod;
        arena = NULL; /* the pod's now */
        return 0;
}

struct pod *pod_ref(struct pod *pod) {
        atomic_fetch_add_explicit(&pod->references, 1, memory_order_relaxed);
        return pod;
}

struct pod *pod_unref(struct pod *pod) {
        if (pod && atomic_fetch_sub_explicit(&pod->references, 1, memory_order_acq_rel) == 1)
                arena_free(pod->arena);
        return NULL;
}

void pod_unrefp(struct pod **pod) {
        *pod = pod_unref(*pod);
}

static void write_by(const struct pod *pod, struct json_writer *w,
                     void (*write)(struct json_writer *w, const struct object_type *type, const void *object)) {
        json_begin_map(w);
        json_add_string(w, "apiVersion", "v1");
        json_add_string(w, "kind", "Pod");
        json_key(w, "metadata");
        write(w, &object_meta_type, &pod->metadata);
        json_key(w, "spec");
        write(w, &pod_spec_type, &pod->spec);
        json_end_map(w);
}

void pod_write(const struct pod *pod, struct json_writer *w) {
        write_by(pod, w, object_write);
}

void pod_write_given(const struct pod *pod, struct json_writer *w) {
        write_by(pod, w, object_write_given);
}

static const struct pod_container *find_in(const pod_container_list *list, const char *name) {
        list_for_each (container, list)
                if (container->name && strcmp(container->name, name) == 0)
                        return container;
        return NULL;
}

const struct pod_container *pod_find_container(const struct pod *pod, const char *name) {
        const struct pod_container *found = find_in(&pod->spec.containers, name);

        if (!found)
                found = find_in(&pod->spec.init_containers, name);
        return found ?: find_in(&pod->spec.ephemeral_containers, name);
}

const struct kube_field *pod_volume_source(const struct kube_volume *volume, const void **ret_source) {
        for (size_t i = 0; i < kube_volume_type.n_fields; i++) {
                const struct kube_field *field = &kube_volume_type.fields[i];
                const void *source = field->type ? kube_below(field, volume) : NULL;

                if (!source)
                        continue;
                if (ret_source)
                        *ret_source = source;
                return field;
        }
        return NULL;
}

const struct kube_volume *pod_find_volume(const struct pod *pod, const char *name) {
        list_for_each (volume, &pod->spec.volumes)
                if (volume->name && strcmp(volume->name, name) == 0)
                        return volume;
        return NULL;
}

uint16_t pod_resolve_port(const struct pod_container *container, const struct int_or_string *port) {
        if (!port->text)
                return port->number > 0 && port->number <= UINT16_MAX ? (uint16_t)port->number : 0;
        list_for_each (p, &container->ports)
                if (p->name && strcmp(p->name, port->text) == 0)
                        return (uint16_t)p->container_port;
        return 0;
}
