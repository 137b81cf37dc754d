/* Lists: of the present, and of the past as the present with the events since undone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/grow.h"

#include "api/cache/internal.h"

/* What stood at a place at the revision that is asked for. */
struct past {
        const char *namespace, *name;
        struct object *object; /* NULL: nothing */
};

INDEX_PAIR_ORDER(past, struct past, namespace, name)

struct listing {
        const struct collection_query *query;
        struct collection_page *page;
        size_t allocated;
};

static bool is_wanted(const struct collection_filter *f, const struct object *o) {
        return (!f->namespace || strcmp(f->namespace, o->namespace) == 0) &&
               (!f->name || strcmp(f->name, o->name) == 0) && (!f->matches || f->matches(f->data, o));
}

/* Whether @o, of which there is no room on the page, has clients ask for another. */
static bool is_more(const struct collection_filter *f, const struct object *o) {
        return (!f->namespace || strcmp(f->namespace, o->namespace) == 0) && (!f->among || f->among(f->data, o));
}

/* Returns 1 when the page is full and @o stands behind it, 0 or -ENOMEM. */
static int take(struct listing *l, struct object *o) {
        struct collection_page *page = l->page;
        int r;

        if (l->query->limit && page->n == l->query->limit) {
                page->more = is_more(&l->query->filter, o);
                return page->more;
        }
        if (!is_wanted(&l->query->filter, o))
                return 0;
        r = GROW(page->objects, l->allocated, page->n + 1, GROW_NO_MAX);
        if (r == 0)
                page->objects[page->n++] = object_ref(o);
        return r;
}

/* Where the query begins in @index, whose objects are ordered by place: behind the last object of the page before, at
 * the namespace, or at the start. */
static struct index_cursor begin(const struct collection_query *q, const struct index *index, index_compare key) {
        const struct index_pair after = { q->after_namespace, q->after_name },
                                first = { q->filter.namespace, q->filter.namespace ? q->filter.name : NULL };

        if (q->after_name)
                return index_seek_after(index, key, &after);
        return first.first ? index_seek(index, key, &first) : index_seek(index, NULL, NULL);
}

/* Whether @o stands behind all that the query can want. */
static bool is_behind(const struct collection_query *q, const char *namespace, const char *name) {
        int c = q->filter.namespace ? strcmp(namespace, q->filter.namespace) : -1;

        return c > 0 || (c == 0 && q->filter.name && strcmp(name, q->filter.name) > 0);
}

static int list_present(struct collection *c, struct listing *l) {
        struct index_cursor at = begin(l->query, &c->objects, place_key);
        int r = 0;

        for (struct object *o = index_at(&at); o && r == 0 && !is_behind(l->query, o->namespace, o->name);
             o = index_next(&at))
                r = take(l, o);
        return r < 0 ? r : 0;
}

/* Whether those that the limit left out are counted: a filter would have to look at each. */
static bool counts(const struct listing *l) {
        return l->page->more && !l->query->uncounted && !l->query->filter.matches && !l->query->filter.name;
}

static struct index_pair last_place(const struct listing *l) {
        const struct object *last = l->page->objects[l->page->n - 1];

        return (struct index_pair){ last->namespace, last->name };
}

/* The rank of the first object behind @place. */
static size_t rank_behind(const struct collection *c, const struct index_pair *place) {
        struct index_cursor at = index_seek_after(&c->objects, place_key, place);
        const struct object *next = index_at(&at);

        return next ? index_rank(&c->objects, place_order, next) : index_count(&c->objects);
}

/* How many objects stand behind the page's last one, of its namespace where the query names one. */
static size_t count_rest(const struct collection *c, const struct listing *l) {
        const struct index_pair last = last_place(l), all = { l->query->filter.namespace, NULL };
        size_t end = all.first ? rank_behind(c, &all) : index_count(&c->objects);

        return end - rank_behind(c, &last);
}

static void past_clear(struct index *index) {
        struct index_cursor at = index_seek(index, NULL, NULL);

        for (struct past *p = index_at(&at); p; p = index_next(&at))
                free(p);
        index_clear(index);
}

