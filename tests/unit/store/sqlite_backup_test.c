/* Backup and restore. */
#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* A backup takes nothing of the store's own away, and no device. */
static void refuse_own_files(struct fixture *f) {
        static const char *const names[] = { "state.db", "state.db-wal", "state.db.new", "./state.db" };
        char path[256];
        struct err *err = NULL;

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
                assert_int_equal(store_backup(f->store, path, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "is of the store itself; give another file"));
                err_free(err);
                err = NULL;
        }
        assert_int_equal(store_backup(f->store, "/dev/null", &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "/dev/null is no file"));
        err_free(err);
}

static void test_backup(void **state) {
        struct fixture *f = *state;
        _cleanup_err_ struct err *err = NULL;
        char path[128], other[128], none[128];
        struct fixture restored = { .backend = &store_sqlite };
        int64_t a, b;

        snprintf(path, sizeof(path), "%s/backup", f->dir);
        snprintf(other, sizeof(other), "%s/other", f->dir);
        a = fixture_put(f->store, "a", "1", STORE_ABSENT);
        fixture_change(f->store, "lease", "1", STORE_ABSENT, true, NULL);
        assert_int_equal(store_backup(f->store, path, &err), 0);
        b = fixture_put(f->store, "a", "2", a);
        refuse_own_files(f);
        assert_int_equal(store_backup(f->store, "/nowhere/backup", &err), -ENOENT);
        assert_non_null(strstr(err_text(err), "/nowhere/backup"));
        err = err_free(err);
        assert_int_equal(store_restore(path, f->dir, &err), -EBUSY);
        err = err_free(err);

        assert_int_equal(store_restore(path, other, &err), 0);
        strcpy(restored.dir, other);
        fixture_open(&restored);
        fixture_expect(restored.store, "a", "1", a);
        fixture_expect(restored.store, "lease", "1", 0);
        assert_true(store_revision(restored.store) > b); /* what clients saw is not given again */
        fixture_put(restored.store, "later", "1", STORE_ABSENT);
        store_close(restored.store);
        assert_int_equal(store_restore(path, other, &err), 0); /* over what is there */
        fixture_open(&restored);
        fixture_expect(restored.store, "later", NULL, 0);
        store_close(restored.store);

        fixture_overwrite(path, "not a database");
        assert_int_equal(store_restore(path, other, &err), -EBADMSG);
        assert_non_null(strstr(err_text(err), path));
        fixture_open(&restored);
        fixture_expect(restored.store, "a", "1", a);
        store_close(restored.store);

        snprintf(none, sizeof(none), "%s/none", f->dir);
        err = err_free(err);
        assert_int_equal(store_restore(path, none, &err), -EBADMSG);
        assert_int_equal(access(none, F_OK), -1); /* nor is a directory made */
}

/* A restore that was cut off between any two steps is ended by the next start. */
static void test_restore_cut(void **state) {
        struct fixture *f = *state;
        char backup[128], new[160], old[160], log[160];

        snprintf(backup, sizeof(backup), "%s/backup", f->dir);
        fixture_put(f->store, "a", "backup", STORE_ABSENT);
        assert_int_equal(store_backup(f->store, backup, NULL), 0);
        for (int step = 0; step < 2; step++) {
                fixture_put(f->store, "a", "later", STORE_ANY);
                store_close(f->store);
                snprintf(new, sizeof(new), "%s/state.db.new", f->dir);
                snprintf(old, sizeof(old), "%s/state.db", f->dir);
                snprintf(log, sizeof(log), "%s/state.db-wal", f->dir);
                assert_int_equal(link(backup, new), 0);
                fixture_overwrite(log, "a log of what was here before");
                if (step == 1)
                        unlink(old);
                fixture_open(f);
                fixture_expect(f->store, "a", "backup", 0);
                assert_int_equal(store_backup(f->store, backup, NULL), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_SQLITE(test_backup),
                FIXTURE_SQLITE(test_restore_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
