/* The walk: at each object its type's rows, its type's rule, then what is below it. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "kube/core_v1.h"
#include "kube/defaults/defaults.h"
#include "kube/defaults/rules.h"
#include "kube/entries.h"
#include "kube/node_v1.h"
#include "kube/resource_v1.h"
#include "kube/resource_v1beta1.h"
#include "kube/resource_v1beta2.h"
#include "lib/arena.h"

#define WAY_MAX 3       /* fields of a row's path */
#define ROWS_MAX 256    /* of the table */
#define INDEX_SIZE 1024 /* types with rows or rules: a power of two, and more than twice as many */

/* A row whose fields have been looked up. */
struct prepared {
        const struct kube_field *way[WAY_MAX]; /* the last is set */
        const struct kube_field *other;        /* NULL: always */
        const char *equals, *json;
        struct prepared *next;
};

struct of_type {
        const struct kube_type *type; /* NULL: free */
        struct prepared *rows;
        int (*fill)(struct defaults_work *w, void *object);
};

static struct of_type index_of_types[INDEX_SIZE];
static struct prepared prepared_rows[ROWS_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static struct of_type *slot(const struct kube_type *type) {
        size_t at = ((uintptr_t)type >> 4) * 0x9E3779B97F4A7C15u >> 32;

        for (;; at++) {
                struct of_type *entry = &index_of_types[at & (INDEX_SIZE - 1)];

                if (!entry->type || entry->type == type)
                        return entry;
        }
}

static bool prepare_row(const struct defaults_row *row, struct prepared *ret) {
        const struct kube_type *type = row->type;
        const char *part = row->path;

        for (int i = 0; i < WAY_MAX && type; i++) {
                const size_t length = strcspn(part, ".");

                ret->way[i] = kube_type_field(type, part, length);
                if (!ret->way[i])
                        return false;
                type = ret->way[i]->type;
                part += length;
                if (*part == '\0')
                        break;
                part++;
        }
        ret->json = row->json;
        ret->equals = row->equals;
        ret->other = row->other ? kube_type_field(row->type, row->other, strlen(row->other)) : NULL;
        return *part == '\0' && !row->other == !ret->other;
}

static bool prepare_rules(const struct defaults_rule *rules) {
        for (; rules->type; rules++) {
                struct of_type *entry = slot(rules->type);

                if (entry->fill)
                        return false;
                entry->type = rules->type;
                entry->fill = rules->fill;
        }
        return true;
}

/* Rows that name what is not there are a mistake in the table, which the first call tells. */
static void prepare(void) {
        size_t n = 0;

        while (defaults_rows[n].type)
                n++;
        if (n > ROWS_MAX)
                return;
        for (size_t i = n; i-- > 0;) {
                struct of_type *entry = slot(defaults_rows[i].type);

                if (!prepare_row(&defaults_rows[i], &prepared_rows[i]))
                        return;
                entry->type = defaults_rows[i].type;
                prepared_rows[i].next = entry->rows;
                entry->rows = &prepared_rows[i];
        }
        ready = prepare_rules(defaults_core_rules) && prepare_rules(defaults_pod_rules) &&
                prepare_rules(defaults_other_rules) && prepare_rules(defaults_hub_rules);
}

/* ---- rows ---- */

static void *member(const struct kube_field *field, void *object) {
        return (char *)object + field->offset;
}

/* The object in @field of @object, made where it is not there; NULL without memory. */
static void *enter(struct arena *arena, const struct kube_field *field, void *object) {
        void *at = member(field, object), *below;

        if (field->form != KUBE_OPTIONAL)
                return at;
        memcpy(&below, at, sizeof(below));
        if (!below) {
                below = arena_alloc(arena, field->type->size);
                memcpy(at, &below, sizeof(below));
        }
        return below;
}

static int apply_row(struct defaults_work *w, const struct prepared *row, void *object) {
        const char *other;
        int i = 0;

        if (row->other) {
                memcpy(&other, member(row->other, object), sizeof(other));
                if (strcmp(other ?: "", row->equals) != 0)
                        return 0;
        }
        for (; i + 1 < WAY_MAX && row->way[i + 1]; i++) {
                object = enter(w->arena, row->way[i], object);
                if (!object)
                        return -ENOMEM;
        }
        if (!kube_is_unset(row->way[i], member(row->way[i], object)))
                return 0;
        return kube_json_read_field(w->arena, row->way[i], row->json, object);
}

/* ---- the walk ---- */

static int fill(struct defaults_work *w, const struct kube_type *type, void *object);

static int fill_items(struct defaults_work *w, const struct kube_type *type, const void *at, size_t size, size_t skip) {
        struct list list;
        int r = 0;

        memcpy(&list, at, sizeof(list));
        for (uint32_t i = 0; i < list.count && r == 0; i++)
                r = fill(w, type, (char *)list.items + i * size + skip);
        return r;
}

/* Amounts in a ResourceList are no finer than thousandths. The maps of these types are others, or forgotten. */
static bool keeps_fractions(const struct kube_type *type) {
        static const struct kube_type *const types[] = {
                &kube_node_allocatable_resource_claim_status_type,
                &kube_node_v1_overhead_type,
                &kube_resource_v1_capacity_requirements_type,
                &kube_resource_v1_device_request_allocation_result_type,
                &kube_resource_v1beta1_capacity_requirements_type,
                &kube_resource_v1beta1_device_request_allocation_result_type,
                &kube_resource_v1beta2_capacity_requirements_type,
                &kube_resource_v1beta2_device_request_allocation_result_type,
        };

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (types[i] == type)
                        return true;
        return false;
}

static void round_amounts(const void *at) {
        struct list list;
        struct resource_amount *items;

        memcpy(&list, at, sizeof(list));
        items = list.items;
        for (uint32_t i = 0; i < list.count; i++)
                if (items[i].amount.exponent < -3)
                        items[i].amount = quantity_restyle(quantity_from_milli(quantity_milli(items[i].amount)),
                                                           items[i].amount.style);
}

static int fill_below(struct defaults_work *w, const struct kube_field *field, void *at) {
        void *below;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return fill(w, field->type, at);
        case KUBE_OPTIONAL:
                memcpy(&below, at, sizeof(below));
                return below ? fill(w, field->type, below) : 0;
        case KUBE_LIST:
                return fill_items(w, field->type, at, field->type->size, 0);
        case KUBE_MAP:
                return fill_items(w, field->type, at, kube_entry_size(field), KUBE_ENTRY_VALUE);
        case KUBE_MAP_OF_LISTS:
                break;
        }
        return 0;
}