/* What stood, before the events after @revision, where they happened. */
static int undo(const struct collection *c, int64_t revision, struct index *past) {
        for (uint64_t n = collection_first_after(c, revision); n < c->next; n++) {
                const struct collection_event *event = collection_event_at(c, n);
                const struct index_pair place = { event->object->namespace, event->object->name };
                struct past *p;

                if (index_find(past, past_key, &place))
                        continue; /* an earlier event says it */
                p = malloc(sizeof(*p));
                if (!p)
                        return -ENOMEM;
                *p = (struct past){ place.first, place.second, event->previous };
                if (index_add(past, p) < 0) {
                        free(p);
                        return -ENOMEM;
                }
        }
        return 0;
}

/* Both in order; where both have a place, the past counts. */
static int merge(struct collection *c, const struct index *undone, struct listing *l) {
        struct index_cursor now = begin(l->query, &c->objects, place_key), then = begin(l->query, undone, past_key);
        struct object *o = index_at(&now);
        const struct past *p = index_at(&then);
        int r = 0;

        while (r == 0 && (o || p)) {
                const struct index_pair place = { p ? p->namespace : "", p ? p->name : "" };
                int order = !o ? -1 : !p ? 1 : place_key(&place, o);

                if (is_behind(l->query, order > 0 ? o->namespace : p->namespace, order > 0 ? o->name : p->name))
                        break;
                if (order > 0)
                        r = take(l, o);
                else if (p->object)
                        r = take(l, p->object);
                if (order >= 0)
                        o = index_next(&now);
                if (order <= 0)
                        p = index_next(&then);
        }
        return r < 0 ? r : 0;
}

/* count_rest() of then: the same of now, without what came since, with what went. */
static size_t count_rest_then(const struct collection *c, const struct index *undone, const struct listing *l) {
        const struct index_pair last = last_place(l);
        struct index_cursor at = index_seek_after(undone, past_key, &last);
        size_t n = count_rest(c, l);

        for (const struct past *p = index_at(&at); p && !is_behind(l->query, p->namespace, p->name);
             p = index_next(&at)) {
                const struct index_pair place = { p->namespace, p->name };

                n += p->object ? 1 : 0;
                n -= index_find(&c->objects, place_key, &place) ? 1 : 0;
        }
        return n;
}

static int list_undone(struct collection *c, struct listing *l, struct index *undone) {
        int r;

        if ((r = undo(c, l->query->revision, undone)) < 0 || (r = merge(c, undone, l)) < 0)
                return r;
        if (counts(l))
                l->page->remaining = count_rest_then(c, undone, l);
        return 0;
}

static int list_past(struct collection *c, struct listing *l) {
        struct index undone = INDEX_INIT(past_order);
        int r = list_undone(c, l, &undone);

        past_clear(&undone);
        return r;
}

static int list(struct collection *c, struct listing *l) {
        int64_t wanted = l->query->revision;
        int r;

        if (wanted && wanted < c->gone)
                return -ESTALE;
        l->page->revision = wanted ?: collection_told(c);
        if (wanted && wanted < c->last)
                return list_past(c, l);
        r = list_present(c, l);
        if (r < 0)
                return r;
        if (counts(l))
                l->page->remaining = count_rest(c, l);
        return 0;
}

int collection_list(struct collection *c, const struct collection_query *query, struct collection_page *ret_page) {
        struct collection_page page = { 0 };
        struct listing l = { query, &page, 0 };
        int r;

        pthread_rwlock_rdlock(&c->lock);
        r = list(c, &l);
        page.last = c->last;
        pthread_rwlock_unlock(&c->lock);
        if (r < 0) {
                collection_page_clear(&page);
                return r;
        }
        *ret_page = page;
        return 0;
}

void collection_page_clear(struct collection_page *page) {
        for (size_t i = 0; i < page->n; i++)
                object_unref(page->objects[i]);
        free(page->objects);
        *page = (struct collection_page){ 0 };
}
