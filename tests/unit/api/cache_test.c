/* Collections and watches: what readers see while one thread changes things at random. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/cache/collection.h"
#include "api/cache/watch.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define NAMESPACES 3
#define NAMES 20
#define NODES 4

static _Atomic int64_t told;

static struct object *make(int64_t revision, const char *namespace, const char *name, const char *node) {
        _cleanup_bytes_ struct bytes *json = bytes_copy("{}", 2);
        const struct object_label label = { "node", node };
        struct object *o = object_new(&(struct object_parts){ .revision = revision,
                                                              .namespace = namespace,
                                                              .name = name,
                                                              .json = json,
                                                              .labels = &label,
                                                              .n_labels = 1,
                                                              .fields = &node,
                                                              .n_fields = 1 });

        assert_non_null(o);
        return o;
}

static void put(struct collection *c, const char *namespace, const char *name, const char *node) {
        _cleanup_object_ struct object *o = make(told + 1, namespace, name, node);

        assert_int_equal(collection_apply(c, o, false), 0);
        told++;
}

static void delete (struct collection *c, const char *namespace, const char *name) {
        _cleanup_object_ struct object *now = collection_get(c, namespace, name), *last = NULL;

        assert_non_null(now);
        last = make(told + 1, namespace, name, now->fields[0]);
        assert_int_equal(collection_apply(c, last, true), 0);
        told++;
}

static void expect_list(struct collection *c, const struct collection_query *query, int code, const char *wanted,
                        bool more, size_t remaining) {
        struct collection_page page;
        char text[512] = "";
        int r = collection_list(c, query, &page);

        assert_int_equal(r, code);
        if (r < 0)
                return;
        for (size_t i = 0; i < page.n; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s/%s@%d", i ? " " : "",
                         page.objects[i]->namespace, page.objects[i]->name, (int)page.objects[i]->revision);
        assert_string_equal(text, wanted);
        assert_int_equal(page.more, more);
        assert_int_equal(page.remaining, remaining);
        assert_int_equal(page.revision, query->revision ?: told);
        collection_page_clear(&page);
}

static bool on_node(void *data, const struct object *o) {
        return strcmp(object_label(o, "node"), data) == 0 && !object_label(o, "other");
}

static void test_lists(void **state) {
        struct collection *c;
        struct object *loaded;
        char n2[] = "n2";

        told = 5;
        c = collection_new(&told);
        loaded = make(3, "a", "x", "n1");
        assert_int_equal(collection_load(c, loaded), 0);
        object_unref(loaded);
        put(c, "b", "x", "n2"); /* 6 */
        put(c, "a", "y", "n2"); /* 7 */
        put(c, "a", "x", "n3"); /* 8 */
        delete (c, "b", "x");   /* 9 */
        put(c, "c", "z", "n1"); /* 10 */
        assert_int_equal(collection_count(c), 3);
        expect_list(c, &(struct collection_query){ 0 }, 0, "a/x@8 a/y@7 c/z@10", false, 0);
        expect_list(c, &(struct collection_query){ .limit = 1 }, 0, "a/x@8", true, 2);
        expect_list(c, &(struct collection_query){ .limit = 1, .filter.namespace = "a" }, 0, "a/x@8", true, 1);
        expect_list(c, &(struct collection_query){ .limit = 2, .filter.namespace = "a" }, 0, "a/x@8 a/y@7", false, 0);
        expect_list(c, &(struct collection_query){ .after_namespace = "a", .after_name = "x" }, 0, "a/y@7 c/z@10",
                    false, 0);
        expect_list(c, &(struct collection_query){ .filter = { .namespace = "a", .name = "y" } }, 0, "a/y@7", false, 0);
        expect_list(c, &(struct collection_query){ .filter = { .name = "z" } }, 0, "c/z@10", false, 0);
        expect_list(c, &(struct collection_query){ .filter = { .matches = on_node, .data = (void *)(uintptr_t) "n2" } },
                    0, "a/y@7", false, 0);
        /* what stands behind a full page counts, whether it matches or not; but only of the namespace, and among those
         * that are looked at */
        expect_list(c, &(struct collection_query){ .limit = 1, .filter = { .matches = on_node, .data = n2 } }, 0,
                    "a/y@7", true, 0);
        expect_list(c,
                    &(struct collection_query){ .limit = 1,
                                                .filter = { .namespace = "a", .matches = on_node, .data = n2 } },
                    0, "a/y@7", false, 0);
        expect_list(c,
                    &(struct collection_query){ .limit = 1,
                                                .filter = { .matches = on_node, .among = on_node, .data = n2 } },
                    0, "a/y@7", false, 0);
        expect_list(c, &(struct collection_query){ .limit = 1, .uncounted = true }, 0, "a/x@8", true, 0);
        /* the past, page by page */
        expect_list(c, &(struct collection_query){ .revision = 2 }, -ESTALE, NULL, false, 0);
        expect_list(c, &(struct collection_query){ .revision = 5 }, 0, "a/x@3", false, 0);
        expect_list(c, &(struct collection_query){ .revision = 6 }, 0, "a/x@3 b/x@6", false, 0);
        expect_list(c, &(struct collection_query){ .revision = 7 }, 0, "a/x@3 a/y@7 b/x@6", false, 0);
        expect_list(c, &(struct collection_query){ .revision = 7, .limit = 2 }, 0, "a/x@3 a/y@7", true, 1);
        expect_list(c, &(struct collection_query){ .revision = 7, .limit = 1 }, 0, "a/x@3", true, 2);
        expect_list(c, &(struct collection_query){ .revision = 7, .limit = 1, .filter.namespace = "a" }, 0, "a/x@3",
                    true, 1);
        expect_list(c, &(struct collection_query){ .revision = 9, .limit = 1 }, 0, "a/x@8", true, 1);
        expect_list(c, &(struct collection_query){ .revision = 7, .after_namespace = "a", .after_name = "y" }, 0,
                    "b/x@6", false, 0);
        expect_list(c, &(struct collection_query){ .revision = 7, .filter.namespace = "b" }, 0, "b/x@6", false, 0);
        expect_list(c, &(struct collection_query){ .revision = 9 }, 0, "a/x@8 a/y@7", false, 0);
        collection_free(c);
}

