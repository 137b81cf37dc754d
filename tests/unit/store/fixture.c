#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

void fixture_open(struct fixture *f) {
        _cleanup_err_ struct err *err = NULL;
        int r = store_open(f->backend, &(struct store_options){ .directory = f->dir, .lazy_ms = 60000 }, &f->store,
                           &err);

        if (r < 0)
                fail_msg("%s", err_text(err));
}

void fixture_reopen(struct fixture *f) {
        store_close(f->store);
        fixture_open(f);
}

static int set_up(void **state, const struct store_backend *backend) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->backend = backend;
        strcpy(f->dir, "/tmp/nacelle-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        fixture_open(f);
        *state = f;
        return 0;
}

int fixture_memory(void **state) {
        return set_up(state, &store_memory);
}

int fixture_sqlite(void **state) {
        return set_up(state, &store_sqlite);
}

int fixture_tear_down(void **state) {
        struct fixture *f = *state;

        store_close(f->store);
        assert_int_equal(files_remove_tree(f->dir, NULL), 0);
        free(f);
        return 0;
}

void fixture_on_done(struct store_change *change, const struct store_result *result) {
        struct waited *w = (struct waited *)change;

        w->result = *result;
        snprintf(w->text, sizeof(w->text), "%s", result->text ?: "");
        sem_post(&w->done);
}

struct store_result fixture_submit(struct store *store, struct waited *w, const char *value) {
        w->change.done = fixture_on_done;
        w->change.value = value ? bytes_copy(value, strlen(value)) : NULL;
        sem_init(&w->done, 0, 0);
        assert_int_equal(store_submit(store, &w->change), 0);
        while (sem_wait(&w->done) < 0)
                ;
        sem_destroy(&w->done);
        bytes_unref(w->change.value);
        return w->result;
}

struct store_result fixture_change(struct store *store, const char *key, const char *value, int64_t expected, bool lazy,
                                   char text[256]) {
        struct waited w = { .change = { .key = key, .expected = expected, .lazy = lazy } };

        fixture_submit(store, &w, value);
        if (text)
                strcpy(text, w.text);
        return w.result;
}

int64_t fixture_put(struct store *store, const char *key, const char *value, int64_t expected) {
        struct store_result result = fixture_change(store, key, value, expected, false, NULL);

        assert_int_equal(result.code, 0);
        return result.revision;
}

void fixture_expect(struct store *store, const char *key, const char *value, int64_t revision) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int64_t found = 0;

        assert_int_equal(store_get(store, key, &bytes, &found, NULL), value ? 0 : -ENOENT);
        if (!value)
                return;
        assert_int_equal(bytes->size, strlen(value));
        assert_memory_equal(bytes->data, value, bytes->size);
        if (revision)
                assert_int_equal(found, revision);
}

void fixture_overwrite(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
}

char *fixture_text(size_t size) {
        char *text = malloc(size + 1);

        assert_non_null(text);
        memset(text, 'l', size);
        text[size] = '\0';
        return text;
}
