/* The watched directory, on a real one: what is heard of each change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/directory/source.h"
#include "agent/volumes/tree.h"
#include "lib/cleanup.h"

struct scene {
        uv_loop_t loop;
        struct pool *pool;
        struct source *source;
        uv_timer_t timer;
        char dir[64], watched[80];
        char log[4096];
        bool looked;
};

static void note(struct scene *s, const char *what, const char *file, const char *text) {
        size_t n = strlen(s->log);

        snprintf(s->log + n, sizeof(s->log) - n, "%s%s %s%s%s", n ? "; " : "", what, file, text[0] ? "=" : "", text);
}

/* A "pod" here is the file's text; one that begins with "!" is broken. */
static int decode(const char *file, const char *text, size_t length, const void *data, struct pod **ret_pod,
                  struct err **err) {
        if (text[0] == '!')
                return err_set(err, EINVAL, "broken %s", text);
        *ret_pod = (struct pod *)strdup(text);
        return 0;
}

static void on_pod(void *data, const char *file, struct pod *pod) {
        note(data, "pod", file, (char *)pod);
        free(pod);
}

static void on_broken(void *data, const char *file, const char *text) {
        note(data, "broken", file, "");
}

static void on_unread(void *data, const char *file) {
        note(data, "unread", file, "");
}

static void on_gone(void *data, const char *file) {
        note(data, "gone", file, "");
}

static void on_looked(void *data) {
        struct scene *s = data;

        if (!s->looked)
                note(s, "synced", "", "");
        s->looked = true;
}

static void discard(struct pod *pod) {
        free(pod);
}

static void put(struct scene *s, const char *file, const char *text) {
        char path[256], temporary[256];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", s->dir, file);
        snprintf(temporary, sizeof(temporary), "%s/.new", s->dir);
        f = fopen(temporary, "w");
        fputs(text, f);
        fclose(f);
        assert_int_equal(rename(temporary, path), 0);
}

static void on_late(uv_timer_t *timer) {
        uv_stop(timer->loop);
}

/* Runs the loop until the log says @log, or for 2 s. */
static void expect(struct scene *s, const char *log) {
        for (int i = 0; i < 200 && strlen(s->log) < strlen(log); i++) {
                uv_timer_start(&s->timer, on_late, 10, 0);
                uv_run(&s->loop, UV_RUN_DEFAULT);
        }
        uv_timer_start(&s->timer, on_late, 10, 0); /* nothing more comes */
        uv_run(&s->loop, UV_RUN_DEFAULT);
        assert_string_equal(s->log, log);
        s->log[0] = '\0';
}

static void watch(struct scene *s, const char *below) {
        struct source_events events = { .decode = decode,
                                        .pod = on_pod,
                                        .broken = on_broken,
                                        .unread = on_unread,
                                        .gone = on_gone,
                                        .looked = on_looked,
                                        .discard = discard,
                                        .data = s };

        snprintf(s->watched, sizeof(s->watched), "%s%s", s->dir, below);
        assert_int_equal(source_new(&s->loop, s->pool, s->watched, &events, &s->source, NULL), 0);
}

