#include "api/admission/pod_security_namespace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/plugin.h"
#include "api/admission/pod_security.h"
#include "api/cache/collection.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/table.h"
#include "lib/texts.h"

/* Pods that do the same: the first by name, and how many. */
struct alike {
        struct table_node node;
        const char *reasons, *pod;
        unsigned n;
};

/* A controller of which one pod was seen. */
struct controller {
        struct table_node node;
};

struct survey {
        struct admission *a;
        const struct pod_security_bar *bar;
        struct table alike, controllers;
        struct arena *scratch;
        size_t n_checked;
};

static int add(struct survey *s, const char *reasons, const char *name) {
        struct alike *one = table_object(table_find(&s->alike, reasons), struct alike, node);

        if (!one) {
                one = arena_new_of(s->a->arena, struct alike);
                if (!one || !(one->reasons = arena_strdup(s->a->arena, reasons)) ||
                    !(one->pod = arena_strdup(s->a->arena, name)))
                        return -ENOMEM;
                if (table_add(&s->alike, &one->node, one->reasons) < 0)
                        return -ENOMEM;
        }
        one->n++;
        return 0;
}

static const char *controller_of(const struct kube_pod *pod) {
        list_for_each (owner, &pod->metadata.owner_references)
                if (owner->controller == TRI_TRUE)
                        return owner->uid;
        return NULL;
}

/* 1: a pod of the same controller was seen before; 0; -ENOMEM. */
static int see_controller(struct survey *s, const char *uid) {
        struct controller *controller;
        const char *key;

        if (table_find(&s->controllers, uid))
                return 1;
        controller = arena_new_of(s->a->arena, struct controller);
        key = arena_strdup(s->a->arena, uid);
        return !controller || !key ? -ENOMEM : table_add(&s->controllers, &controller->node, key);
}

static int look(struct survey *s, const struct object *object, bool again, bool *ret_later) {
        struct kube_pod *pod;
        struct pod_security_verdict verdict;
        const char *controller;
        int r;

        arena_reset(s->scratch);
        pod = arena_new_of(s->scratch, struct kube_pod);
        if (!pod)
                return -ENOMEM;
        r = api_struct_of(s->scratch, &kube_pod_type, object, pod);
        if (r < 0)
                return r;
        controller = again ? NULL : controller_of(pod);
        r = controller ? see_controller(s, controller) : 0;
        *ret_later = r > 0;
        if (r != 0)
                return r < 0 ? r : 0;
        s->n_checked++;
        r = pod_security_evaluate(s->scratch, s->bar, &pod->metadata, &pod->spec, &verdict);
        return r < 0 || !verdict.reasons ? r : add(s, verdict.reasons, object->name);
}

/* One pod of each controller, then the others. */
static int look_at_all(struct survey *s, const struct collection_page *page) {
        bool *later = arena_alloc_array(s->a->arena, page->n, sizeof(*later)), dummy;
        int r = later ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < page->n && s->n_checked < POD_SECURITY_PODS_MAX; i++)
                r = look(s, page->objects[i], false, &later[i]);
        for (size_t i = 0; r == 0 && i < page->n && s->n_checked < POD_SECURITY_PODS_MAX; i++)
                r = later[i] ? look(s, page->objects[i], true, &dummy) : 0;
        return r;
}

static const char *text_of(struct arena *arena, const struct alike *one) {
        if (one->n == 1)
                return arena_printf(arena, "%s: %s", one->pod, one->reasons);
        if (one->n == 2)
                return arena_printf(arena, "%s (and 1 other pod): %s", one->pod, one->reasons);
        return arena_printf(arena, "%s (and %u other pods): %s", one->pod, one->n - 1, one->reasons);
}

static int tell_each(struct survey *s) {
        const char **texts = arena_alloc_array(s->a->arena, s->alike.n, sizeof(*texts));
        size_t n = 0;

        if (!texts)
                return -ENOMEM;
        for (size_t i = 0; i < s->alike.n_buckets; i++)
                for (struct table_node *node = s->alike.buckets[i]; node; node = node->next)
                        if (!(texts[n++] = text_of(s->a->arena, table_object(node, struct alike, node))))
                                return -ENOMEM;
        if (n > 0)
                qsort(texts, n, sizeof(*texts), texts_order);
        for (size_t i = 0; i < n; i++)
                api_warn(s->a->r, texts[i]);
        return 0;
}

static int tell(struct survey *s, size_t n_pods) {
        const char *bar = pod_security_name(s->a->arena, s->bar), *text;

        if (!bar)
                return -ENOMEM;
        if (s->n_checked < n_pods) {
                text = arena_printf(
                        s->a->arena,
                        "new PodSecurity enforce level only checked against the first %zu of %zu existing pods",
                        s->n_checked, n_pods);
                if (!text)
                        return -ENOMEM;
                api_warn(s->a->r, text);
        }
        if (s->alike.n == 0)
                return 0;
        text = arena_printf(s->a->arena,
                            "existing pods in namespace \"%s\" violate the new PodSecurity enforce level \"%s\"",
                            s->a->namespace, bar);
        if (!text)
                return -ENOMEM;
        api_warn(s->a->r, text);
        return tell_each(s);
}

int pod_security_warn(struct admission *a, const struct pod_security_bar *bar) {
        struct api_resource *pods = api_state_find(a->r->server->config.state, "", "pods");
        const struct collection_query query = { .filter = { .namespace = a->namespace } };
        _cleanup_arena_ struct arena *scratch = arena_new();
        struct survey s = { .a = a, .bar = bar, .scratch = scratch };
        struct collection_page page;
        int r = scratch ? collection_list(pods->collection, &query, &page) : -ENOMEM;

        if (r < 0)
                return r;
        r = look_at_all(&s, &page) ?: tell(&s, page.n);
        collection_page_clear(&page);
        table_clear(&s.alike);
        table_clear(&s.controllers);
        return r;
}
