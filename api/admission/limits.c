#include "api/admission/limits.h"

#include <errno.h>
#include <string.h>

#include "api/admission/plugin.h"
#include "api/admission/pod_security_check.h"
#include "kube/pod/pod.h"
#include "kube/pod/resource_list.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"

#define ANNOTATION "kubernetes.io/limit-ranger"
#define MILLI_MAX (INT64_MAX / 1000)

/* --- what it gives --- */

static bool is_for(const struct kube_limit_range_item *item, const char *type) {
        return kube_is(item->type, type);
}

static bool is_bounded(const struct kube_limit_range *range) {
        uint32_t n = 0;

        list_for_each (item, &range->spec.limits)
                n += item->max.count + item->min.count + item->default_.count + item->default_request.count +
                     item->max_limit_request_ratio.count;
        return n <= LIMITS_AMOUNTS_MAX;
}

/* What a container gets that does not say so; of two items that give the same the last one counts. */
static int find_defaults(struct arena *arena, const struct kube_limit_range *range, bool limits,
                         resource_list *ret_list) {
        *ret_list = (resource_list){ 0 };
        list_for_each (item, &range->spec.limits) {
                const resource_list *from = limits ? &item->default_ : &item->default_request;

                if (is_for(item, "Container"))
                        list_for_each (amount, from)
                                if (!resource_list_add(arena, ret_list, amount->name, amount->amount))
                                        return -ENOMEM;
        }
        return 0;
}

struct giving {
        struct pod_check words; /* of which the texts are made */
        resource_list defaults[2];
        struct pod_words given;
};

/* Merges two sorted lists into @list; what comes of @defaults is in @added. */
static void merge(struct giving *g, const resource_list *defaults, resource_list *list, struct pod_words *added) {
        struct resource_amount *items =
                arena_alloc_array(g->words.arena, (size_t)list->count + defaults->count, sizeof(*items));
        uint32_t n = 0, i = 0;

        if (!items) {
                g->words.error = -ENOMEM;
                return;
        }
        list_for_each (amount, defaults) {
                while (i < list->count && strcmp(list->items[i].name, amount->name) < 0)
                        items[n++] = list->items[i++];
                if (i < list->count && strcmp(list->items[i].name, amount->name) == 0)
                        continue;
                items[n++] = *amount;
                pod_words_add(&g->words, added, amount->name);
        }
        while (i < list->count)
                items[n++] = list->items[i++];
        *list = (resource_list){ items, n };
}

static void give_one(struct giving *g, const char *what, struct kube_container *c) {
        static const char *const kinds[] = { "request", "limit" };
        resource_list *lists[] = { &c->resources.requests, &c->resources.limits };

        for (int i = 0; i < 2; i++) {
                struct pod_words added = { 0 };

                if (g->defaults[i].count > 0)
                        merge(g, &g->defaults[i], lists[i], &added);
                if (added.n > 0)
                        pod_words_add_made(&g->words, &g->given,
                                           arena_printf(g->words.arena, "%s %s for %s %s",
                                                        pod_words_join(&g->words, &added, ", "), kinds[i], what,
                                                        c->name ?: ""));
        }
}

int limits_give(struct arena *arena, const struct kube_limit_range *range, struct kube_pod *pod) {
        struct giving g = { .words.arena = arena };
        const char *text;
        int r = is_bounded(range) ? find_defaults(arena, range, false, &g.defaults[0]) : -E2BIG;

        if (r < 0 || (r = find_defaults(arena, range, true, &g.defaults[1])) < 0)
                return r;
        if (((uint64_t)pod->spec.containers.count + pod->spec.init_containers.count) *
                    (g.defaults[0].count + g.defaults[1].count) >
            LIMITS_GIVEN_MAX)
                return -E2BIG;
        list_for_each (c, &pod->spec.containers)
                give_one(&g, "container", c);
        list_for_each (c, &pod->spec.init_containers)
                give_one(&g, "init container", c);
        if (g.words.error < 0 || g.given.n == 0)
                return g.words.error;
        text = arena_printf(arena, "LimitRanger plugin set: %s", pod_words_join(&g.words, &g.given, "; "));
        if (!text || g.words.error < 0 || admission_put(arena, &pod->metadata.annotations, ANNOTATION, text) < 0)
                return -ENOMEM;
        return 1;
}