/* What was deleted before it was loaded is told by nobody. */
static void test_loaded(void **state) {
        struct collection *c;
        struct object *loaded;
        uint64_t number;

        told = 9;
        c = collection_new(&told);
        loaded = make(3, "a", "x", "n1");
        assert_int_equal(collection_load(c, loaded), 0);
        object_unref(loaded);
        collection_loaded(c, 9);
        assert_int_equal(collection_seek(c, 8, &number), -ESTALE);
        assert_int_equal(collection_seek(c, 9, &number), 0);
        expect_list(c, &(struct collection_query){ .revision = 8 }, -ESTALE, NULL, false, 0);
        expect_list(c, &(struct collection_query){ 0 }, 0, "a/x@3", false, 0);
        collection_free(c);
}

/* The ring ends somewhere, and never before its smallest size. */
/* What is young stays, and so do the last ones; the ring goes on growing and working behind it. */
static void test_compacted(void **state) {
        struct collection *c = collection_new(&told);
        int64_t first;

        told = 0;
        for (int i = 0; i < 2000; i++)
                put(c, "a", i % 2 ? "x" : "y", "n");
        collection_compact(c, 1500, 60000);
        assert_int_equal(collection_gone(c), 0);
        collection_compact(c, 1500, -1);
        assert_int_equal(collection_gone(c), 1500);
        expect_list(c, &(struct collection_query){ .revision = 1499 }, -ESTALE, NULL, false, 0);
        expect_list(c, &(struct collection_query){ .revision = 1500 }, 0, "a/x@1500 a/y@1499", false, 0);
        collection_compact(c, INT64_MAX, -1);
        first = 2000 - COLLECTION_EVENTS_MIN;
        assert_int_equal(collection_gone(c), first);
        for (int i = 0; i < 600; i++)
                put(c, "a", "z", "n");
        assert_int_equal(collection_gone(c), first);
        expect_list(c, &(struct collection_query){ .revision = 2000 }, 0, "a/x@2000 a/y@1999", false, 0);
        collection_free(c);
        (void)state;
}

static void test_ring_ends(void **state) {
        struct collection *c;
        uint64_t number;

        told = 0;
        c = collection_new(&told);
        for (int i = 0; i < COLLECTION_EVENTS_MIN; i++)
                put(c, "a", "x", "n");
        assert_int_equal(collection_seek(c, 0, &number), 0);
        assert_int_equal(number, 1);
        for (int i = 0; i < COLLECTION_EVENTS_MAX + 10; i++)
                put(c, "a", "x", "n");
        assert_int_equal(collection_seek(c, 0, &number), -ESTALE);
        assert_int_equal(collection_seek(c, told - COLLECTION_EVENTS_MAX, &number), 0);
        assert_int_equal(collection_seek(c, told - COLLECTION_EVENTS_MAX - 1, &number), -ESTALE);
        assert_int_equal(collection_seek(c, told, &number), 0);
        expect_list(c, &(struct collection_query){ .revision = told - COLLECTION_EVENTS_MAX - 1 }, -ESTALE, NULL, false,
                    0);
        collection_free(c);
}

