#include "api/priority/priority.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/server/attributes.h"
#include "api/priority/defaults.h"
#include "api/priority/internal.h"
#include "api/priority/match.h"
#include "api/rest/put.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/flowcontrol_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/rwlock.h"
#include "lib/value.h"

/* --- what there is, on the writer's thread --- */

static struct priority_level *level_of(const struct priority *p, const char *name) {
        return table_object(table_find(&p->levels, name), struct priority_level, in_levels);
}

static int set_level(struct priority *p, const struct object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct priority_level *level = level_of(p, object->name);
        const struct value *tree;
        int r = arena ? api_tree_of(arena, object, &tree) : -ENOMEM;

        if (r == 0 && !level) {
                level = calloc(1, sizeof(*level) + strlen(object->name) + 1);
                if (!level)
                        return -ENOMEM;
                strcpy(level->name, object->name);
                r = table_add(&p->levels, &level->in_levels, level->name);
                if (r < 0)
                        free(level);
        }
        if (r < 0)
                return r;
        level->shares = 0;
        if (!value_integer(value_find(tree, "spec.limited.nominalConcurrencyShares"), &level->shares))
                value_integer(value_find(tree, "spec.exempt.nominalConcurrencyShares"), &level->shares);
        snprintf(level->uid, sizeof(level->uid), "%s", value_string_or(value_find(tree, "metadata.uid"), ""));
        return 0;
}

static void drop_level(struct priority *p, const char *name) {
        struct priority_level *level = level_of(p, name);

        if (level)
                table_remove(&p->levels, &level->in_levels);
        free(level);
}

static int order(const void *a, const void *b) {
        const struct kube_flowcontrol_v1_flow_schema *one = ((const struct priority_schema *)a)->object,
                                                     *two = ((const struct priority_schema *)b)->object;

        if (one->spec.matching_precedence != two->spec.matching_precedence)
                return one->spec.matching_precedence < two->spec.matching_precedence ? -1 : 1;
        return strcmp(one->metadata.name, two->metadata.name);
}

static struct priority_schema *schema_of(struct priority *p, const char *name) {
        for (size_t i = 0; i < p->n_schemas; i++)
                if (strcmp(p->schemas[i].object->metadata.name, name) == 0)
                        return &p->schemas[i];
        return NULL;
}

static void drop_schema(struct priority *p, const char *name) {
        struct priority_schema *schema = schema_of(p, name);

        if (!schema)
                return;
        arena_free(schema->arena);
        free(schema->requests);
        memmove(schema, schema + 1, (size_t)(p->schemas + --p->n_schemas - schema) * sizeof(*schema));
}

/* In the place of what it was before, whose requests go on counting; or beside the others. */
static int put_schema(struct priority *p, const struct priority_schema *schema) {
        struct priority_schema *there = schema_of(p, schema->object->metadata.name), *larger;
        _Atomic uint64_t *requests = there ? there->requests : calloc(1, sizeof(*requests));

        if (!requests)
                return -ENOMEM;
        if (there) {
                arena_free(there->arena);
        } else {
                larger = reallocarray(p->schemas, p->n_schemas + 1, sizeof(*larger));
                if (!larger) {
                        free(requests);
                        return -ENOMEM;
                }
                p->schemas = larger;
                there = &p->schemas[p->n_schemas++];
        }
        *there = *schema;
        there->requests = requests;
        qsort(p->schemas, p->n_schemas, sizeof(*p->schemas), order);
        return 0;
}

static int set_schema(struct priority *p, const struct object *object) {
        struct arena *arena = arena_new();
        struct kube_flowcontrol_v1_flow_schema *schema =
                arena ? arena_new_of(arena, struct kube_flowcontrol_v1_flow_schema) : NULL;
        int r = schema ? api_struct_of(arena, &kube_flowcontrol_v1_flow_schema_type, object, schema) : -ENOMEM;

        if (r == 0)
                r = put_schema(p, &(struct priority_schema){ .arena = arena, .object = schema });
        if (r < 0)
                arena_free(arena);
        return r;
}