/* --- what it wants --- */

struct check {
        struct arena *arena;
        const char *type, *name; /* "Container", "cpu" */
        struct quantity enforced;
        const resource_list *requests, *limits;
        const char *errors[LIMITS_ERRORS_MAX];
        uint32_t n;
        bool failed; /* no memory */
};

/* What is compared: thousandths, unless one of the three is too large for them. */
struct numbers {
        int64_t request, limit, enforced;
};

static struct quantity amount_of(const resource_list *list, const char *name) {
        const struct quantity *amount = list ? resource_get(list, name) : NULL;

        return amount ? *amount : (struct quantity){ 0 };
}

static struct numbers numbers_of(const struct check *c) {
        struct quantity request = amount_of(c->requests, c->name), limit = amount_of(c->limits, c->name);
        struct numbers n = { quantity_units(request), quantity_units(limit), quantity_units(c->enforced) };

        if (n.request <= MILLI_MAX && n.limit <= MILLI_MAX && n.enforced <= MILLI_MAX)
                n = (struct numbers){ quantity_milli(request), quantity_milli(limit), quantity_milli(c->enforced) };
        return n;
}

/* kube-apiserver says a thing once; of more than LIMITS_ERRORS_MAX the first. */
static void add_error(struct check *c, const char *text) {
        c->failed |= !text;
        for (uint32_t i = 0; text && i < c->n; i++)
                if (strcmp(c->errors[i], text) == 0)
                        return;
        if (text && c->n < LIMITS_ERRORS_MAX)
                c->errors[c->n++] = text;
}

static const char *text_of(struct check *c, struct quantity amount) {
        char text[QUANTITY_TEXT_MAX];

        return arena_strdup(c->arena, quantity_format(amount, text)) ?: "";
}

static void refuse(struct check *c, const char *bound, const char *what, const resource_list *list) {
        add_error(c, arena_printf(c->arena, "%s %s usage per %s is %s, but %s is %s", bound, c->name, c->type,
                                  text_of(c, c->enforced), what, text_of(c, amount_of(list, c->name))));
}

static void refuse_missing(struct check *c, const char *bound, const char *what) {
        add_error(c, arena_printf(c->arena, "%s %s usage per %s is %s.  No %s is specified", bound, c->name, c->type,
                                  text_of(c, c->enforced), what));
}

static void check_min(struct check *c) {
        struct numbers n = numbers_of(c);

        if (!resource_get(c->requests, c->name))
                refuse_missing(c, "minimum", "request");
        else if (n.request < n.enforced)
                refuse(c, "minimum", "request", c->requests);
        else if (c->limits && resource_get(c->limits, c->name) && n.limit < n.enforced)
                refuse(c, "minimum", "limit", c->limits);
}

static void check_max(struct check *c) {
        struct numbers n = numbers_of(c);

        if (!resource_get(c->limits, c->name))
                refuse_missing(c, "maximum", "limit");
        else if (n.limit > n.enforced)
                refuse(c, "maximum", "limit", c->limits);
        else if (resource_get(c->requests, c->name) && n.request > n.enforced)
                refuse(c, "maximum", "request", c->requests);
}

static void check_max_request(struct check *c) {
        struct numbers n = numbers_of(c);

        if (!resource_get(c->requests, c->name))
                refuse_missing(c, "maximum", "request");
        else if (n.request > n.enforced)
                refuse(c, "maximum", "request", c->requests);
}

static void refuse_ratio(struct check *c, const char *what) {
        add_error(c, arena_printf(c->arena, "%s max limit to request ratio per %s is %s, but %s", c->name, c->type,
                                  text_of(c, c->enforced), what));
}