/* A client: what it was told, as it believes things to be. */
struct client {
        struct watcher *watcher;
        struct collection_filter filter;
        const char *node;
        int64_t revision[NAMESPACES][NAMES]; /* 0: it is not there */
        int64_t last;
        int room; /* events that it takes before it says no */
        bool gone;
};

static int number_of(const char *text) {
        return atoi(text + 1);
}

static bool on_event(void *data, const struct watch_event *event) {
        struct client *client = data;
        int64_t *mine = &client->revision[number_of(event->object->namespace)][number_of(event->object->name)];

        assert_true(event->revision > client->last);
        client->last = event->revision;
        assert_int_equal(*mine != 0, event->type != COLLECTION_ADDED);
        if (client->node)
                assert_string_equal(event->object->fields[0], client->node);
        *mine = event->type == COLLECTION_DELETED ? 0 : event->revision;
        assert_true(client->room > 0);
        return --client->room > 0;
}

static void on_gone(void *data) {
        ((struct client *)data)->gone = true;
}

static uint32_t seed = 7;

static uint32_t draw(uint32_t below) {
        seed = seed * 1664525u + 1013904223u;
        return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static void change_something(struct collection *c) {
        char namespace[8], name[8], node[8];
        struct object *now;

        snprintf(namespace, sizeof(namespace), "s%u", draw(NAMESPACES));
        snprintf(name, sizeof(name), "o%u", draw(NAMES));
        snprintf(node, sizeof(node), "n%u", draw(NODES));
        now = collection_get(c, namespace, name);
        if (now && draw(3) == 0)
                delete (c, namespace, name);
        else
                put(c, namespace, name, node);
        object_unref(now);
}

static bool is_on(void *data, const struct object *o) {
        return !data || strcmp(o->fields[0], data) == 0;
}

/* What the client believes is what a list at its revision says. */
static void compare(struct collection *c, const struct client *client) {
        struct collection_query query = { .filter = client->filter };
        struct collection_page page;
        int64_t wanted[NAMESPACES][NAMES] = { { 0 } };

        query.filter.matches = is_on;
        query.filter.data = (void *)(uintptr_t)client->node;
        assert_int_equal(collection_list(c, &query, &page), 0);
        for (size_t i = 0; i < page.n; i++)
                wanted[number_of(page.objects[i]->namespace)][number_of(page.objects[i]->name)] =
                        page.objects[i]->revision;
        assert_memory_equal(wanted, client->revision, sizeof(wanted));
        collection_page_clear(&page);
}

static void begin_again(struct collection *c, struct watch_set *set, struct client *client) {
        struct watch_config config = { .filter = client->filter,
                                       .field = client->node ? 0 : -1,
                                       .value = client->node,
                                       .on_event = on_event,
                                       .on_gone = on_gone,
                                       .data = client };
        struct collection_query query = { .filter = client->filter };
        struct collection_page page;

        watcher_free(client->watcher);
        memset(client->revision, 0, sizeof(client->revision));
        query.filter.matches = is_on;
        query.filter.data = (void *)(uintptr_t)client->node;
        assert_int_equal(collection_list(c, &query, &page), 0);
        for (size_t i = 0; i < page.n; i++)
                client->revision[number_of(page.objects[i]->namespace)][number_of(page.objects[i]->name)] =
                        page.objects[i]->revision;
        client->last = page.revision;
        client->gone = false;
        client->room = 1000;
        assert_int_equal(watcher_new(set, &config, page.revision, &client->watcher), 0);
        collection_page_clear(&page);
}

static void on_wake(void *data) {
        atomic_fetch_add((atomic_int *)data, 1);
}

#define CLIENTS 8
static const struct client clients_of_all_kinds[CLIENTS] = {
        { .filter = { 0 } },
        { .filter.namespace = "s1" },
        { .filter = { .namespace = "s1", .name = "o3" } },
        { .filter.name = "o4" },
        { .node = "n0" },
        { .node = "n2", .filter.namespace = "s0" },
        { .node = "n1" },
        { .filter.namespace = "s2" },
};

/* Clients of all kinds that stop taking events at random, are dropped at random and begin again. */
static void test_watchers_see_each_change_once(void **state) {
        struct client clients[CLIENTS];
        atomic_int wakes = 0;
        struct collection *c;
        struct watch_set *set;

        told = 0;
        c = collection_new(&told);
        set = watch_set_new(c, on_wake, &wakes);
        memcpy(clients, clients_of_all_kinds, sizeof(clients));
        for (int i = 0; i < CLIENTS; i++)
                begin_again(c, set, &clients[i]);
        for (int step = 0; step < 20000; step++) {
                struct client *client = &clients[draw(CLIENTS)];

                change_something(c);
                assert_true(wakes == 1);
                if (draw(50) == 0) /* also ahead of what the others were told */
                        begin_again(c, set, client);
                if (draw(4) != 0)
                        continue;
                watch_set_run(set);
                wakes = 0;
                if (draw(20) == 0)
                        client->room = 1 + (int)draw(5);
                if (client->room == 0 && draw(3) == 0) {
                        client->room = 1 + (int)draw(30);
                        watcher_resume(client->watcher);
                }
        }
        for (int i = 0; i < CLIENTS; i++) {
                watch_set_run(set);
                clients[i].room = 1 << 30;
                watcher_resume(clients[i].watcher);
                assert_false(clients[i].gone);
                assert_int_equal(watcher_revision(clients[i].watcher), told);
                compare(c, &clients[i]);
                watcher_free(clients[i].watcher);
        }
        watch_set_free(set);
        collection_free(c);
}

/* One that does not read is told that it lost events; the others do not notice. */
static void test_slow_watcher(void **state) {
        struct client slow = { .filter = { 0 } }, quick = { .filter = { 0 } };
        atomic_int wakes = 0;
        struct collection *c;
        struct watch_set *set;

        told = 0;
        c = collection_new(&told);
        set = watch_set_new(c, on_wake, &wakes);
        begin_again(c, set, &slow);
        begin_again(c, set, &quick);
        slow.room = 3;
        quick.room = 1 << 30;
        for (int i = 0; i < COLLECTION_EVENTS_MAX + 100; i++) {
                change_something(c);
                watch_set_run(set);
        }
        assert_int_equal(watcher_revision(slow.watcher), 0);
        slow.room = 1000;
        watcher_resume(slow.watcher);
        assert_true(slow.gone);
        assert_false(quick.gone);
        compare(c, &quick);
        begin_again(c, set, &slow);
        compare(c, &slow);
        /* the loop itself was away too long */
        for (int i = 0; i < COLLECTION_EVENTS_MAX + 100; i++)
                change_something(c);
        watch_set_run(set);
        watch_set_run(set);
        assert_true(slow.gone && quick.gone);
        watcher_free(slow.watcher);
        watcher_free(quick.watcher);
        watch_set_free(set);
        collection_free(c);
}

/* Readers on other threads: a list is of one moment, whatever is changed meanwhile. */
struct reader {
        struct collection *collection;
        atomic_bool *ends;
        int lists, differences; /* asserted by the test's own thread */
};

static void *read_on(void *data) {
        struct reader *reader = data;

        while (!*reader->ends) {
                struct collection_page now, then;
                struct collection_query past = { 0 };

                if (collection_list(reader->collection, &past, &now) < 0)
                        continue;
                past.revision = now.revision;
                if (collection_list(reader->collection, &past, &then) == 0) {
                        reader->differences +=
                                now.n != then.n || memcmp(now.objects, then.objects, now.n * sizeof(*now.objects)) != 0;
                        collection_page_clear(&then);
                }
                collection_page_clear(&now);
                reader->lists++;
        }
        return NULL;
}

static void test_readers_on_threads(void **state) {
        struct reader readers[3];
        pthread_t threads[3];
        atomic_bool ends = false;
        struct collection *c;

        told = 0;
        c = collection_new(&told);
        change_something(c); /* a list as of 0 would be one of the present */
        for (int i = 0; i < 3; i++) {
                readers[i] = (struct reader){ .collection = c, .ends = &ends };
                pthread_create(&threads[i], NULL, read_on, &readers[i]);
        }
        for (int i = 0; i < 30000; i++) {
                change_something(c);
                if (i % 100 == 0)
                        usleep(100);
        }
        ends = true;
        for (int i = 0; i < 3; i++) {
                pthread_join(threads[i], NULL);
                assert_true(readers[i].lists > 0);
                assert_int_equal(readers[i].differences, 0);
        }
        collection_free(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_loaded),
                cmocka_unit_test(test_compacted),
                cmocka_unit_test(test_ring_ends),
                cmocka_unit_test(test_watchers_see_each_change_once),
                cmocka_unit_test(test_slow_watcher),
                cmocka_unit_test(test_readers_on_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