static int setup(void **state) {
        struct scene *s = calloc(1, sizeof(*s));

        strcpy(s->dir, "/tmp/nacelle-source-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        uv_loop_init(&s->loop);
        pool_new(&s->loop, &s->pool);
        uv_timer_init(&s->loop, &s->timer);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        struct scene *s = *state;

        source_free(s->source);
        uv_close((uv_handle_t *)&s->timer, NULL);
        pool_free(s->pool);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
        pod_tree_remove(s->dir, NULL);
        free(s);
        return 0;
}

static void test_add_edit_remove(void **state) {
        struct scene *s = *state;

        put(s, "b", "2");
        put(s, "a", "1");
        watch(s, "");
        expect(s, "pod a=1; pod b=2; synced ");
        put(s, "c", "3");
        expect(s, "pod c=3");
        put(s, "c", "4");
        expect(s, "pod c=4");
        put(s, "c", "4"); /* the same bytes are no news */
        expect(s, "");
        unlink(strcat(strcpy(s->watched, s->dir), "/c"));
        expect(s, "gone c");
}

static void test_broken_is_said_once_and_heals(void **state) {
        struct scene *s = *state;

        put(s, "a", "1");
        watch(s, "");
        expect(s, "pod a=1; synced ");
        put(s, "a", "!");
        expect(s, "broken a");
        put(s, "a", "!");
        expect(s, "");
        put(s, "a", "1");
        expect(s, "pod a=1");
}

static void test_names_that_do_not_count(void **state) {
        static const struct {
                const char *name;
                bool counts;
        } cases[] = {
                { "web.yaml", true },   { "web", true },     { "web.json", true }, { ".web.yaml", false },
                { "web.yaml~", false }, { "#web#", false },  { "web.swp", false }, { "web.tmp", false },
                { "4913", false },      { "", false },       { "a.bak", false },   { "x.dpkg-new", false },
                { "bak", true },        { "..data", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(source_name_counts(cases[i].name), cases[i].counts);
}

static void test_directory_comes_later_goes_and_comes(void **state) {
        struct scene *s = *state;
        char path[128];

        watch(s, "/x/y");
        expect(s, "synced ");
        snprintf(path, sizeof(path), "%s/x", s->dir);
        mkdir(path, 0755);
        expect(s, "");
        snprintf(path, sizeof(path), "%s/x/y", s->dir);
        mkdir(path, 0755);
        put(s, "x/y/a", "1");
        expect(s, "pod a=1");
        snprintf(path, sizeof(path), "%s/x", s->dir);
        pod_tree_remove(path, NULL);
        expect(s, "gone a");
        mkdir(path, 0755);
        strcat(path, "/y");
        mkdir(path, 0755);
        put(s, "x/y/a", "2");
        expect(s, "pod a=2");
}

static void test_symlink_swap_of_the_directory(void **state) {
        struct scene *s = *state;
        char link[128], other[128];

        snprintf(link, sizeof(link), "%s/one", s->dir);
        mkdir(link, 0755);
        snprintf(link, sizeof(link), "%s/two", s->dir);
        mkdir(link, 0755);
        put(s, "one/a", "1");
        put(s, "one/b", "1");
        put(s, "two/a", "2");
        snprintf(link, sizeof(link), "%s/link", s->dir);
        assert_int_equal(symlink("one", link), 0);
        watch(s, "/link");
        expect(s, "pod a=1; pod b=1; synced ");
        snprintf(other, sizeof(other), "%s/link2", s->dir);
        assert_int_equal(symlink("two", other), 0);
        assert_int_equal(rename(other, link), 0);
        expect(s, "gone b; pod a=2");
        put(s, "two/c", "3");
        expect(s, "pod c=3");
}

/* As kubelet writes config mounts: names lead through ..data, which is swapped by rename. */
static void test_config_mount_swap(void **state) {
        struct scene *s = *state;
        char path[128], other[128];

        for (int i = 1; i <= 2; i++) {
                snprintf(path, sizeof(path), "%s/..v%d", s->dir, i);
                mkdir(path, 0755);
        }
        put(s, "..v1/a", "1");
        put(s, "..v2/a", "2");
        snprintf(path, sizeof(path), "%s/..data", s->dir);
        assert_int_equal(symlink("..v1", path), 0);
        snprintf(other, sizeof(other), "%s/a", s->dir);
        assert_int_equal(symlink("..data/a", other), 0);
        watch(s, "");
        expect(s, "pod a=1; synced ");
        snprintf(other, sizeof(other), "%s/..data_tmp", s->dir);
        assert_int_equal(symlink("..v2", other), 0);
        assert_int_equal(rename(other, path), 0);
        expect(s, "pod a=2");
}

static void test_too_large_and_no_file(void **state) {
        struct scene *s = *state;
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/fifo", s->dir);
        assert_int_equal(mkfifo(path, 0600), 0);
        snprintf(path, sizeof(path), "%s/limit", s->dir);
        f = fopen(path, "w");
        for (int i = 0; i < SOURCE_FILE_BYTES_MAX; i++)
                fputc('!', f);
        fclose(f);
        snprintf(path, sizeof(path), "%s/past", s->dir);
        f = fopen(path, "w");
        for (int i = 0; i <= SOURCE_FILE_BYTES_MAX; i++)
                fputc('x', f);
        fclose(f);
        watch(s, "");
        expect(s, "broken fifo; broken limit; broken past; synced ");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_add_edit_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_broken_is_said_once_and_heals, setup, teardown),
                cmocka_unit_test(test_names_that_do_not_count),
                cmocka_unit_test_setup_teardown(test_directory_comes_later_goes_and_comes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_symlink_swap_of_the_directory, setup, teardown),
                cmocka_unit_test_setup_teardown(test_config_mount_swap, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_large_and_no_file, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
