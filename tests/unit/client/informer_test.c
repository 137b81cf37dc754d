#include "tests/unit/support/fake_client.h"

#include "client/informer.h"
#include "kube/kinds.h"

static uv_loop_t loop;
static struct fake fake;
static struct informers *informers;
static const struct kube_kind *maps;

/* What the handler has heard: "+a ~a -a [ ] !" */
static char heard[1024];

static void hear(char what, const char *name) {
        size_t n = strlen(heard);

        snprintf(heard + n, sizeof(heard) - n, "%s%c%s", n ? " " : "", what, name);
}

static void on_changed(struct informer_handler *h, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        hear("+~-"[change], object -> name);
}

static void on_begins(struct informer_handler *h) {
        hear('[', "");
}

static void on_ends(struct informer_handler *h) {
        hear(']', "");
}

static void on_synced(void *data) {
        hear('!', "");
}

static struct informer_handler handler;

static struct informer *begin(bool keeps) {
        struct informer *i;

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        heard[0] = '\0';
        handler = (struct informer_handler){ on_changed, on_begins, on_ends, { 0 } };
        for (size_t k = 0; k < kube_kinds_count; k++)
                if (strcmp(kube_kinds[k].kind, "ConfigMap") == 0)
                        maps = &kube_kinds[k];
        informers = informers_new(&fake.base, on_synced, NULL);
        i = informers_get(informers, maps, NULL, keeps);
        assert_ptr_equal(informers_get(informers, maps, NULL, false), i);
        informer_add(i, &handler);
        return i;
}

static void end(void) {
        informers_free(informers);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void expect(const char *text) {
        assert_string_equal(heard, text);
        heard[0] = '\0';
}

/* Lets timers that are due come: those of back-offs are not. */
static void turn(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void put(const char *name, const char *json) {
        fake_put(&fake, maps, "n", name, json);
}

static void keeps_up(void **state) {
        struct informer *i = begin(true);

        put("a", "{}");
        put("b", "{}");
        assert_int_equal(informers_start(informers), 0);
        assert_false(informers_synced(informers));
        assert_int_equal(fake_answer_lists(&fake), 1);
        assert_true(informers_synced(informers));
        expect("+a +b !");
        assert_int_equal(fake.watches[0].revision, fake.revision);
        put("c", "{}");
        put("a", "{\"x\":1}");
        put("b", NULL);
        expect("+c ~a -b");
        assert_non_null(informer_find(i, "n", "c"));
        assert_null(informer_find(i, "n", "b"));
        assert_null(informer_find(i, "other", "c"));
        end();
}

static void walks_a_namespace(void **state) {
        struct informer *i = begin(true);
        struct informer_walk w;
        unsigned n = 0;

        fake_put(&fake, maps, "m", "z", "{}");
        put("a", "{}");
        put("b", "{}");
        fake_put(&fake, maps, "o", "a", "{}");
        informers_start(informers);
        fake_answer_lists(&fake);
        for (w = informer_first(i, "n"); w.object; informer_next(&w))
                n++;
        assert_int_equal(n, 2);
        for (w = informer_first(i, NULL); w.object; informer_next(&w))
                n++;
        assert_int_equal(n, 2 + 4);
        w = informer_first(i, "nowhere");
        assert_null(w.object);
        end();
}

/* A watch that ended well goes on where it was; one whose past is gone begins with a list, of which only what differs
 * is told. */
static void goes_on(void **state) {
        struct informer *i = begin(true);

        put("a", "{}");
        put("b", "{}");
        informers_start(informers);
        fake_answer_lists(&fake);
        put("c", "{}");
        heard[0] = '\0';
        fake_end_watches(&fake, 0);
        turn();
        assert_int_equal(fake.n_lists, 1);
        assert_int_equal(fake.n_watches, 2);
        assert_int_equal(fake.watches[1].revision, fake.revision);
        put("a", "{\"x\":1}");
        expect("~a");

        fake.watches[1].open = false; /* it hears of nothing more */
        put("b", NULL);
        put("c", "{\"x\":2}");
        put("d", "{}");
        fake.watches[1].watch->ended(fake.watches[1].data, -ESTALE, "gone");
        turn();
        assert_int_equal(fake_answer_lists(&fake), 1);
        expect("-b ~c +d");
        assert_non_null(informer_find(i, "n", "d"));
        end();
}

/* A server that is not there is asked again later, and not at once. */
static void backs_off(void **state) {
        begin(true);
        fake.list_error = -ECONNREFUSED;
        informers_start(informers);
        fake_answer_lists(&fake);
        turn();
        assert_int_equal(fake.n_lists, 1);
        assert_true(uv_backend_timeout(&loop) >= INFORMER_RETRY_MIN_MS - 100);
        assert_true(uv_backend_timeout(&loop) <= 2 * INFORMER_RETRY_MIN_MS);
        assert_false(informers_synced(informers));
        expect("");
        end();
}

/* Who says that there is nothing of the kind may be no server at all: what is known stays. */
static void a_404_takes_nothing_away(void **state) {
        struct informer *i = begin(true);

        put("a", "{}");
        informers_start(informers);
        fake_answer_lists(&fake);
        expect("+a !");
        fake.list_error = -ENOENT;
        fake_end_watches(&fake, -ESTALE);
        turn();
        fake_answer_lists(&fake);
        expect("");
        assert_non_null(informer_find(i, "n", "a"));
        assert_true(uv_backend_timeout(&loop) >= INFORMER_RETRY_MIN_MS - 100);
        end();
}

/* Unless it is known to be one that may lack kinds. */
static void does_without(void **state) {
        begin(true);
        informers_do_without(informers);
        fake.list_error = -ENOENT;
        informers_start(informers);
        fake_answer_lists(&fake);
        assert_true(informers_synced(informers));
        expect("!");
        end();
}

/* One that does not keep says which list is whole. */
static void passes_on(void **state) {
        struct informer *i = begin(false);

        put("a", "{}");
        informers_start(informers);
        fake_answer_lists(&fake);
        expect("[ +a ] !");
        put("a", "{\"x\":1}");
        put("a", NULL);
        expect("~a -a");
        assert_null(informer_find(i, "n", "a"));
        fake_end_watches(&fake, -ESTALE);
        turn();
        fake_answer_lists(&fake);
        expect("[ ]");
        end();
}

/* One that could not take all of a list is given another, also where the watch ends before that is due. */
static void lists_again(void **state) {
        struct informer *i = begin(false);

        informers_start(informers);
        fake_answer_lists(&fake);
        informer_list_again(i, 60000);
        informer_list_again(i, 1);
        turn();
        assert_in_range(uv_backend_timeout(&loop), 50000, 60000);
        put("a", "{}");
        fake_end_watches(&fake, 0);
        turn();
        assert_int_equal(fake_answer_lists(&fake), 1);
        expect("[ ] ! +a [ +a ]");
        fake_end_watches(&fake, 0);
        turn();
        assert_int_equal(fake_answer_lists(&fake), 0);
        informer_list_again(i, 0);
        turn();
        assert_int_equal(fake_answer_lists(&fake), 1);
        expect("[ +a ]");
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keeps_up),
                cmocka_unit_test(walks_a_namespace),
                cmocka_unit_test(goes_on),
                cmocka_unit_test(backs_off),
                cmocka_unit_test(a_404_takes_nothing_away),
                cmocka_unit_test(does_without),
                cmocka_unit_test(passes_on),
                cmocka_unit_test(lists_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