static int set(struct priority_follower *f, const struct object *object) {
        int r;

        pthread_rwlock_wrlock(&f->priority->lock);
        r = f->levels ? set_level(f->priority, object) : set_schema(f->priority, object);
        pthread_rwlock_unlock(&f->priority->lock);
        return r;
}

static void drop(struct priority_follower *f, const char *name) {
        pthread_rwlock_wrlock(&f->priority->lock);
        if (f->levels)
                drop_level(f->priority, name);
        else
                drop_schema(f->priority, name);
        pthread_rwlock_unlock(&f->priority->lock);
}

/* A level has come or gone: the schemas that name it say so. */
static int keep_those_of(struct priority *p, const char *level) {
        int r = 0;

        for (size_t i = 0; i < p->n_schemas && r == 0; i++) {
                const struct kube_flowcontrol_v1_flow_schema *schema = p->schemas[i].object;
                _cleanup_object_ struct object *object = NULL;

                if (strcmp(schema->spec.priority_level_configuration.name, level) != 0)
                        continue;
                object = collection_get(p->of_schemas.resource->collection, "", schema->metadata.name);
                if (object)
                        r = priority_keep(&p->of_schemas, object);
        }
        return r;
}

static int told(struct collection_follower *base, struct object *now, struct object *before) {
        struct priority_follower *f = (struct priority_follower *)base;
        const char *name = now ? now->name : before->name;
        int r = now ? set(f, now) : 0;

        if (!now)
                drop(f, name);
        r = r ?: now ? priority_keep(f, now) : priority_make_again(f, name);
        if (r == 0 && f->levels && (!now || !before))
                r = keep_those_of(f->priority, name);
        if (r < 0 && base->collection)
                log_error("%s %s: no memory to classify requests by it: restart the service", f->resource->name, name);
        return r;
}

/* --- requests --- */

static bool find(struct priority *p, struct arena *arena, const struct auth_attributes *asked, const char **ret_flow,
                 const char **ret_level) {
        for (size_t i = 0; i < p->n_schemas; i++) {
                const struct kube_flowcontrol_v1_flow_schema *schema = p->schemas[i].object;
                const struct priority_level *level = level_of(p, schema->spec.priority_level_configuration.name);

                if (!level || !priority_matches(schema, asked))
                        continue;
                atomic_fetch_add_explicit(p->schemas[i].requests, 1, memory_order_relaxed);
                *ret_flow = arena_strdup(arena, schema->metadata.uid ?: "");
                *ret_level = arena_strdup(arena, level->uid);
                return *ret_flow && *ret_level;
        }
        return false;
}

enum api_step priority_classify(struct api_request *r) {
        struct priority *p = r->server->config.priority;
        struct auth_attributes asked = api_attributes(r);

        /* What lasts long is never queued there but for watches, and is of none. */
        if (api_load_of(r) == API_LOAD_LONG && strcmp(asked.verb, "watch") != 0)
                return API_NEXT;
        pthread_rwlock_rdlock(&p->lock);
        find(p, r->arena, &asked, &r->flow_uid, &r->level_uid);
        pthread_rwlock_unlock(&p->lock);
        return API_NEXT;
}

/* --- metrics --- */

static int64_t count_shares(const struct priority *p) {
        int64_t all = 0;

        for (size_t i = 0; i < p->levels.n_buckets; i++)
                for (struct table_node *node = p->levels.buckets[i]; node; node = node->next)
                        all += table_object(node, struct priority_level, in_levels)->shares;
        return all;
}