static int fill_own(struct defaults_work *w, const struct kube_type *type, void *object) {
        const struct of_type *own = slot(type);
        int r = 0;

        if (!own->type)
                return 0;
        for (const struct prepared *row = own->rows; row && r == 0; row = row->next)
                r = apply_row(w, row, object);
        return r == 0 && own->fill ? own->fill(w, object) : r;
}

/* Recursion is bounded by the depth of the object. */
static int fill(struct defaults_work *w, const struct kube_type *type, void *object) {
        int r = fill_own(w, type, object);

        for (size_t i = 0; i < type->n_fields && r == 0; i++) {
                const struct kube_field *field = &type->fields[i];
                void *at = member(field, object);

                if (field->fallback && kube_is_unset(field, at))
                        r = kube_json_read_field(w->arena, field, field->fallback, object);
                else if (field->type)
                        r = fill_below(w, field, at);
                else if (field->element == KUBE_QUANTITY && field->form == KUBE_MAP && !keeps_fractions(type))
                        round_amounts(at);
        }
        return r;
}

int defaults_fill(struct arena *arena, const struct kube_type *type, void *object, int64_t now) {
        struct defaults_work w = { .arena = arena, .now = now };

        pthread_once(&once, prepare);
        assert(ready);
        return fill(&w, type, object);
}