static void check_ratio(struct check *c) {
        struct numbers n = numbers_of(c);
        double ratio, most;
        bool milli = quantity_units(c->enforced) <= MILLI_MAX;

        if (!resource_get(c->requests, c->name) || n.request == 0) {
                refuse_ratio(c, "no request is specified or request is 0");
                return;
        }
        if (!resource_get(c->limits, c->name) || n.limit == 0) {
                refuse_ratio(c, "no limit is specified or limit is 0");
                return;
        }
        ratio = (double)n.limit / (double)n.request;
        most = (double)(milli ? quantity_milli(c->enforced) : quantity_units(c->enforced));
        if (ratio * (milli ? 1000 : 1) > most)
                refuse_ratio(c, arena_printf(c->arena, "provided ratio is %f", ratio) ?: "");
}

static void each(struct check *c, const resource_list *bounds, void (*check)(struct check *c)) {
        list_for_each (bound, bounds) {
                if (c->n == LIMITS_ERRORS_MAX)
                        return;
                c->name = bound->name;
                c->enforced = bound->amount;
                check(c);
        }
}

static void check_all(struct check *c, const struct kube_limit_range_item *item, const resource_list *requests,
                      const resource_list *limits) {
        c->type = item->type;
        c->requests = requests;
        c->limits = limits;
        each(c, &item->min, check_min);
        each(c, &item->max, check_max);
        each(c, &item->max_limit_request_ratio, check_ratio);
}

/* As Go joins errors: one by itself, more in brackets. */
static int finish(struct check *c, const char **ret_text) {
        const char *text = NULL;

        for (uint32_t i = 0; !c->failed && i < c->n; i++) {
                text = text ? arena_printf(c->arena, "%s, %s", text, c->errors[i]) : c->errors[i];
                c->failed = !text;
        }
        if (!c->failed && c->n > 1)
                c->failed = !(text = arena_printf(c->arena, "[%s]", text));
        if (c->failed)
                return -ENOMEM;
        *ret_text = text;
        return 0;
}

static void check_containers(struct check *c, const struct kube_limit_range_item *item,
                             const kube_container_items *containers) {
        list_for_each (container, containers)
                check_all(c, item, &container->resources.requests, &container->resources.limits);
}

/* Without overhead, and huge pages of the whole pod are not looked at. */
static bool pod_totals(struct arena *arena, const struct kube_pod *kube_pod, bool limits, resource_list *ret_list) {
        const struct pod pod = { .metadata = kube_pod->metadata, .spec = kube_pod->spec };
        const resource_list *own = !pod.spec.resources ? NULL :
                                   limits              ? &pod.spec.resources->limits :
                                                         &pod.spec.resources->requests;
        static const char *const names[] = { "cpu", "memory" };

        *ret_list = (resource_list){ 0 };
        if (!(limits ? pod_container_limits(arena, &pod, ret_list) : pod_container_requests(arena, &pod, ret_list)))
                return false;
        for (int i = 0; own && i < 2; i++) {
                const struct quantity *amount = resource_get(own, names[i]);

                if (amount && !resource_list_add(arena, ret_list, names[i], *amount))
                        return false;
        }
        return true;
}

int limits_check_pod(struct arena *arena, const struct kube_limit_range *range, const struct kube_pod *pod,
                     const char **ret_text) {
        struct check c = { .arena = arena };
        resource_list requests, limits;

        if (!is_bounded(range) || !pod_can_total(&pod->spec))
                return -E2BIG;
        if (!pod_totals(arena, pod, false, &requests) || !pod_totals(arena, pod, true, &limits))
                return -ENOMEM;
        list_for_each (item, &range->spec.limits) {
                if (is_for(item, "Container")) {
                        check_containers(&c, item, &pod->spec.containers);
                        check_containers(&c, item, &pod->spec.init_containers);
                } else if (is_for(item, "Pod")) {
                        check_all(&c, item, &requests, &limits);
                }
        }
        return finish(&c, ret_text);
}

int limits_check_claim(struct arena *arena, const struct kube_limit_range *range,
                       const struct kube_persistent_volume_claim *claim, const char **ret_text) {
        struct check c = { .arena = arena, .requests = &claim->spec.resources.requests };

        if (!is_bounded(range))
                return -E2BIG;
        list_for_each (item, &range->spec.limits) {
                c.type = item->type;
                if (is_for(item, "PersistentVolumeClaim")) {
                        each(&c, &item->min, check_min);
                        each(&c, &item->max, check_max_request);
                }
        }
        return finish(&c, ret_text);
}