static void write_seats(struct priority *p, struct metrics_writer *w, unsigned seats) {
        int64_t all = count_shares(p);

        metrics_family(w, "apiserver_flowcontrol_nominal_limit_seats", METRICS_GAUGE,
                       "[BETA] Nominal number of execution seats configured for each priority level");
        for (size_t i = 0; i < p->levels.n_buckets; i++)
                for (struct table_node *node = p->levels.buckets[i]; node; node = node->next) {
                        const struct priority_level *level = table_object(node, struct priority_level, in_levels);
                        int64_t nominal = all > 0 ? (level->shares * seats + all - 1) / all : 0;

                        metrics_sample(w, &(struct metrics_label){ "priority_level", level->name }, 1, (double)nominal);
                }
}

void priority_write(struct priority *p, struct metrics_writer *w, unsigned seats) {
        metrics_family(w, "apiserver_flowcontrol_dispatched_requests_total", METRICS_COUNTER,
                       "[BETA] Number of requests executed by API Priority and Fairness subsystem");
        pthread_rwlock_rdlock(&p->lock);
        for (size_t i = 0; i < p->n_schemas; i++) {
                const struct kube_flowcontrol_v1_flow_schema *schema = p->schemas[i].object;
                const struct metrics_label labels[] = { { "flow_schema", schema->metadata.name },
                                                        { "priority_level",
                                                          schema->spec.priority_level_configuration.name } };
                uint64_t requests = atomic_load_explicit(p->schemas[i].requests, memory_order_relaxed);

                if (requests > 0)
                        metrics_sample(w, labels, ELEMENTS(labels), (double)requests);
        }
        write_seats(p, w, seats);
        pthread_rwlock_unlock(&p->lock);
}

/* --- its life --- */

static int follow(struct priority *p, struct priority_follower *f, const char *resource) {
        f->priority = p;
        f->resource = api_state_find(p->state, PRIORITY_GROUP, resource);
        f->base.told = told;
        return f->resource ? 0 : -ENOENT;
}

static int make_missing(struct priority *p, const struct priority_default *wanted) {
        struct api_resource *of = wanted->level ? p->of_levels.resource : p->of_schemas.resource;
        _cleanup_object_ struct object *there = collection_get(of->collection, "", wanted->name);
        _cleanup_arena_ struct arena *arena = there ? NULL : arena_new();
        const char *json = arena ? priority_default_json(arena, wanted) : NULL;

        if (there)
                return 0;
        return json ? api_put_new(p->state, arena, of, json, strlen(json)) : -ENOMEM;
}

static int start(struct priority *p) {
        size_t n;
        const struct priority_default *all = priority_defaults(&n);
        int r = follow(p, &p->of_levels, "prioritylevelconfigurations") ?: follow(p, &p->of_schemas, "flowschemas");

        p->of_levels.levels = true;
        for (size_t i = 0; i < n && r == 0; i++)
                r = make_missing(p, &all[i]);
        return r                                                                                ?:
                       collection_follow(p->of_levels.resource->collection, &p->of_levels.base) ?:
                       collection_follow(p->of_schemas.resource->collection, &p->of_schemas.base);
}

int priority_new(struct api_state *state, struct priority **ret_priority, struct err **err) {
        struct priority *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return err_set(err, ENOMEM, "no memory for priority and fairness");
        p->state = state;
        rwlock_init(&p->lock);
        r = start(p);
        if (r < 0) {
                priority_free(p);
                return err_errno(err, -r, "cannot make the default FlowSchemas and priority levels");
        }
        *ret_priority = p;
        return 0;
}

void priority_free(struct priority *p) {
        if (!p)
                return;
        collection_unfollow(&p->of_levels.base);
        collection_unfollow(&p->of_schemas.base);
        while (p->n_schemas > 0) {
                arena_free(p->schemas[--p->n_schemas].arena);
                free(p->schemas[p->n_schemas].requests);
        }
        free(p->schemas);
        for (size_t i = 0; i < p->levels.n_buckets; i++)
                for (struct table_node *node = p->levels.buckets[i], *next; node; node = next) {
                        next = node->next;
                        free(table_object(node, struct priority_level, in_levels));
                }
        table_clear(&p->levels);
        pthread_rwlock_destroy(&p->lock);
        free(p);
}
