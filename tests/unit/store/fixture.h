/* A store in a directory of its own, and changes of it that are waited for. */
#pragma once

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

struct fixture {
        const struct store_backend *backend;
        char dir[64];
        struct store *store;
};

/* Tests of one kind of store, or of both. */
#define FIXTURE_SQLITE(name) cmocka_unit_test_setup_teardown(name, fixture_sqlite, fixture_tear_down)
#define FIXTURE_BOTH(name)                                                                                             \
        { #name ": memory", name, fixture_memory, fixture_tear_down, NULL }, {                                         \
#name ": sqlite", name, fixture_sqlite, fixture_tear_down, NULL                                        \
        }
int fixture_memory(void **state);
int fixture_sqlite(void **state);
int fixture_tear_down(void **state);

void fixture_open(struct fixture *f);
void fixture_reopen(struct fixture *f);

/* A change and its end, waited for. */
struct waited {
        struct store_change change;
        struct store_result result;
        char text[256];
        sem_t done;
};

/* Its end: struct waited begins with the change. */
void fixture_on_done(struct store_change *change, const struct store_result *result);

/* Submits @w's change with @value (NULL: a deletion), and waits. */
struct store_result fixture_submit(struct store *store, struct waited *w, const char *value);

/* The same of a key; @text is what a refusal says, or NULL. */
struct store_result fixture_change(struct store *store, const char *key, const char *value, int64_t expected, bool lazy,
                                   char text[256]);

/* A change that succeeds; returns its revision. */
int64_t fixture_put(struct store *store, const char *key, const char *value, int64_t expected);

/* What is there: @value (NULL: nothing), of @revision where that is not 0. */
void fixture_expect(struct store *store, const char *key, const char *value, int64_t revision);

/* The beginning of a file is @text from now on. */
void fixture_overwrite(const char *path, const char *text);

/* @size times the same letter; free it. */
char *fixture_text(size_t size);
