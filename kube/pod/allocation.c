#include "kube/pod/allocation.h"

#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static bool same_amounts(const resource_list *a, const resource_list *b) {
        if (a->count != b->count)
                return false;
        list_for_each (r, a) {
                const struct quantity *other = resource_get(b, r->name);

                if (!other || quantity_compare(r->amount, *other) != 0)
                        return false;
        }
        return true;
}

static bool same(const struct kube_resource_requirements *a, const struct kube_resource_requirements *b) {
        static const struct kube_resource_requirements none;

        a = a ?: &none;
        b = b ?: &none;
        return same_amounts(&a->requests, &b->requests) && same_amounts(&a->limits, &b->limits);
}

static struct kube_container *find(const kube_container_items *list, const char *name) {
        list_for_each (c, list)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

/* What @allocated grants to @c, one of its containers (@main) or init containers; NULL: it is not there. */
static const struct kube_resource_requirements *granted(const struct pod *allocated, const struct kube_container *c,
                                                        bool main) {
        const struct kube_container *other =
                find(main ? &allocated->spec.containers : &allocated->spec.init_containers, c->name);

        return other ? &other->resources : NULL;
}

static bool is_list_resized(const kube_container_items *list, const struct pod *allocated, bool main) {
        list_for_each (c, list) {
                const struct kube_resource_requirements *has = granted(allocated, c, main);

                if (has && !same(&c->resources, has))
                        return true;
        }
        return false;
}

bool pod_is_resized(const struct pod *wanted, const struct pod *allocated) {
        return wanted != allocated && (is_list_resized(&wanted->spec.containers, allocated, true) ||
                                       is_list_resized(&wanted->spec.init_containers, allocated, false) ||
                                       !same(wanted->spec.resources, allocated->spec.resources));
}

static int keep_list(struct arena *arena, kube_container_items *list, const struct pod *allocated, bool main) {
        list_for_each (c, list) {
                const struct kube_resource_requirements *has = granted(allocated, c, main);

                if (has && kube_copy(arena, &kube_resource_requirements_type, has, &c->resources) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int keep_whole(struct arena *arena, struct pod *pod, const struct pod *allocated) {
        const struct kube_resource_requirements *has = allocated->spec.resources;

        pod->spec.resources = NULL;
        if (!has)
                return 0;
        pod->spec.resources = arena_new_of(arena, struct kube_resource_requirements);
        return pod->spec.resources ? kube_copy(arena, &kube_resource_requirements_type, has, pod->spec.resources) :
                                     -ENOMEM;
}

int pod_with_allocation(struct pod *wanted, const struct pod *allocated, struct pod **ret_pod) {
        _cleanup_pod_ struct pod *made = NULL;

        if (!pod_is_resized(wanted, allocated)) {
                *ret_pod = pod_ref(wanted);
                return 0;
        }
        if (!(made = pod_copy(wanted)) || keep_list(made->arena, &made->spec.containers, allocated, true) < 0 ||
            keep_list(made->arena, &made->spec.init_containers, allocated, false) < 0 ||
            keep_whole(made->arena, made, allocated) < 0)
                return -ENOMEM;
        *ret_pod = TAKE_PTR(made);
        return 0;
}

bool pod_grows(const struct pod *wanted, const struct pod *allocated) {
        static const char *const names[] = { "cpu", "memory" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (quantity_compare(pod_request(wanted, names[i]), pod_request(allocated, names[i])) > 0)
                        return true;
        return false;
}

/* -- words ------------------------------------------------------------------------------------------------- */

static void write_list(struct json_writer *w, const char *key, const kube_container_items *list) {
        if (list->count == 0)
                return;
        json_key(w, key);
        json_begin_list(w);
        list_for_each (c, list) {
                json_begin_map(w);
                json_add_string(w, "name", c->name);
                json_key(w, "resources");
                kube_json_write(w, &kube_resource_requirements_type, &c->resources);
                json_end_map(w);
        }
        json_end_list(w);
}

char *pod_resize_summary(const struct pod *pod, int64_t generation, const char *error) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        char *text = NULL;
        size_t length;

        json_begin_map(&w);
        write_list(&w, "initContainers", &pod->spec.init_containers);
        write_list(&w, "containers", &pod->spec.containers);
        json_add_int(&w, "generation", generation);
        json_add_string_if(&w, "error", error);
        json_end_map(&w);
        return json_writer_finish(&w, &text, &length) < 0 ? NULL : text;
}
