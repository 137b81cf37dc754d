#include "kube/pod/pod.h"

#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "kube/pod/status.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static void check_word(struct problems *problems, const char *field, const char *word, const char *wanted) {
        if (!word)
                problem_error(problems, field, "Required value: must be %s", wanted);
        else if (strcmp(word, wanted) != 0)
                problem_error(problems, field, "Invalid value: \"%.64s\": must be %s", word, wanted);
}

static bool is_gate(const struct kube_pod_spec *spec, const char *type) {
        list_for_each (gate, &spec->readiness_gates)
                if (type && kube_is(gate->condition_type, type))
                        return true;
        return false;
}

static int take_gates(struct pod *pod, const kube_pod_condition_items *conditions) {
        struct string_pair *items;

        if (pod->spec.readiness_gates.count == 0)
                return 0;
        if (!(items = arena_alloc_array(pod->arena, conditions->count + 1, sizeof(*items))))
                return -ENOMEM;
        pod->gates.items = items;
        list_for_each (c, conditions)
                if (is_gate(&pod->spec, c->type))
                        items[pod->gates.count++] = (struct string_pair){ c->type, c->status ?: "" };
        return 0;
}

/* Its status is read, so that what is none is refused; all that is kept of it is what its gates are told. */
static int read_value(struct pod *pod, const struct value *value, struct problems *problems) {
        struct kube_pod read = { 0 };
        int r = kube_value_read(pod->arena, &kube_pod_type, value, "", problems, &read);

        if (r < 0)
                return r;
        if (value_is(value, VALUE_MAP)) {
                check_word(problems, "kind", read.kind, "Pod");
                check_word(problems, "apiVersion", read.api_version, "v1");
        }
        pod->metadata = read.metadata;
        pod->spec = read.spec;
        return take_gates(pod, &read.status.conditions);
}

static struct pod *new_in(struct arena *arena) {
        struct pod *pod = arena_new_of(arena, struct pod);

        if (!pod)
                return NULL;
        pod->arena = arena;
        atomic_init(&pod->references, 1);
        return pod;
}

struct pod *pod_new(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod *pod = arena ? new_in(arena) : NULL;

        if (pod)
                arena = NULL; /* the pod's now */
        return pod;
}

int pod_decode(const struct value *value, struct problems *problems, struct pod **ret_pod) {
        _cleanup_pod_ struct pod *pod = pod_new();
        uint32_t errors = problems->errors;
        int r;

        if (!pod)
                return -ENOMEM;
        if ((r = read_value(pod, value, problems)) < 0)
                return r;
        if (problems->errors > errors)
                return -EINVAL;
        *ret_pod = TAKE_PTR(pod);
        return 0;
}

static bool copy_gates(struct arena *arena, const string_map *gates, string_map *ret_gates) {
        struct string_pair *items = arena_alloc_array(arena, gates->count + 1, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return false;
        list_for_each (gate, gates) {
                items[n] = (struct string_pair){ arena_strdup(arena, gate->key), arena_strdup(arena, gate->value) };
                if (!items[n].key || !items[n].value)
                        return false;
                n++;
        }
        *ret_gates = (string_map){ items, n };
        return true;
}

static struct pod *copy_into(struct arena *arena, const struct pod *pod) {
        struct pod *copy = new_in(arena);

        if (!copy || kube_copy(arena, &kube_object_meta_type, &pod->metadata, &copy->metadata) < 0 ||
            kube_copy(arena, &kube_pod_spec_type, &pod->spec, &copy->spec) < 0 ||
            !copy_gates(arena, &pod->gates, &copy->gates) ||
            (pod->file && !(copy->file = arena_strdup(arena, pod->file))))
                return NULL;
        return copy;
}

/* A first copy shows how much memory the second, which stays, needs. */
int pod_settle(struct pod **pod) {
        _cleanup_arena_ struct arena *measure = arena_new(), *arena = NULL;
        struct pod *copy;

        if (!measure || !copy_into(measure, *pod) || !(arena = arena_new_like(measure, 0)) ||
            !(copy = copy_into(arena, *pod)))
                return -ENOMEM;
        arena = NULL; /* the copy's now */
        pod_unref(*pod);
        *pod = copy;
        return 0;
}

struct pod *pod_copy(const struct pod *pod) {
        struct arena *arena = arena_new();
        struct pod *copy = arena ? copy_into(arena, pod) : NULL;

        if (!copy)
                arena_free(arena);
        return copy;
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

static int write_status(const struct pod *pod, const struct pod_status *status, struct json_writer *w) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_pod_status made;
        int r = arena ? pod_status_make(arena, pod, status, &made) : -ENOMEM;

        if (r < 0)
                return r;
        json_key(w, "status");
        kube_json_write(w, &kube_pod_status_type, &made);
        return 0;
}

/* For who reads it again. */
static void write_gates(const struct pod *pod, struct json_writer *w) {
        json_key(w, "status");
        json_begin_map(w);
        json_key(w, "conditions");
        json_begin_list(w);
        list_for_each (gate, &pod->gates) {
                json_begin_map(w);
                json_add_string(w, "type", gate->key);
                json_add_string(w, "status", gate->value);
                json_end_map(w);
        }
        json_end_list(w);
        json_end_map(w);
}

int pod_write(const struct pod *pod, const struct pod_status *status, struct json_writer *w) {
        int r = 0;

        json_begin_map(w);
        json_add_string(w, "apiVersion", "v1");
        json_add_string(w, "kind", "Pod");
        json_key(w, "metadata");
        kube_json_write(w, &kube_object_meta_type, &pod->metadata);
        json_key(w, "spec");
        kube_json_write(w, &kube_pod_spec_type, &pod->spec);
        if (status)
                r = write_status(pod, status, w);
        else if (pod->gates.count > 0)
                write_gates(pod, w);
        json_end_map(w);
        return r;
}

bool pod_container_is_sidecar(const struct kube_container *init_container) {
        return kube_is(init_container->restart_policy, "Always");
}

static const struct kube_container *find_in(const kube_container_items *list, const char *name) {
        list_for_each (container, list)
                if (kube_is(container->name, name))
                        return container;
        return NULL;
}

const struct kube_container *pod_find_container(const struct pod *pod, const char *name) {
        const struct kube_container *found = find_in(&pod->spec.containers, name);

        if (!found)
                found = find_in(&pod->spec.init_containers, name);
        list_for_each (ephemeral, &pod->spec.ephemeral_containers)
                if (!found && kube_is(ephemeral->container.name, name))
                        found = &ephemeral->container;
        return found;
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
                if (kube_is(volume->name, name))
                        return volume;
        return NULL;
}

uint16_t pod_resolve_port(const struct kube_container *container, const struct int_or_string *port) {
        if (!port->text)
                return port->number > 0 && port->number <= UINT16_MAX ? (uint16_t)port->number : 0;
        list_for_each (p, &container->ports)
                if (p->name && strcmp(p->name, port->text) == 0)
                        return (uint16_t)p->container_port;
        return 0;
}
